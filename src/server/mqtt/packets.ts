import mqttPacket, { type Packet } from 'mqtt-packet';
import type { OutgoingMessage } from './connection.ts';
import { MalformedPacketError } from './frame-reader.ts';

/** Packets to bytes and back. The rare ones by mqtt-packet; PUBLISH and PUBACK, sent by the thousand, by hand. */

export type ProtocolVersion = 4 | 5;

const PINGREQ = Buffer.from([0xc0, 0]);
const PUBACK = 0x40;
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

/** The packet id of a PUBACK that says nothing but success, as nearly all do; undefined for any other packet. */
export function packetIdOfPuback(frame: Buffer): number | undefined {
  return frame[0] === PUBACK && frame.length === PUBACK_BYTES ? frame.readUInt16BE(2) : undefined;
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

/** Reads whole packets other than PUBLISH. @throws MalformedPacketError */
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
