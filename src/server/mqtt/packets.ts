import mqttPacket, { type IConnackPacket, type Packet } from 'mqtt-packet';
import type { ConnectionOptions, MqttConnection, OutgoingMessage } from './connection.ts';
import { MalformedPacketError } from './frames.ts';

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

/**
 * Packets to bytes and back. The rare ones by mqtt-packet; by hand PUBLISH and PUBACK, which come by the thousand, and the broker's
 * answers with a reason code: mqtt-packet knows only the codes of the standard's table for each packet, and brokers send others (Mosquitto
 * answers a message that is too large with 0x95).
 */

export type ProtocolVersion = 4 | 5;

/** What a broker answers, with its codes as they came: 0 for success, from 0x80 on a failure. */
export type Answer =
  | { readonly kind: 'puback'; readonly packetId: number; readonly code: number }
  | { readonly kind: 'suback'; readonly packetId: number; readonly codes: readonly number[] }
  | { readonly kind: 'unsuback'; readonly packetId: number }
  | { readonly kind: 'disconnect'; readonly code: number };

const PINGREQ = Buffer.from([0xc0, 0]);
/** First bytes of packets (section 2.1.2). */
const PUBACK = 0x40;
const SUBACK = 0x90;
const UNSUBACK = 0xb0;
const DISCONNECT = 0xe0;
const ANSWERS: readonly (number | undefined)[] = [PUBACK, SUBACK, UNSUBACK, DISCONNECT];
/** PUBACK without reason code and properties: success. */
const PUBACK_BYTES = 4;

export function encodePacket(packet: Packet, protocolVersion: ProtocolVersion): Buffer {
  // Its cache holds a Buffer for each of 65,536 numbers: 18 MB (measured) for nothing that we need.
  mqttPacket.writeToStream.cacheNumbers = false;
  return mqttPacket.generate(packet, { protocolVersion });
}

export function encodePing(): Buffer {
  return PINGREQ;
}

/** One PUBACK a message, success (section 3.4.2.1: a reason code of 0 may be left out). */
export function encodePubacks(packetIds: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(packetIds.length * PUBACK_BYTES);
  let at = 0;
  for (const packetId of packetIds) {
    bytes.writeUInt16BE(0x40_02, at);
    bytes.writeUInt16BE(packetId, at + 2);
    at += PUBACK_BYTES;
  }
  return bytes;
}

/**
 * Reads an answer to something that we sent (sections 3.4, 3.9, 3.11 and 3.14); undefined for any other packet.
 * @throws MalformedPacketError where it ends too early
 */
export function readAnswer(frame: Buffer, version: ProtocolVersion): Answer | undefined {
  if (frame[0] === PUBACK && frame.length === PUBACK_BYTES)
    return { kind: 'puback', packetId: frame.readUInt16BE(2), code: 0 };
  if (!ANSWERS.includes(frame[0])) return undefined;
  const body = afterLength(frame, 1);
  if (frame[0] === DISCONNECT) return { kind: 'disconnect', code: frame[body] ?? 0 };
  if (frame.length < body + 2) throw new MalformedPacketError('an answer that is shorter than its packet id');
  const packetId = frame.readUInt16BE(body);
  if (frame[0] === PUBACK) return { kind: 'puback', packetId, code: frame[body + 2] ?? 0 };
  if (frame[0] === UNSUBACK) return { kind: 'unsuback', packetId };
  const codes = frame.subarray(version === 5 ? afterProperties(frame, body + 2) : body + 2);
  if (codes.length === 0) throw new MalformedPacketError('an answer to a subscription without a code');
  return { kind: 'suback', packetId, codes: [...codes] };
}

/** Where what follows a length begins (section 1.5.5: the last of its bytes is below 0x80). */
function afterLength(frame: Buffer, start: number): number {
  let at = start;
  while ((frame[at] ?? 0) >= 0x80) at += 1;
  return at + 1;
}

function afterProperties(frame: Buffer, start: number): number {
  const body = afterLength(frame, start);
  let bytes = 0;
  for (let at = start; at < body; at += 1) bytes += ((frame[at] ?? 0) & 0x7f) * 2 ** (7 * (at - start));
  return body + bytes;
}

/** QoS 1 (section 3.3). */
export function encodePublish(
  { topic, payload, retain }: OutgoingMessage,
  packetId: number,
  version: ProtocolVersion,
): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const propertyBytes = version === 5 ? 1 : 0;
  const remaining = 2 + topicBytes + 2 + propertyBytes + Buffer.byteLength(payload);
  const length = encodeLength(remaining);
  const bytes = Buffer.allocUnsafe(1 + length.length + remaining);
  let at = bytes.writeUInt8(retain ? 0x33 : 0x32, 0);
  for (const byte of length) at = bytes.writeUInt8(byte, at);
  at = bytes.writeUInt16BE(topicBytes, at);
  at += bytes.write(topic, at);
  at = bytes.writeUInt16BE(packetId, at);
  if (version === 5) at = bytes.writeUInt8(0, at);
  bytes.write(payload, at);
  return bytes;
}

/** Section 1.5.5 of MQTT 5: seven bits a byte. */
function encodeLength(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...encodeLength(value >>> 7)];
}

/** Reads whole packets other than PUBLISH and answers. @throws MalformedPacketError */
export function createPacketDecoder(protocolVersion: ProtocolVersion): (frame: Buffer) => Packet {
  const parser = mqttPacket.parser({ protocolVersion });
  const found: Packet[] = [];
  let problem: unknown;
  parser.on('packet', (packet) => found.push(packet));
  parser.on('error', (error: unknown) => {
    problem = error;
  });
  return (frame) => {
    parser.parse(frame);
    const packet = found.pop();
    if (packet === undefined) throw new MalformedPacketError('a packet that MQTT does not know', { cause: problem });
    return packet;
  };
}
