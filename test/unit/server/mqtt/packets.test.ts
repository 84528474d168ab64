import mqttPacket from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { MalformedPacketError } from '../../../../src/server/mqtt/frames.ts';
import { readAnswer } from '../../../../src/server/mqtt/packets.ts';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

describe('answers of the broker', () => {
  it.each([4, 5] as const)('are what mqtt-packet writes (version %i)', (protocolVersion) => {
    const encode = (packet: mqttPacket.Packet): Buffer => mqttPacket.generate(packet, { protocolVersion });
    const properties = protocolVersion === 5 ? { properties: { reasonString: 'x'.repeat(200) } } : {};
    expect(readAnswer(encode({ cmd: 'puback', messageId: 513 }), protocolVersion)).toEqual({
      kind: 'puback',
      packetId: 513,
      code: 0,
    });
    expect(
      readAnswer(encode({ cmd: 'suback', messageId: 7, granted: [1, 0x80], ...properties }), protocolVersion),
    ).toEqual({ kind: 'suback', packetId: 7, codes: [1, 0x80] });
    expect(readAnswer(encode({ cmd: 'unsuback', messageId: 8, granted: [0] }), protocolVersion)).toEqual({
      kind: 'unsuback',
      packetId: 8,
    });
    expect(readAnswer(encode({ cmd: 'pingresp' }), protocolVersion)).toBeUndefined();
  });

  // C2: Mosquitto's answer to a message above message_size_limit, which the table of mqtt-packet lacks.
  it('may have any reason code', () => {
    for (let code = 0; code < 256; code += 1) {
      expect(readAnswer(bytes(0x40, 3, 0, 9, code), 5)).toEqual({ kind: 'puback', packetId: 9, code });
      expect(readAnswer(bytes(0x40, 4, 0, 9, code, 0), 5)).toEqual({ kind: 'puback', packetId: 9, code });
      expect(readAnswer(bytes(0x90, 4, 0, 9, 0, code), 5)).toEqual({ kind: 'suback', packetId: 9, codes: [code] });
      expect(readAnswer(bytes(0xe0, 1, code), 5)).toEqual({ kind: 'disconnect', code });
    }
    expect(readAnswer(bytes(0xe0, 0), 5)).toEqual({ kind: 'disconnect', code: 0 });
  });

  it('that end too early are malformed', () => {
    for (const frame of [bytes(0x40, 1, 9), bytes(0x40, 0), bytes(0x90, 2, 0, 9), bytes(0x90, 3, 0, 9, 0)])
      expect(() => readAnswer(frame, 5)).toThrow(MalformedPacketError);
  });
});
