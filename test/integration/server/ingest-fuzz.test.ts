import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { decodeMessage } from '../../../src/server/ingest/decode-message.ts';
import { FrameReader } from '../../../src/server/mqtt/frames.ts';
import type { CommitCounts, IngestMessage } from '../../../src/server/store/ingest-store.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../src/server/store/store.ts';
import { hostileMessages } from '../../support/hostile-messages.ts';
import { recordingLog } from '../../support/recording.ts';

/** Messages in each property; times FUZZ for a long run. */
const RUNS = 150 * Number(process.env['FUZZ'] ?? 1);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_251_121);
const MAX_PAYLOAD = 4_000;

interface Sent {
  readonly topic: string;
  readonly payload: Uint8Array;
}

const folder = mkdtempSync(join(tmpdir(), 'techtemp-fuzz-'));
const figures = {
  messages: 0,
  stored: 0,
  duplicates: 0,
  corrected: 0,
  gaps: 0,
  statuses: 0,
  rejected: 0,
  quarantined: 0,
  quiet: 0,
};
let store: Store;

beforeAll(async () => {
  store = await openSqliteStore({
    path: join(folder, 'fuzz.db'),
    engine: 'in-process',
    clock: createSystemClock(),
    log: recordingLog(),
  });
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`fuzzed (seed ${SEED}): ${JSON.stringify(figures)}\n`);
});

/** Bytes as a broker sends them, through the reader of frames, the decoder and the real store; then the counts must add up. */
async function sendAll(messages: readonly Sent[], chunk: number): Promise<CommitCounts | undefined> {
  const decoded: (IngestMessage | undefined)[] = [];
  const reader = new FrameReader(
    5,
    {
      onMessage: (message) =>
        decoded.push(
          decodeMessage(message, { nowMs: Date.now(), judgedByMs: Date.now(), maxPayloadBytes: MAX_PAYLOAD }),
        ),
      onPacket: () => undefined,
    },
    () => MAX_PAYLOAD,
  );
  const bytes = Buffer.concat(
    messages.map(({ topic, payload }, index) =>
      mqttPacket.generate(
        {
          cmd: 'publish',
          topic,
          payload: Buffer.from(payload),
          qos: 1,
          messageId: index + 1,
          dup: false,
          retain: false,
        },
        { protocolVersion: 5 },
      ),
    ),
  );
  for (let at = 0; at < bytes.length; at += chunk) reader.push(bytes.subarray(at, at + chunk));
  expect(decoded).toHaveLength(messages.length);
  const present = decoded.filter((message) => message !== undefined);
  figures.messages += messages.length;
  figures.quiet += messages.length - present.length;
  if (present.length === 0) return undefined;
  const { counts } = await store.commit({ messages: present, registration: 'auto', maxRejected: 1_000 });
  const expected = present.reduce((sum, message) => sum + fatesOf(message), 0);
  expect(count(counts)).toBe(expected);
  return counts;
}

/** How many things a message brings of which something must become. */
function fatesOf(message: IngestMessage): number {
  return message.kind === 'items' ? message.items.length + message.bad.length : 1;
}

function count(counts: CommitCounts): number {
  const rejected = Object.values(counts.rejected).reduce((sum, one) => sum + one, 0);
  for (const key of ['stored', 'duplicates', 'corrected', 'gaps', 'statuses'] as const) figures[key] += counts[key];
  figures.rejected += rejected;
  const quarantined = counts.quarantined ?? 0;
  figures.quarantined += quarantined;
  return counts.stored + counts.duplicates + counts.corrected + counts.gaps + counts.statuses + rejected + quarantined;
}

const hostileText = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '',
    "'; DROP TABLE reading; --",
    '<script>',
    '../..',
    '\u0000',
    '%n%s',
    '💥',
  ),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const id = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('aht20-0a1b2c', 'aht20-000001', 'home-001', '__proto__', 'constructor') },
  { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
);
const leaf = fc.constantFrom('reading', 'reading', 'backlog', 'backlog', 'gap', 'status', 'latest');
const topic = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(id, id, leaf).map(([home, uid, end]) => `home/${home}/sensors/${uid}/${end}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }) },
);
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  hostileText,
  fc.double(),
  fc.constantFrom(0, -0, 1e308, -1, 2 ** 53, 1.5),
);

const reading = fc.record({
  temperature_c: fc.double({ min: -40, max: 85, noNaN: true }),
  humidity_pct: fc.double({ min: 0, max: 100, noNaN: true }),
  ts: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  epoch: fc.constantFrom('k3v9x2', 'other', '__proto__'),
  seq: fc.integer({ min: 1, max: 500 }),
});
const gap = fc.record({
  gap: fc.record({
    epoch: fc.constantFrom('k3v9x2', 'other'),
    from: fc.integer({ min: 1, max: 500 }),
    reason: fc.constantFrom('thinned', 'dropped', 'damaged', 'lost-in-memory'),
  }),
  ts: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  epoch: fc.constantFrom('k3v9x2', 'other'),
  seq: fc.integer({ min: 1, max: 500 }),
});
/** A valid one with a field changed, left out or added. */
const mutated = fc
  .tuple(
    fc.oneof(reading, gap),
    fc.constantFrom('temperature_c', 'humidity_pct', 'ts', 'epoch', 'seq', 'gap', 'clock', '__proto__', 'toJSON'),
    fc.option(oddValue),
  )
  .map(([item, key, value]) => {
    const entries = Object.entries(item).filter(([name]) => name !== key);
    return `{${[...entries, ...(value === null ? [] : [[key, value] as const])].map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)}`).join(',')}}`;
  });
const text = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> =>
  arbitrary.map((value) => Buffer.from(value));
const ITEM = fc.oneof(
  reading.map((value) => JSON.stringify(value)),
  gap.map((value) => JSON.stringify(value)),
  mutated,
);
const payload = fc.oneof(
  { weight: 3, arbitrary: text(ITEM) },
  { weight: 3, arbitrary: text(fc.array(ITEM, { maxLength: 12 }).map((items) => `[${items.join(',')}]`)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 2, arbitrary: text(fc.json({ maxDepth: 6 })) },
  {
    weight: 1,
    arbitrary: text(
      fc
        .record({
          state: fc.constantFrom('online', 'offline', 'x'),
          room: oddValue,
          label: hostileText,
          sensor: oddValue,
          journal: oddValue,
          ts: oddValue,
        })
        .map((value) => JSON.stringify(value)),
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 9_000 }).map((size) => Buffer.alloc(size, '[')) },
);
const sent: fc.Arbitrary<Sent> = fc.record({ topic, payload });

describe('whatever comes', () => {
  it('becomes stored, a duplicate or rejected, each exactly one of them, and the store lives on', {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sent, { minLength: 10, maxLength: 60 }),
        fc.integer({ min: 1, max: 5_000 }),
        async (messages, chunk) => {
          await sendAll(messages, chunk);
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
    expect((await store.health(5_000)).isOk).toBe(true);
  });

  it('of the corpus: each message alone, then all together, twice', async () => {
    const all = hostileMessages().filter(({ payload: bytes }) => bytes.length < MAX_PAYLOAD);
    for (const message of all) {
      const counts = await sendAll([message], 1_000);
      if (message.fate === 'quiet') expect(counts, message.name).toBeUndefined();
      else if (!['items', 'status'].includes(message.fate)) {
        // With a number, what cannot be a reading today waits in quarantine.
        const fates = Object.keys(counts?.rejected ?? {});
        if ((counts?.quarantined ?? 0) > 0) fates.push('bad-shape', 'bad-time');
        expect(fates, message.name).toContain(message.fate);
      }
    }
    await sendAll(all, 65_536);
    const again = await sendAll(all, 7);
    expect(again?.stored).toBe(0);
  });

  it('leaves nothing behind that a reader of the record could not read', async () => {
    for (const device of await store.devices()) {
      await store.numbers(device.uid);
      await store.gaps({ deviceUid: device.uid, limit: 10 });
    }
    expect((await store.rejected({ limit: 100 })).rejected.length).toBeGreaterThan(0);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
