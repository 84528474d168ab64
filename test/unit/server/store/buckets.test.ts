import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketEdges } from '../../../../src/calendar/buckets.ts';
import { bucketsInSteps, createBucketSteps, STEP } from '../../../../src/server/store/sqlite/read/buckets.ts';
import { createScopes } from '../../../../src/server/store/sqlite/read/scopes.ts';
import type { Bucket, ReadingScope, Spread } from '../../../../src/server/store/store.ts';
import { cases } from '../../../support/cases.ts';
import type { Database } from '../../../support/sqlite.ts';
import { emptyDatabase, StoreRows } from '../../../support/store-rows.ts';

const HOUR_MS = 3_600_000;
/** Half past midnight in India on the day on which Brussels puts its clocks back. */
const START_MS = Date.parse('2026-10-24T19:00:00Z');

interface World {
  readonly readings: readonly { deviceUid: string; tsMs: number; temperature: number; humidity: number }[];
  readonly placements: readonly { deviceUid: string; roomUid: string; fromMs: number; toMs: number | null }[];
}

describe('buckets', () => {
  it('are what every reading, counted by itself, gives: for any readings, moves, edges and steps', async () => {
    await fc.assert(
      fc.asyncProperty(world, scope, edges, steps, async (rows, asked, edgesMs, atMost) => {
        const found = await ask(databaseOf(rows), asked, edgesMs, atMost);
        const wanted = model(rows, asked, edgesMs);
        expect(found.map(({ count }) => count)).toEqual(wanted.map(({ count }) => count));
        found.forEach((bucket, index) => expectSame(bucket, wanted[index]!));
      }),
      { seed: 20261121, numRuns: cases(30, 150) },
    );
  });

  it('use roll-ups for whole hours and readings for the rest', async () => {
    const db = emptyDatabase();
    const store = new StoreRows(db);
    for (const minutes of [0, 30, 60, 90, 120, 150]) store.reading({ deviceUid: 'd1', tsMs: minutes * 60_000 });
    // Marks what comes from where: a bucket that took the roll-up of an hour sees 100.
    db.prepare('UPDATE rollups_hourly SET temperature_max = 100').run();
    const maxima = async (from: number, to: number): Promise<(number | undefined)[]> =>
      (await ask(db, { deviceUid: 'd1' }, [from * 60_000, to * 60_000])).map(({ temperature }) => temperature?.max);
    expect(await maxima(0, 60)).toEqual([100]);
    expect(await maxima(30, 90)).toEqual([20]);
    expect(await maxima(30, 150)).toEqual([100]);
    expect(await maxima(0, 59)).toEqual([20]);
  });

  it('have an average within what they are the average of', async () => {
    const db = emptyDatabase();
    const store = new StoreRows(db);
    for (let index = 0; index < 1000; index += 1) {
      store.reading({ deviceUid: 'd1', tsMs: START_MS + index, temperature: 21.02, humidity: 63.33 });
    }
    const hour = Math.floor(START_MS / HOUR_MS) * HOUR_MS;
    const [bucket] = await ask(db, { deviceUid: 'd1' }, [hour, hour + HOUR_MS]);
    expect(bucket?.temperature).toEqual({ min: 21.02, avg: 21.02, max: 21.02 });
    expect(bucket?.humidity).toEqual({ min: 63.33, avg: 63.33, max: 63.33 });
  });

  it('S1: count 0 °C and 0 % as values', async () => {
    const db = emptyDatabase();
    new StoreRows(db).reading({ deviceUid: 'd1', tsMs: 10, temperature: 0, humidity: 0 });
    const zero = { min: 0, avg: 0, max: 0 };
    expect(await ask(db, 'all', [0, 11, HOUR_MS])).toEqual([
      { fromMs: 0, toMs: 11, count: 1, temperature: zero, humidity: zero },
      { fromMs: 11, toMs: HOUR_MS, count: 0, temperature: null, humidity: null },
    ]);
  });

  it('of no edges, of one, of nobody, are none or empty', async () => {
    const db = emptyDatabase();
    expect(await ask(db, 'all', [])).toEqual([]);
    expect(await ask(db, 'all', [5])).toEqual([]);
    for (const nobody of ['all', { deviceUid: 'x' }, { roomUid: 'x' }] as const) {
      expect(await ask(db, nobody, [0, 5])).toEqual([
        { fromMs: 0, toMs: 5, count: 0, temperature: null, humidity: null },
      ]);
    }
  });

  it('read no more than so many rows in one step, and few buckets, however much is asked for', async () => {
    const db = emptyDatabase();
    const [devices, each, everyMs] = [8, 60_000, 1_000];
    for (let device = 1; device <= devices; device += 1) fill(db, device, each, everyMs);
    const minutes = Array.from({ length: (each * everyMs) / 60_000 + 1 }, (_, index) => index * 60_000);
    const step = createBucketSteps(db, createScopes(db));
    const counts: number[] = [];
    const buckets = await bucketsInSteps((place) => {
      const done = step('all', minutes, place);
      expect(done.sums.length).toBeLessThanOrEqual(STEP.buckets);
      counts.push(done.sums.reduce((sum, { count }) => sum + count, 0));
      return done;
    }, minutes);
    // The bucket in which the limit is reached is read to its end.
    expect(Math.max(...counts)).toBeLessThanOrEqual(STEP.rows + 60);
    expect(counts.length).toBeGreaterThanOrEqual((devices * each) / STEP.rows);
    expect(new Set(buckets.map(({ count }) => count))).toEqual(new Set([60 * devices]));
  });

  it('are of the devices that were there at the first step', async () => {
    const db = emptyDatabase();
    for (const device of [1, 2]) fill(db, device, 100, 60_000);
    const step = createBucketSteps(db, createScopes(db), { rows: 20, buckets: 2 });
    const edgesMs = [0, 1_000_000, 2_000_000, 6_000_000];
    const buckets = await bucketsInSteps((place) => {
      const done = step('all', edgesMs, place);
      // Its name comes first.
      if (place === undefined) new StoreRows(db).reading({ deviceUid: 'a', tsMs: 5 });
      return done;
    }, edgesMs);
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(200);
  });
});

/** Readings of a device without roll-ups, from 1970 on. */
function fill(db: Database, device: number, count: number, everyMs: number): void {
  const id = new StoreRows(db).device(`d${device}`);
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
     INSERT INTO readings SELECT :id, i * :everyMs, 0, 0, 20, 50, 0 FROM n`,
  ).run({ id, count, everyMs });
}

async function ask(
  db: Database,
  asked: ReadingScope,
  edgesMs: readonly number[],
  atMost: typeof STEP = STEP,
): Promise<readonly Bucket[]> {
  const step = createBucketSteps(db, createScopes(db), atMost);
  return await bucketsInSteps((place) => step(asked, edgesMs, place), edgesMs);
}

function databaseOf({ readings, placements }: World): Database {
  const store = new StoreRows(emptyDatabase());
  for (const { deviceUid, roomUid, fromMs, toMs } of placements) store.placement(deviceUid, roomUid, fromMs, toMs);
  for (const reading of readings) store.reading(reading);
  return store.db;
}

function model({ readings, placements }: World, asked: ReadingScope, edgesMs: readonly number[]): Bucket[] {
  const inScope = readings.filter(({ deviceUid, tsMs }) => {
    if (asked === 'all') return true;
    if ('deviceUid' in asked) return asked.deviceUid === deviceUid;
    return placements.some(
      (each) =>
        each.deviceUid === deviceUid &&
        each.roomUid === asked.roomUid &&
        each.fromMs <= tsMs &&
        (each.toMs === null || tsMs < each.toMs),
    );
  });
  return edgesMs.slice(1).map((toMs, index) => {
    const fromMs = edgesMs[index]!;
    const rows = inScope.filter(({ tsMs }) => tsMs >= fromMs && tsMs < toMs);
    return {
      ...{ fromMs, toMs, count: rows.length },
      temperature: spread(rows.map(({ temperature }) => temperature)),
      humidity: spread(rows.map(({ humidity }) => humidity)),
    };
  });
}

function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sum = values.reduce((a, b) => a + b, 0);
  return { min: Math.min(...values), avg: sum / values.length, max: Math.max(...values) };
}

function expectSame(found: Bucket, wanted: Bucket): void {
  for (const kind of ['temperature', 'humidity'] as const) {
    expect(found[kind]?.min).toBe(wanted[kind]?.min);
    expect(found[kind]?.max).toBe(wanted[kind]?.max);
    if (wanted[kind] !== null) expect(found[kind]?.avg).toBeCloseTo(wanted[kind].avg, 9);
  }
}

// Times in steps of a minute around hours, and a millisecond beside them, so that many fall on or next to an edge.
const time = fc
  .tuple(fc.integer({ min: 0, max: 36 * 60 }), fc.constantFrom(-1, 0, 0, 1))
  .map(([minutes, off]) => START_MS + minutes * 60_000 + off);
const hundredths = (min: number, max: number) => fc.integer({ min: min * 100, max: max * 100 }).map((n) => n / 100);
const deviceUid = fc.constantFrom('d1', 'd2');
const moves = fc
  .tuple(
    fc.uniqueArray(time, { maxLength: 4 }),
    fc.array(fc.constantFrom('r1', 'r2', ''), { minLength: 4, maxLength: 4 }),
  )
  .map(([times, rooms]) => {
    const sorted = [...times].sort((a, b) => a - b);
    return sorted.map((fromMs, index) => ({ fromMs, toMs: sorted[index + 1] ?? null, roomUid: rooms[index]! }));
  });
const world: fc.Arbitrary<World> = fc.record({
  readings: fc.uniqueArray(
    fc.record({ deviceUid, tsMs: time, temperature: hundredths(-40, 85), humidity: hundredths(0, 100) }),
    { maxLength: 60, selector: ({ deviceUid: uid, tsMs }) => `${uid} ${tsMs}` },
  ),
  placements: fc
    .tuple(moves, moves)
    .map((all) => all.flatMap((each, index) => each.map((move) => ({ ...move, deviceUid: `d${index + 1}` }))))
    .map((all) => all.filter(({ roomUid }) => roomUid !== '')),
});
const scope: fc.Arbitrary<ReadingScope> = fc.constantFrom<ReadingScope>(
  ...['all' as const, { deviceUid: 'd1' }, { roomUid: 'r1' }, { roomUid: 'r2' }],
);
/** Small enough that most questions take several. */
const steps: fc.Arbitrary<typeof STEP> = fc.record({
  rows: fc.constantFrom(1, 15, 60, 100_000),
  buckets: fc.constantFrom(1, 3, 1_000),
});
/** Any edges, and those of calendars. */
const edges = fc.oneof(
  fc.uniqueArray(time, { minLength: 2, maxLength: 12 }).map((times) => [...times].sort((a, b) => a - b)),
  fc
    .tuple(
      fc.constantFrom('Europe/Brussels', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'),
      fc.constantFrom('5m' as const, '1h' as const, '3h' as const, '1d' as const),
      time,
      time,
    )
    .map(([timeZone, bucket, a, b]) =>
      bucketEdges({ timeZone, bucket, fromMs: Math.min(a, b), toMs: Math.max(a, b) + 1 }),
    ),
);
