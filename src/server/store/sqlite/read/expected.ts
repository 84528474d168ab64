import type { Database } from 'better-sqlite3';
import type { ReadingStore } from '../../reading-store.ts';
import type { Sync } from '../sync.ts';

interface IntervalRow {
  readonly fromMs: number;
  readonly intervalMs: number;
}

const INTERVALS = `
  SELECT i.from_ms AS fromMs, i.interval_ms AS intervalMs
  FROM intervals i JOIN devices d ON d.id = i.device_id
  WHERE d.uid = ? AND i.interval_ms > 0 ORDER BY i.from_ms`;

/** Sums of quotients: 2,879.999999999 are 2,880. */
const ROUNDING = 1e-6;

/**
 * A bucket's share is how often the intervals in force fit into it, rounded down: as many as any schedule must give, so that a
 * device that skipped nothing is never said to have skipped one. What lies behind `nowMs` or before the first known interval
 * adds nothing.
 */
export function createExpected(db: Database): Sync<ReadingStore>['expected'] {
  const intervals = db.prepare<[string], IntervalRow>(INTERVALS);
  return (deviceUid, edgesMs, nowMs) => {
    const known = intervals.all(deviceUid);
    const firstMs = known[0]?.fromMs ?? Number.POSITIVE_INFINITY;
    return edgesMs.slice(1).map((toMs, index) => {
      if (toMs <= firstMs) return null;
      return Math.floor(fitting(known, edgesMs[index] ?? toMs, Math.min(toMs, nowMs)) + ROUNDING);
    });
  };
}

function fitting(known: readonly IntervalRow[], fromMs: number, toMs: number): number {
  return known.reduce((sum, { fromMs: since, intervalMs }, index) => {
    const until = known[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    return sum + Math.max(0, Math.min(until, toMs) - Math.max(since, fromMs)) / intervalMs;
  }, 0);
}
