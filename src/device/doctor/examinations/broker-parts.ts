import type { Clock } from '../../../common/clock.ts';
import type { MqttSection } from '../../config/device-config.ts';
import type { OpenLink } from '../../mqtt/link-session.ts';

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
  /** Epochs of the journals on this machine; undefined where they cannot be seen. */
  readonly ownEpochs: () => Promise<readonly string[] | undefined>;
  /** `/`, or what stands for it. */
  readonly root: string;
}

/** For people: the user name, or that there is none. */
export function userOf({ mqtt }: BrokerParts): string {
  return mqtt.username === '' ? 'an anonymous client' : `user ${mqtt.username}`;
}
