import { DAY_MS, HOUR_MS, MINUTE_MS, type OffsetSpan, offsetSpans } from './local-time.ts';

const UNITS = ['m', 'h', 'd', 'w'] as const;

/** How long a bucket is on the local clock and calendar: `5m`, `1h`, `1d`, `1w`. */
export type BucketSize = `${number}${BucketUnit}`;
export type BucketUnit = (typeof UNITS)[number];

/** The parts of a size. */
export interface BucketStep {
  readonly ms: number;
  readonly unit: BucketUnit;
}

const WEEK_MS = 7 * DAY_MS;
const UNIT_MS: Readonly<Record<BucketUnit, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: WEEK_MS };
const SIZE = /^([1-9]\d{0,2})([mhdw])$/;
/** The largest that `SIZE` knows: 19 years. */
const MOST_WEEKS = 999;
/** Sizes that people read easily on an axis. */
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
/** At most this many times as many buckets as were asked for. */
const MOST = 1.5;
const YEAR_MS = 365 * DAY_MS;
/** Twice for summer time, twice for Ramadan (Morocco). Each may cut a bucket of minutes or hours in two. */
const CLOCK_CHANGES_A_YEAR = 4;
/** No zone has put its clocks forward by more at once, except where whole days were skipped. A day is at most this much shorter. */
const CLOCK_CHANGE_MS = 4 * HOUR_MS;

/** Minutes and hours have to divide a day, so that every day begins with a bucket. */
export function isBucketSize(text: string): text is BucketSize {
  return parsed(text) !== undefined;
}

/** @throws RangeError when the text is not a size */
export function bucketStep(size: BucketSize): BucketStep {
  const step = parsed(size);
  if (step !== undefined) return step;
  throw new RangeError(
    `a bucket is minutes or hours that divide a day, or days or weeks (5m, 1h, 1d, 1w), not ${size}`,
  );
}

/** At most this many buckets touch a range, in any zone: used to refuse a request that would be too large. */
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

/** Longer than the list above: 8 weeks, 16 weeks, and so on. */
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

export interface BucketRange {
  /** Included. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  readonly bucket: BucketSize;
  readonly timeZone: string;
}

/** 1970-01-05 was the first Monday; weeks begin there, as in ISO 8601. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/**
 * The edges (epoch ms, ascending) of the whole buckets that touch a range: the first at or before `fromMs`, the last at or
 * behind `toMs`. An edge is where local clocks show a multiple of the bucket since midnight, or jump over one; days and weeks
 * begin when their date is first reached. So a day of 23 or 25 hours has 23 or 25 of one hour; where clocks move by half an
 * hour, one of half an hour more or less; a day that a zone skipped has none.
 * @returns no edges for an empty range
 * @throws RangeError when the zone or the bucket size is not valid
 */
export function bucketEdges({ fromMs, toMs, bucket, timeZone }: BucketRange): readonly number[] {
  const { ms: stepMs, unit } = bucketStep(bucket);
  if (!(fromMs < toMs)) return [];
  // A bucket's local length is off by a day at most (Samoa), so this far around the range lie the edges that enclose it.
  const margin = stepMs + 2 * DAY_MS;
  const spans = offsetSpans(timeZone, fromMs - margin, toMs + margin);
  return enclosing(edgesIn(spans, toMs + margin, stepMs, unit), fromMs, toMs);
}

/** All edges within spans; the last span ends at `endMs`. */
function edgesIn(spans: readonly OffsetSpan[], endMs: number, stepMs: number, unit: BucketUnit): readonly number[] {
  const isDate = unit === 'd' || unit === 'w';
  const zeroMs = unit === 'w' ? FIRST_MONDAY_MS : 0;
  const edges: number[] = [];
  // Local time up to which edges have been made.
  let reachedMs = Number.NEGATIVE_INFINITY;
  spans.forEach(({ fromMs, offsetMs }, index) => {
    const untilMs = spans[index + 1]?.fromMs ?? endMs;
    const beginMs = fromMs + offsetMs;
    const aligned = Math.ceil((beginMs - zeroMs) / stepMs) * stepMs + zeroMs;
    // Clocks put forward over an edge: the bucket begins with its first moment that exists.
    if (index > 0 && aligned !== beginMs && aligned - stepMs > reachedMs) edges.push(fromMs);
    // Clocks put back: an hour may come twice, a date does not.
    const firstMs =
      isDate && aligned <= reachedMs ? aligned + stepMs * Math.floor((reachedMs - aligned) / stepMs + 1) : aligned;
    let localMs = firstMs;
    for (; localMs - offsetMs < untilMs; localMs += stepMs) edges.push(localMs - offsetMs);
    reachedMs = Math.max(untilMs + offsetMs - 1, isDate ? reachedMs : Number.NEGATIVE_INFINITY);
  });
  return edges;
}

/** From the last edge at or before `fromMs` to the first one at or behind `toMs`. */
function enclosing(edges: readonly number[], fromMs: number, toMs: number): readonly number[] {
  let first = 0;
  while ((edges[first + 1] ?? Number.POSITIVE_INFINITY) <= fromMs) first += 1;
  let last = first;
  while ((edges[last] ?? Number.POSITIVE_INFINITY) < toMs) last += 1;
  return edges.slice(first, last + 1);
}

/** A day of the local calendar. */
export interface LocalDay {
  /** `2026-11-21` */
  readonly name: string;
  /** Its first moment: midnight, or what clocks show where they jump over it. */
  readonly fromMs: number;
  /** First moment of the next day. */
  readonly toMs: number;
}

/** The days that touch a range, whole. @throws RangeError when the zone is unknown */
export function localDays(fromMs: number, toMs: number, timeZone: string): readonly LocalDay[] {
  const edges = bucketEdges({ fromMs, toMs, bucket: '1d', timeZone });
  const dateAt = datesOf(timeZone, edges);
  return edges.slice(1).map((endMs, index) => {
    const beginMs = edges[index] ?? endMs;
    return { name: dateAt(beginMs), fromMs: beginMs, toMs: endMs };
  });
}

/** The day in which a moment lies. @throws RangeError when the zone is unknown */
export function today(nowMs: number, timeZone: string): LocalDay {
  const [day] = localDays(nowMs, nowMs + 1, timeZone);
  if (day === undefined) throw new RangeError(`${nowMs} is no time`);
  return day;
}

/** The returned function takes moments in ascending order. */
function datesOf(timeZone: string, edges: readonly number[]): (atMs: number) => string {
  const spans = offsetSpans(timeZone, edges[0] ?? 0, edges.at(-1) ?? 0);
  let index = 0;
  return (atMs) => {
    while ((spans[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY) <= atMs) index += 1;
    return new Date(atMs + (spans[index]?.offsetMs ?? 0)).toISOString().slice(0, 10);
  };
}
