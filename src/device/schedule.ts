/** When to sample, on the monotonic clock. Pure: the next time comes from the schedule, not from now, so nothing drifts. */

export interface Due {
  /** Monotonic ms at which the next sample is due; in the past when it is due already. */
  readonly dueMs: number;
  /** Grid times that passed without a sample because the one before took too long. */
  readonly missed: number;
}

/** The grid time after `previousDueMs`. Whole periods that have passed are skipped and counted, never made up in a burst. */
export function nextDue(previousDueMs: number, periodMs: number, nowMs: number): Due {
  const missed = Math.max(0, Math.floor((nowMs - previousDueMs) / periodMs) - 1);
  return { dueMs: previousDueMs + (missed + 1) * periodMs, missed };
}

/**
 * The due time after the period was changed: one new period after the last sample, or now if that has passed.
 * A sample that was due already stays where it was.
 */
export function rescheduled(lastDueMs: number, dueMs: number, newPeriodMs: number, nowMs: number): number {
  if (dueMs <= nowMs) return dueMs;
  return Math.max(nowMs, lastDueMs + newPeriodMs);
}
