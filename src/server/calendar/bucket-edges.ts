import { type BucketSize, type BucketUnit, bucketStep, DAY_MS } from './bucket-size.ts';
import { type OffsetSpan, offsetSpans } from './zone-offsets.ts';

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
 * @throws RangeError when the zone or the bucket is none
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
