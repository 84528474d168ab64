import { describe, expect, it } from 'vitest';
import { type DecodeContext, decodeMessage } from '../../../../src/server/ingest/decode-message.ts';
import { type IngestMessage, PAYLOAD_KEPT_BYTES } from '../../../../src/server/store/ingest-store.ts';
import { hostileMessages } from '../../../support/hostile-messages.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const TOPIC = 'home/home-001/sensors/aht20-0a1b2c';

function decode(
  payload: string | Buffer,
  changes: Partial<DecodeContext> = {},
  topic = `${TOPIC}/reading`,
): IngestMessage | undefined {
  const bytes = Buffer.from(payload);
  const context = { nowMs: NOW_MS, judgedByMs: NOW_MS, maxPayloadBytes: 262_144, ...changes };
  return decodeMessage({ topic, payload: bytes, payloadBytes: bytes.length, isRetained: false }, context);
}

function fateOf(message: IngestMessage | undefined): string {
  if (message === undefined) return 'quiet';
  if (message.kind === 'rejected') return message.reason;
  if (message.kind === 'status') return 'status';
  return message.bad[0]?.reason ?? 'items';
}

describe('what a message says', () => {
  it.each(hostileMessages().map((message) => [message.name, message] as const))(
    'of the corpus: %s',
    (_, { topic, payload, fate }) => {
      expect(fateOf(decode(payload, {}, topic))).toBe(fate);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  it('S1: 0 °C and 0 % are values', () => {
    expect(decode('{"temperature_c":0,"humidity_pct":0,"ts":1757537685793}')).toMatchObject({
      kind: 'items',
      items: [{ temperatureCelsius: 0, humidityPercent: 0 }],
      bad: [],
    });
  });

  it('is taken item by item: the good ones are stored, the bad ones rejected under their numbers', () => {
    const good = { temperature_c: 21, humidity_pct: 50, ts: 1_757_537_685_793, epoch: 'k3v9x2', seq: 1 };
    const message = decode(
      JSON.stringify([
        good,
        { ...good, seq: 2, humidity_pct: 120 },
        { ...good, seq: 3, ts: 1 },
        { ...good, epoch: '!' },
      ]),
      {},
      `${TOPIC}/backlog`,
    );
    expect(message).toMatchObject({
      kind: 'items',
      items: [{ seq: 1 }],
      bad: [
        {
          reason: 'bad-shape',
          epoch: 'k3v9x2',
          seq: 2,
          detail: 'humidity_pct must be a number from 0 to 100, found 120',
        },
        { reason: 'bad-time', epoch: 'k3v9x2', seq: 3 },
        { reason: 'bad-shape' },
      ],
    });
    expect(message?.kind === 'items' && 'seq' in (message.bad[2] ?? {})).toBe(false);
  });

  it('about the future is believed as far as our own clock is', () => {
    const inTwoDays = JSON.stringify({ temperature_c: 21, humidity_pct: 50, ts: NOW_MS + 2 * 86_400_000 });
    expect(fateOf(decode(inTwoDays))).toBe('bad-time');
    expect(fateOf(decode(inTwoDays, { judgedByMs: Number.POSITIVE_INFINITY }))).toBe('items');
    const inAnHour = JSON.stringify({ temperature_c: 21, humidity_pct: 50, ts: NOW_MS + 3_600_000 });
    expect(fateOf(decode(inAnHour))).toBe('items');
  });

  it('is kept to its first bytes when it is rejected', () => {
    expect(decode('x'.repeat(100_000))).toMatchObject({
      kind: 'rejected',
      payload: 'x'.repeat(PAYLOAD_KEPT_BYTES),
      payloadBytes: 100_000,
    });
  });

  it('is too large when its end was not kept', () => {
    const raw = { topic: `${TOPIC}/reading`, payload: Buffer.alloc(0), payloadBytes: 50, isRetained: false };
    const message = decodeMessage(raw, { nowMs: NOW_MS, judgedByMs: NOW_MS, maxPayloadBytes: 1_000 });
    expect(fateOf(message)).toBe('too-large');
  });
});
