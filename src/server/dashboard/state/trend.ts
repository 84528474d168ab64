/** A value at a time. */
export interface Point {
  readonly tsMs: number;
  readonly value: number;
}

export interface Trend {
  readonly direction: 'rising' | 'falling' | 'steady';
  readonly change: number;
  readonly overMs: number;
}

const WINDOW_MS = 3 * 3_600_000;
/** A line through less says nothing. */
const LEAST_SPAN_MS = 3_600_000;

/**
 * How a value changed over the last three hours: by the straight line that fits best, so that one odd reading turns nothing.
 * Null where there is too little to tell.
 *
 * @param steady changes smaller than this are none
 */
export function trendOf(points: readonly Point[], nowMs: number, steady: number): Trend | null {
  const recent = points.filter(({ tsMs }) => tsMs > nowMs - WINDOW_MS && tsMs <= nowMs);
  const first = recent[0];
  const last = recent.at(-1);
  if (first === undefined || last === undefined || last.tsMs - first.tsMs < LEAST_SPAN_MS) {
    return null;
  }
  const overMs = last.tsMs - first.tsMs;
  const change = slopePerMs(recent) * overMs;
  const direction = Math.abs(change) < steady ? 'steady' : change > 0 ? 'rising' : 'falling';
  return { direction, change, overMs };
}

/** Least squares. */
function slopePerMs(points: readonly Point[]): number {
  const meanTs = points.reduce((sum, { tsMs }) => sum + tsMs, 0) / points.length;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  let product = 0;
  let square = 0;
  for (const { tsMs, value } of points) {
    product += (tsMs - meanTs) * (value - meanValue);
    square += (tsMs - meanTs) ** 2;
  }
  return square === 0 ? 0 : product / square;
}
