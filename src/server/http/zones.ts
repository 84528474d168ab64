import { isTimeZone } from '../../common/time-zone.ts';
import { invalidField } from './api-error.ts';
import type { TimeRange } from './time-range.ts';
import { isoTime } from './times.ts';

/** Edges of a calendar cost a look per day of the range, which a range of 8,000 years would make a long wait for everybody. */
const LONGEST_RANGE_MS = 100 * 366 * 86_400_000;

/** `+05:30`: newer versions of Node.js take it for a zone, older ones do not, and it knows no daylight-saving time. */
const OFFSET = /^\s*[+-]?\d/;

/** The zone asked for, else the house's. @throws ApiError VALIDATION when there is no such zone */
export function checkedTimeZone(asked: string | undefined, houseZone: string): string {
  if (asked === undefined || isTimeZone(asked)) return asked ?? houseZone;
  throw invalidField(
    'tz',
    `must be the IANA name of a time zone such as Europe/Brussels${OFFSET.test(asked) ? ', and not an offset' : ''}, found ${JSON.stringify(asked)}`,
  );
}

/** @throws ApiError VALIDATION when the range is too long to be cut into buckets or days */
export function checkedCalendarRange(range: TimeRange): TimeRange {
  if (range.toMs - range.fromMs <= LONGEST_RANGE_MS) return range;
  throw invalidField(
    'from',
    `must be at most 100 years before "to", found ${isoTime(range.fromMs)} to ${isoTime(range.toMs)}`,
  );
}

/** Edges of whole buckets, cut to a range, so that a bucket holds nothing from outside of it. */
export function edgesWithin(edgesMs: readonly number[], { fromMs, toMs }: TimeRange): readonly number[] {
  return [...new Set(edgesMs.map((edge) => Math.min(toMs, Math.max(fromMs, edge))))];
}
