import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { FrameReader, MalformedPacketError } from '../../../../src/server/mqtt/frames.ts';

interface Seen {
  readonly topic: string;
  readonly payload: string;
  readonly payloadBytes: number;
  readonly isRetained: boolean;
  readonly packetId: number;
}

function read(version: 4 | 5, chunks: readonly Buffer[], maxPayloadBytes = 1_000_000): (Seen | string)[] {
  const seen: (Seen | string)[] = [];
  const reader = new FrameReader(
    version,
    {
      onMessage: ({ payload, ...rest }) => seen.push({ ...rest, payload: payload.toString('latin1') }),
      onPacket: (frame) => seen.push(frame.toString('hex')),
    },
    () => maxPayloadBytes,
  );
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

function cutUp(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

const message = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 40 }),
  payload: fc.uint8Array({ maxLength: 400 }),
  qos: fc.constantFrom(0 as const, 1 as const),
  id: fc.integer({ min: 1, max: 65_535 }),
  retain: fc.boolean(),
  contentType: fc.option(fc.string({ maxLength: 30 })),
});

describe('the packets of a byte stream', () => {
  it('are the same however the bytes are cut up', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 5 as const),
        fc.array(message, { maxLength: 8 }),
        fc.array(fc.nat(300)),
        (version, messages, sizes) => {
          const bytes = Buffer.concat(
            messages.flatMap(({ topic, payload, qos, id, retain, contentType }) => [
              mqttPacket.generate(
                {
                  cmd: 'publish',
                  topic,
                  payload: Buffer.from(payload),
                  qos,
                  messageId: id,
                  retain,
                  dup: false,
                  ...(version === 5 && contentType !== null && { properties: { contentType } }),
                },
                { protocolVersion: version },
              ),
              Buffer.from([0xd0, 0]),
            ]),
          );
          const expected = messages.flatMap(({ topic, payload, qos, id, retain }) => [
            {
              topic: Buffer.from(topic).toString(),
              payload: Buffer.from(payload).toString('latin1'),
              payloadBytes: payload.length,
              isRetained: retain,
              packetId: qos === 0 ? 0 : id,
            },
            'd000',
          ]);
          expect(read(version, cutUp(bytes, sizes))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is kept to its beginning where a payload is larger than wanted, and what follows is read right', () => {
    const large = mqttPacket.generate({
      cmd: 'publish',
      topic: 'a/b',
      payload: Buffer.alloc(2_000_000, 0x61),
      qos: 1,
      messageId: 9,
      dup: false,
      retain: false,
    });
    const small = mqttPacket.generate({ cmd: 'publish', topic: 'c', payload: 'x', qos: 0, dup: false, retain: false });
    const bytes = Buffer.concat([large, small]);
    for (const size of [1_000, 65_536, 3_000_000]) {
      const seen = read(
        4,
        cutUp(
          bytes,
          Array.from({ length: Math.ceil(bytes.length / size) }, () => size),
        ),
        100,
      );
      expect(seen).toEqual([
        { topic: 'a/b', payload: 'a'.repeat(100), payloadBytes: 2_000_000, isRetained: false, packetId: 9 },
        { topic: 'c', payload: 'x', payloadBytes: 1, isRetained: false, packetId: 0 },
      ]);
    }
  });

  it.each([
    ['a length that never ends', [0x30, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a topic that is longer than its packet', [0x30, 0x03, 0x00, 0x7f, 0x61]],
    ['a packet that ends before its id', [0x32, 0x03, 0x00, 0x01, 0x61]],
    ['QoS 2, which nobody asked for', [0x34, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01]],
    ['another packet of many megabytes', [0x90, 0xff, 0xff, 0xff, 0x7f]],
  ])('%s is no MQTT', (_, bytes) => {
    expect(() => read(4, [Buffer.from(bytes)])).toThrow(MalformedPacketError);
    expect(() =>
      read(
        4,
        bytes.map((byte) => Buffer.from([byte])),
      ),
    ).toThrow(MalformedPacketError);
  });

  it('throws nothing else, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 5 as const),
        fc.array(fc.uint8Array({ maxLength: 60 })),
        (version, chunks) => {
          try {
            read(
              version,
              chunks.map((chunk) => Buffer.from(chunk)),
            );
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacketError);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
