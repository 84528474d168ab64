import type { Clock } from '../../../common/clock.ts';
import type { MqttSection } from '../../config/server-config.ts';
import type { OpenConnection } from '../../mqtt/connection.ts';

/** What the examinations of the broker work with. */
export interface BrokerParts {
  readonly mqtt: MqttSection;
  readonly configFile: string;
  readonly unit: string;
  /** Where TechTemp is installed. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `/`, or what stands for it. */
  readonly root: string;
  /** The server's own door to the broker, so that doctor and server see the same truth. */
  readonly openConnection: OpenConnection;
  readonly clock: Clock;
  /** Whether our server answers on this machine. */
  readonly isRunning: () => Promise<boolean>;
}

/** The user name that the remedies speak of. */
export function accountOf({ username, instance }: MqttSection): string {
  return username === '' ? `techtemp-server-${instance}` : username;
}
