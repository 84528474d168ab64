import { bucketEdges } from './bucket-edges.ts';
import { offsetSpans } from './zone-offsets.ts';

/** A day of a calendar on the wall. */
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

/** For moments that ascend. */
function datesOf(timeZone: string, edges: readonly number[]): (atMs: number) => string {
  const spans = offsetSpans(timeZone, edges[0] ?? 0, edges.at(-1) ?? 0);
  let index = 0;
  return (atMs) => {
    while ((spans[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY) <= atMs) index += 1;
    return new Date(atMs + (spans[index]?.offsetMs ?? 0)).toISOString().slice(0, 10);
  };
}
