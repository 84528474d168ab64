import type { IConnackPacket, Packet } from 'mqtt-packet';
import type { ConnectionOptions, MqttConnection } from './connection.ts';

/** Never (section 3.1.2.11.2 of MQTT 5); the broker may set a limit of its own. */
const SESSION_NEVER_EXPIRES = 0xffff_ffff;
/** Where the broker says nothing (section 3.2.2.3.3). */
const DEFAULT_RECEIVE_MAXIMUM = 65_535;
/** MQTT 3.1.1 has no such word; Mosquitto's own limit, and few brokers' is smaller. */
const RECEIVE_MAXIMUM_OF_311 = 20;
const QOS_NOT_SUPPORTED = 0x9b;

/** The first packet of a connection. */
export function connectPacket(options: ConnectionOptions): Packet {
  const { clientId, keepaliveMs, password, protocolVersion, receiveMaximum, session, username, will } = options;
  const sessionExpiryInterval = session === 'short' ? 0 : SESSION_NEVER_EXPIRES;
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion,
    clientId,
    clean: session === 'short',
    keepalive: Math.max(1, Math.round(keepaliveMs / 1000)),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: will.retain },
    // No Maximum Packet Size: the broker would drop what is larger, and it would never be known that it came.
    ...(protocolVersion === 5 && { properties: { sessionExpiryInterval, receiveMaximum } }),
  };
}

/** Why the broker's answer is a refusal; undefined where it is none. A broker without QoS 1 is of no use. */
export function refusalCode({ reasonCode, returnCode, properties }: IConnackPacket): number | undefined {
  const code = reasonCode ?? returnCode ?? 0;
  if (code !== 0) return code;
  return properties?.maximumQoS === 0 ? QOS_NOT_SUPPORTED : undefined;
}

/** What the broker allows, as its answer to the first packet says. */
export type BrokerLimits = Pick<
  MqttConnection,
  'sessionPresent' | 'sessionExpirySeconds' | 'receiveMaximum' | 'maximumPacketSize'
> & {
  /** How often it wants to hear of us; undefined: as we asked. */
  readonly keepaliveMs: number | undefined;
};

export function brokerLimits(connack: IConnackPacket | undefined, protocolVersion: 4 | 5): BrokerLimits {
  const { maximumPacketSize, receiveMaximum, serverKeepAlive, sessionExpiryInterval } = connack?.properties ?? {};
  const isFive = protocolVersion === 5;
  return {
    sessionPresent: connack?.sessionPresent ?? false,
    sessionExpirySeconds: isFive ? (sessionExpiryInterval ?? SESSION_NEVER_EXPIRES) : null,
    receiveMaximum: isFive ? (receiveMaximum ?? DEFAULT_RECEIVE_MAXIMUM) : RECEIVE_MAXIMUM_OF_311,
    maximumPacketSize: maximumPacketSize ?? Number.POSITIVE_INFINITY,
    keepaliveMs: serverKeepAlive === undefined || serverKeepAlive === 0 ? undefined : serverKeepAlive * 1000,
  };
}
