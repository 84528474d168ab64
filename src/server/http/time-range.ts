import { invalidField } from './api-error.ts';
import { isoTime, parseTime } from './times.ts';

/** From `fromMs` (included) to `toMs` (not). */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface RangeQuery {
  readonly from?: string;
  readonly to?: string;
}

/**
 * The stretch of time that a question names; a missing `to` is now, a missing `from` what `defaultFrom` makes of the end.
 * @throws ApiError VALIDATION when a time cannot be read, or the stretch ends before it begins
 */
export function parseRange(
  query: RangeQuery,
  nowMs: number,
  defaultFrom: (toMs: number) => number = () => 0,
): TimeRange {
  const toMs = query.to === undefined ? nowMs : parseTime('to', query.to);
  const fromMs = query.from === undefined ? defaultFrom(toMs) : parseTime('from', query.from);
  if (fromMs > toMs) {
    const end = query.to === undefined ? `now, ${isoTime(toMs)}, as "to" is absent` : `"to", ${isoTime(toMs)}`;
    throw invalidField('from', `is ${isoTime(fromMs)}, which is after ${end}`);
  }
  return { fromMs, toMs };
}
