import { type BrokerIdentity, readBrokerIdentity } from '../../common/mqtt/broker-identity.ts';
import type { MqttSection } from '../config/device-config.ts';

export type LinkIdentity = BrokerIdentity;

export interface LinkSources {
  readonly mqtt: MqttSection;
  readonly deviceUid: string;
  /** The environment; only CREDENTIALS_DIRECTORY is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Of a device whose config gives none. */
export function defaultClientId(deviceUid: string): string {
  return `techtemp-${deviceUid}`;
}

/** What the config says about the agent's connection. @throws LinkError LINK_FILE */
export async function readLinkIdentity({ mqtt, deviceUid, env }: LinkSources): Promise<LinkIdentity> {
  return await readBrokerIdentity({ mqtt, defaultClientId: defaultClientId(deviceUid), env });
}
