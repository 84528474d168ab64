import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Logs a fault that repeats as a state: when it begins, now and then while it lasts, when it is over. */
export interface FaultLog {
  /**
   * It failed (again). The first time of each `kind` (an error's code) is a warning at once; then it is counted, and a warning
   * with the count follows at growing intervals. `loud`: that first line is an error, for what only a person can repair.
   */
  failed(kind: string, fields: object, message: string, loudness?: 'normal' | 'loud'): void;
  /** It works (again): one line at info, if a line had said that it did not. Cheap when nothing was wrong. */
  works(fields: object, message: string): void;
}

interface Kind {
  /** Failures since the last line about this kind. */
  unsaid: number;
  nextLineMs: number;
  intervalMs: number;
}

const FIRST_SUMMARY_MS = 60_000;
const LONGEST_SUMMARY_MS = 3_600_000;
/** A fault that comes back sooner than this is a loose wire, still the same fault; later it is news. */
const NEWS_AGAIN_MS = 900_000;

/** A summary is written when a failure comes, never by a timer. `clock` is asked for monotonic time only. */
export function createFaultLog(
  log: Pick<Log, 'info' | 'warn'> & Partial<Pick<Log, 'error'>>,
  clock: Pick<Clock, 'monotonicMs'>,
): FaultLog {
  const kinds = new Map<string, Kind>();
  let failures = 0;
  let sinceMs = 0;
  let worksSinceMs = Number.NEGATIVE_INFINITY;
  /** Whether the last line said that something is wrong. */
  let complained = false;

  const dueLine = (name: string, nowMs: number): { readonly unsaid: number } | undefined => {
    const kind = kinds.get(name);
    if (kind === undefined) {
      kinds.set(name, { unsaid: 0, nextLineMs: nowMs + FIRST_SUMMARY_MS, intervalMs: FIRST_SUMMARY_MS });
      return { unsaid: 0 };
    }
    if (nowMs < kind.nextLineMs) {
      kind.unsaid += 1;
      return undefined;
    }
    const { unsaid } = kind;
    kind.unsaid = 0;
    kind.intervalMs = Math.min(kind.intervalMs * 2, LONGEST_SUMMARY_MS);
    kind.nextLineMs = nowMs + kind.intervalMs;
    return { unsaid };
  };

  return {
    failed(kind, fields, message, loudness = 'normal') {
      const nowMs = clock.monotonicMs();
      if (failures === 0) {
        sinceMs = nowMs;
        if (nowMs - worksSinceMs > NEWS_AGAIN_MS) kinds.clear();
      }
      failures += 1;
      const line = dueLine(kind, nowMs);
      if (line === undefined) return;
      complained = true;
      if (loudness === 'loud' && line.unsaid === 0 && log.error !== undefined) log.error(fields, message);
      else log.warn(line.unsaid === 0 ? fields : { ...fields, repeated: line.unsaid + 1 }, message);
    },
    works(fields, message) {
      if (failures === 0) return;
      if (complained) log.info({ ...fields, failures, afterSeconds: seconds(clock.monotonicMs() - sinceMs) }, message);
      complained = false;
      failures = 0;
      worksSinceMs = clock.monotonicMs();
    },
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
