import type { Clock } from '../../../platform/clock.ts';
import type { MqttSection } from '../../config.ts';
import type { OpenLink } from '../../mqtt/session.ts';
import type { KnownServer } from '../../publisher/known-servers.ts';
import type { JournalUse } from './journal.ts';

/** What the examinations of the broker work with. */
export interface BrokerParts {
  readonly mqtt: MqttSection;
  readonly deviceUid: string;
  readonly homeId: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The agent's own door to the broker, so that doctor and agent see the same truth. */
  readonly openLink: OpenLink;
  readonly clock: Clock;
  /** What is known of the journal on this machine; undefined where there is none, or it cannot be seen. */
  readonly ownJournal: () => Promise<OwnJournal | undefined>;
  /** The servers for whose receipts the agent waits, as far as we may look. */
  readonly rememberedServers: () => Promise<readonly KnownServer[]>;
  /** `/`, or what stands for it. */
  readonly root: string;
}

/** As far as it tells our device from another one with its name. */
interface OwnJournal {
  readonly epochs: readonly string[];
  readonly agent: JournalUse;
}
