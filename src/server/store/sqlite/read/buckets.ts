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

interface Values {
  sum: number;
  min: number;
  max: number;
}

const HOUR_MS = 3_600_000;
/** Up to so many hours a bucket, walking along the hours is faster than one aggregate for each bucket (measured). */
const HOURS_TO_WALK = 4;

const OF_READINGS = `
  SELECT count(*), sum(temperature), min(temperature), max(temperature), sum(humidity), min(humidity), max(humidity)
  FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?`;
const OF_HOURS = `
  SELECT sum(count), sum(temperature_sum), min(temperature_min), max(temperature_max),
    sum(humidity_sum), min(humidity_min), max(humidity_max)
  FROM rollups_hourly WHERE device_id = ? AND hour_ms >= ? AND hour_ms < ?`;
const EACH_HOUR = `
  SELECT count, temperature_sum, temperature_min, temperature_max, humidity_sum, humidity_min, humidity_max, hour_ms
  FROM rollups_hourly WHERE device_id = ? AND hour_ms >= ? AND hour_ms < ? ORDER BY hour_ms`;

/**
 * Whole hours UTC of a bucket come from the roll-ups, what is left at both its ends from the readings: a year costs as little as a
 * day. One aggregate a range, because a GROUP BY sorts every row (measured: half the speed).
 */
export function createBuckets(db: Database, scopes: Scopes) {
  type Range = [deviceId: number, fromMs: number, toMs: number];
  const ofReadings = db.prepare<Range, SumRow>(OF_READINGS).raw();
  const ofHours = db.prepare<Range, SumRow>(OF_HOURS).raw();
  const eachHour = db.prepare<Range, readonly [...SumRow, hourMs: number]>(EACH_HOUR).raw();

  /** Of a range without its whole hours, which are given to `whole`. */
  const addEnds = (sum: Sum, range: Range, whole: (sum: Sum, range: Range) => void): void => {
    const [deviceId, fromMs, toMs] = range;
    const [firstMs, lastMs] = wholeHours(fromMs, toMs);
    if (firstMs >= lastMs) {
      add(sum, ofReadings.get(...range));
      return;
    }
    if (fromMs < firstMs) add(sum, ofReadings.get(deviceId, fromMs, firstMs));
    whole(sum, [deviceId, firstMs, lastMs]);
    if (lastMs < toMs) add(sum, ofReadings.get(deviceId, lastMs, toMs));
  };
  const addHours = (sum: Sum, range: Range): void => add(sum, ofHours.get(...range));
  const walkHours = (sums: readonly Sum[], { deviceId, fromMs, toMs }: Stretch): void => {
    let index = 0;
    for (const row of eachHour.iterate(deviceId, ...wholeHours(fromMs, toMs))) {
      const hourMs = row[7];
      while ((sums[index]?.toMs ?? Number.POSITIVE_INFINITY) <= hourMs) index += 1;
      const sum = sums[index];
      // An hour that an edge divides was counted by its readings.
      if (sum !== undefined && hourMs + HOUR_MS <= sum.toMs) add(sum, row);
    }
  };
  const addStretch = (sums: readonly Sum[], stretch: Stretch): void => {
    const isDense = stretch.toMs - stretch.fromMs <= HOURS_TO_WALK * HOUR_MS * sums.length;
    for (const sum of sums) {
      const [fromMs, toMs] = [Math.max(sum.fromMs, stretch.fromMs), Math.min(sum.toMs, stretch.toMs)];
      if (fromMs < toMs) addEnds(sum, [stretch.deviceId, fromMs, toMs], isDense ? () => undefined : addHours);
    }
    if (isDense) walkHours(sums, stretch);
  };

  return (scope: ReadingScope, edgesMs: readonly number[]): readonly Bucket[] => {
    const sums = edgesMs.slice(1).map((toMs, index): Sum => {
      return { fromMs: edgesMs[index] ?? toMs, toMs, count: 0, temperature: nothing(), humidity: nothing() };
    });
    const stretches = scopes.stretches(scope, edgesMs[0] ?? 0, edgesMs.at(-1) ?? 0);
    for (const stretch of stretches) addStretch(sums, stretch);
    return sums.map(({ fromMs, toMs, count, temperature, humidity }) => {
      return { fromMs, toMs, count, temperature: spread(temperature, count), humidity: spread(humidity, count) };
    });
  };
}

/** The first and the end of the whole hours UTC within a range; none where they are not in order. */
function wholeHours(fromMs: number, toMs: number): [firstMs: number, endMs: number] {
  return [Math.ceil(fromMs / HOUR_MS) * HOUR_MS, Math.floor(toMs / HOUR_MS) * HOUR_MS];
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
