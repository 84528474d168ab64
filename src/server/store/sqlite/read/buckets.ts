import type { Database } from 'better-sqlite3';
import type { Bucket, ReadingScope, Spread } from '../../store.ts';
import type { Scopes, Stretch } from './scopes.ts';

type SumRow = readonly [
  count: number | null,
  temperatureSum: number,
  temperatureMin: number,
  temperatureMax: number,
  humiditySum: number,
  humidityMin: number,
  humidityMax: number,
];

interface Sum {
  readonly fromMs: number;
  readonly toMs: number;
  count: number;
  readonly temperature: Values;
  readonly humidity: Values;
}

/** Where the next step goes on: at this bucket of this stretch. The buckets of one step begin at `firstBucket`. */
export interface BucketPlace {
  /** As they were at the first step: a device that is added or moved meanwhile changes nothing. */
  readonly stretches: readonly Stretch[];
  readonly firstBucket: number;
  readonly stretch: number;
  readonly bucket: number;
}

/** What one step has added up, to be added to what the steps before it have. */
export interface BucketStep {
  readonly firstBucket: number;
  readonly sums: readonly Sum[];
  /** Undefined: it was the last one. */
  readonly next: BucketPlace | undefined;
}

interface Values {
  sum: number;
  min: number;
  max: number;
}

const HOUR_MS = 3_600_000;
/** What a statement costs that finds nothing, in rows. */
const STATEMENT_ROWS = 10;
/**
 * A step ends at the first bucket after so many rows: some tens of milliseconds on a PC. Other questions get their turn between two
 * steps, however much one question asks for. What a step hands over stays small, too.
 */
export const STEP = { rows: 100_000, buckets: 1_000 };
/** Up to so many hours a bucket, walking along the hours is faster than one aggregate for each bucket (measured). */
const HOURS_TO_WALK = 4;

const OF_READINGS = `
  SELECT count(*), sum(temperature), min(temperature), max(temperature), sum(humidity), min(humidity), max(humidity)
  FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?`;
const OF_HOURS = `
  SELECT sum(count), sum(temperature_sum), min(temperature_min), max(temperature_max),
    sum(humidity_sum), min(humidity_min), max(humidity_max), count(*)
  FROM rollups_hourly WHERE device_id = ? AND hour_ms >= ? AND hour_ms < ?`;
const EACH_HOUR = `
  SELECT count, temperature_sum, temperature_min, temperature_max, humidity_sum, humidity_min, humidity_max, hour_ms
  FROM rollups_hourly WHERE device_id = ? AND hour_ms >= ? AND hour_ms < ? ORDER BY hour_ms`;

/**
 * Whole hours UTC of a bucket come from the roll-ups, what is left at both its ends from the readings: a year costs as little as a
 * day. One aggregate a range, because a GROUP BY sorts every row (measured: half the speed).
 */
export function createBucketSteps(db: Database, scopes: Scopes, atMost = STEP) {
  type Range = [deviceId: number, fromMs: number, toMs: number];
  const ofReadings = db.prepare<Range, SumRow>(OF_READINGS).raw();
  const ofHours = db.prepare<Range, readonly [...SumRow, hours: number]>(OF_HOURS).raw();
  const eachHour = db.prepare<Range, readonly [...SumRow, hourMs: number]>(EACH_HOUR).raw();

  const addReadings = (sum: Sum, deviceId: number, fromMs: number, toMs: number): number => {
    if (fromMs >= toMs) return 0;
    const row = ofReadings.get(deviceId, fromMs, toMs);
    add(sum, row);
    return STATEMENT_ROWS + (row?.[0] ?? 0);
  };
  /** Without the whole hours, where those are walked along. @returns how many rows it read */
  const addRange = (sum: Sum, [deviceId, fromMs, toMs]: Range, withWholeHours: boolean): number => {
    const [firstMs, lastMs] = wholeHours(fromMs, toMs);
    if (firstMs >= lastMs) return addReadings(sum, deviceId, fromMs, toMs);
    const ends = addReadings(sum, deviceId, fromMs, firstMs) + addReadings(sum, deviceId, lastMs, toMs);
    if (!withWholeHours) return ends;
    const row = ofHours.get(deviceId, firstMs, lastMs);
    add(sum, row);
    return ends + STATEMENT_ROWS + (row?.[7] ?? 0);
  };
  const walkHours = (sums: readonly Sum[], [deviceId, fromMs, toMs]: Range): number => {
    let [index, rows] = [0, STATEMENT_ROWS];
    for (const row of eachHour.iterate(deviceId, ...wholeHours(fromMs, toMs))) {
      rows += 1;
      const hourMs = row[7];
      while ((sums[index]?.toMs ?? Number.POSITIVE_INFINITY) <= hourMs) index += 1;
      const sum = sums[index];
      // An hour that an edge divides was counted by its readings.
      if (sum !== undefined && hourMs + HOUR_MS <= sum.toMs) add(sum, row);
    }
    return rows;
  };
  /** From one bucket on, until so many rows were read. @returns the bucket behind the last one, and the rows */
  const addStretch = (sums: readonly Sum[], stretch: Stretch, first: number, maxRows: number): [number, number] => {
    const clipped = (from: Sum | undefined, to: Sum | undefined): Range => [
      stretch.deviceId,
      Math.max(from?.fromMs ?? 0, stretch.fromMs),
      Math.min(to?.toMs ?? 0, stretch.toMs),
    ];
    const [, fromMs, toMs] = clipped(sums[0], sums.at(-1));
    const isDense = toMs - fromMs <= HOURS_TO_WALK * HOUR_MS * sums.length;
    let [index, rows] = [first, 0];
    for (; index < sums.length && rows < maxRows; index += 1) {
      const sum = sums[index];
      const range = clipped(sum, sum);
      if (sum !== undefined && range[1] < range[2]) rows += addRange(sum, range, !isDense);
    }
    if (isDense) rows += walkHours(sums.slice(first, index), clipped(sums[first], sums[index - 1]));
    return [index, rows];
  };

  return (scope: ReadingScope, edgesMs: readonly number[], place?: BucketPlace): BucketStep => {
    const { firstBucket = 0, stretches = scopes.stretches(scope, edgesMs[0] ?? 0, edgesMs.at(-1) ?? 0) } = place ?? {};
    let { stretch, bucket } = place ?? { stretch: 0, bucket: 0 };
    const behind = firstBucket + atMost.buckets;
    const sums = edgesMs.slice(firstBucket + 1, behind + 1).map((toMs, index) => {
      return emptySum(edgesMs[firstBucket + index] ?? toMs, toMs);
    });
    for (let rows = 0; rows < atMost.rows && stretch < stretches.length; ) {
      const current = stretches[stretch];
      if (current === undefined) break;
      const [end, read] = addStretch(sums, current, bucket, atMost.rows - rows);
      rows += read;
      [stretch, bucket] = end < sums.length ? [stretch, end] : [stretch + 1, 0];
    }
    const isDone = stretch >= stretches.length;
    if (isDone && behind >= edgesMs.length - 1) return { firstBucket, sums, next: undefined };
    const next = isDone ? { firstBucket: behind, stretch: 0, bucket: 0 } : { firstBucket, stretch, bucket };
    return { firstBucket, sums, next: { stretches, ...next } };
  };
}

/**
 * Asks step by step for the buckets of a question. A commit between two steps may show in the later one only; each reading is
 * counted once in any case.
 */
export async function bucketsInSteps(
  step: (place: BucketPlace | undefined) => BucketStep | Promise<BucketStep>,
  edgesMs: readonly number[],
): Promise<readonly Bucket[]> {
  const sums = edgesMs.slice(1).map((toMs, index) => emptySum(edgesMs[index] ?? toMs, toMs));
  let place: BucketPlace | undefined;
  do {
    const { firstBucket, sums: found, next } = await step(place);
    for (const [index, part] of found.entries()) {
      const sum = sums[firstBucket + index];
      if (sum !== undefined) addSum(sum, part);
    }
    place = next;
  } while (place !== undefined);
  return sums.map(({ fromMs, toMs, count, temperature, humidity }) => {
    return { fromMs, toMs, count, temperature: spread(temperature, count), humidity: spread(humidity, count) };
  });
}

/** The first and the end of the whole hours UTC within a range; none where they are not in order. */
function wholeHours(fromMs: number, toMs: number): [firstMs: number, endMs: number] {
  return [Math.ceil(fromMs / HOUR_MS) * HOUR_MS, Math.floor(toMs / HOUR_MS) * HOUR_MS];
}

function emptySum(fromMs: number, toMs: number): Sum {
  return { fromMs, toMs, count: 0, temperature: nothing(), humidity: nothing() };
}

function addSum(sum: Sum, { count, temperature, humidity }: Sum): void {
  if (count === 0) return;
  sum.count += count;
  addValues(sum.temperature, temperature.sum, temperature.min, temperature.max);
  addValues(sum.humidity, humidity.sum, humidity.min, humidity.max);
}

function nothing(): Values {
  return { sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
}

function add(sum: Sum, row: readonly [...SumRow, ...unknown[]] | undefined): void {
  const count = row?.[0] ?? 0;
  if (row === undefined || count === 0) return;
  sum.count += count;
  addValues(sum.temperature, row[1], row[2], row[3]);
  addValues(sum.humidity, row[4], row[5], row[6]);
}

function addValues(values: Values, sum: number, min: number, max: number): void {
  values.sum += sum;
  values.min = Math.min(values.min, min);
  values.max = Math.max(values.max, max);
}

/** An average never lies outside of what it is the average of, whatever the last digit of the sum says. */
function spread({ sum, min, max }: Values, count: number): Spread | null {
  return count === 0 ? null : { min, avg: Math.min(max, Math.max(min, sum / count)), max };
}
