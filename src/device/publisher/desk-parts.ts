import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config.ts';
import type { JournalSet } from '../journal/journal.ts';
import type { Faults } from './faults.ts';
import type { PublisherMemory } from './state-file.ts';

/** What the lanes work with, and whom they tell. */
export interface DeskParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly journals: Pick<JournalSet, 'journals' | 'stats' | 'recall'>;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly faults: Faults;
  readonly heartbeat: LoopHeartbeat;
  /** The delivery promise, or who is there to keep it, has changed. */
  readonly onDeliveryChange: () => void;
  /** The broker has acknowledged readings (`news` when they are the first), or a server has stored them. */
  readonly onTaken: (word: 'news' | 'routine') => void;
  /** To be known after a restart; must not wait. */
  readonly remember: (changes: Partial<PublisherMemory>) => void;
}
