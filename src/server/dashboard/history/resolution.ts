import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/zone.ts';
import type { TimeRange } from './range.ts';

/** The widths that are asked for, finest first. From an hour on the server has them ready. */
export const BUCKET_MS = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': HOUR_MS,
  '3h': 3 * HOUR_MS,
  '6h': 6 * HOUR_MS,
  '12h': 12 * HOUR_MS,
  '1d': DAY_MS,
  '1w': 7 * DAY_MS,
} as const;

/** `raw`: the readings themselves. All rooms of a chart get the same, so that they lie on one grid. */
export type Resolution = 'raw' | keyof typeof BUCKET_MS;

const WIDTHS = Object.entries(BUCKET_MS) as [keyof typeof BUCKET_MS, number][];

/** More buckets than this on a pixel could not be told apart. */
const BUCKETS_PER_PX = 2;
/** All rooms together: an answer of about a megabyte, and a redraw that nobody notices. */
const MOST_BUCKETS = 8000;
const LEAST_BUCKETS = 200;

/** What a chart is about to show. */
export interface ChartDemand {
  readonly range: TimeRange;
  readonly widthPx: number;
  readonly sources: number;
  /** The shortest interval of the devices shown. */
  readonly intervalMs: number;
}

/** The finest resolution that the screen can show and the answer can carry. */
export function resolutionFor({ range, widthPx, sources, intervalMs }: ChartDemand): Resolution {
  const fair = Math.floor(MOST_BUCKETS / Math.max(1, sources));
  const limit = Math.max(LEAST_BUCKETS, Math.min(fair, BUCKETS_PER_PX * widthPx));
  const rangeMs = range.toMs - range.fromMs;
  if (rangeMs / intervalMs <= limit) {
    return 'raw';
  }
  const fitting = WIDTHS.find(([, ms]) => ms > intervalMs && rangeMs / ms <= limit);
  return fitting?.[0] ?? '1w';
}
