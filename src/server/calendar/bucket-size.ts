const UNITS = ['m', 'h', 'd', 'w'] as const;

/** How long a bucket is on the local clock and calendar: `5m`, `1h`, `1d`, `1w`. */
export type BucketSize = `${number}${BucketUnit}`;
export type BucketUnit = (typeof UNITS)[number];

/** A size taken apart. */
export interface BucketStep {
  readonly ms: number;
  readonly unit: BucketUnit;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const UNIT_MS: Readonly<Record<BucketUnit, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: WEEK_MS };
const SIZE = /^([1-9]\d{0,2})([mhdw])$/;
/** The largest that `SIZE` knows: 19 years. */
const MOST_WEEKS = 999;
/** What people read easily on an axis. */
const LADDER = [
  '1m',
  '2m',
  '5m',
  '10m',
  '15m',
  '30m',
  '1h',
  '2h',
  '3h',
  '6h',
  '12h',
  '1d',
  '2d',
  '1w',
  '2w',
  '4w',
] as const;
/** "About": at most this many times what was asked for. */
const MOST = 1.5;
const YEAR_MS = 365 * DAY_MS;
/** Twice for summer time, twice for Ramadan (Morocco). Each may cut a bucket of minutes or hours in two. */
const CLOCK_CHANGES_A_YEAR = 4;
/** No zone has put its clocks further forward at once, but for whole days left out. A day is shorter by that much. */
const CLOCK_CHANGE_MS = 4 * HOUR_MS;

/** Minutes and hours have to divide a day, so that every day begins with a bucket. */
export function isBucketSize(text: string): text is BucketSize {
  return parsed(text) !== undefined;
}

/** @throws RangeError when it is no size */
export function bucketStep(size: BucketSize): BucketStep {
  const step = parsed(size);
  if (step !== undefined) return step;
  throw new RangeError(
    `a bucket is minutes or hours that divide a day, or days or weeks (5m, 1h, 1d, 1w), not ${size}`,
  );
}

/** At most this many buckets touch a range, in any zone: for refusing what would be too much before it is made. */
export function mostBuckets(fromMs: number, toMs: number, size: BucketSize): number {
  const lengthMs = Math.max(0, toMs - fromMs);
  const { ms, unit } = bucketStep(size);
  if (unit === 'd' || unit === 'w') return Math.ceil((lengthMs + CLOCK_CHANGE_MS) / ms) + 1;
  return Math.ceil(lengthMs / ms) + 2 + Math.ceil((CLOCK_CHANGES_A_YEAR * lengthMs) / YEAR_MS);
}

/**
 * The size that gives about `points` buckets (2 at least): the finest one that gives no more than 1.5 times as many, unless the next
 * one comes nearer.
 */
export function autoBucket(fromMs: number, toMs: number, points: number): BucketSize {
  const wanted = Math.max(2, points);
  const fits = LADDER.filter((size) => mostBuckets(fromMs, toMs, size) <= MOST * wanted);
  const [finest, next] = fits;
  if (finest === undefined) return weeksFor(toMs - fromMs, wanted);
  if (next === undefined) return finest;
  const distance = (size: BucketSize): number => Math.abs(Math.log((toMs - fromMs) / bucketStep(size).ms / wanted));
  return distance(next) < distance(finest) ? next : finest;
}

/** Beyond the ladder: whole weeks in doublings. */
function weeksFor(lengthMs: number, wanted: number): BucketSize {
  let weeks = 8;
  while (weeks < MOST_WEEKS && mostBuckets(0, lengthMs, `${weeks}w`) > MOST * wanted)
    weeks = Math.min(2 * weeks, MOST_WEEKS);
  return `${weeks}w`;
}

function parsed(text: string): BucketStep | undefined {
  const [, count, letter] = SIZE.exec(text) ?? [];
  const unit = UNITS.find((each) => each === letter);
  if (unit === undefined) return undefined;
  const ms = Number(count) * UNIT_MS[unit];
  return unit === 'd' || unit === 'w' || DAY_MS % ms === 0 ? { ms, unit } : undefined;
}
