/** Whether a reading can be of the time that it says. Pure; ingest asks when it comes, the quarantine asks again. */

/** 2000-01-01: there was no such sensor before. */
const EARLIEST_MS = 946_684_800_000;
const FUTURE_MS = 24 * 3_600_000;

/** This server's time now, with what is needed to correct what it noted earlier. */
export interface ServerTime {
  readonly nowMs: number;
  /** The boot of this machine, and its wall clock minus its monotonic clock. */
  readonly bootId: string;
  readonly wallMinusMonotonicMs: number;
  /** A time service or devices say that the wall clock is right. */
  readonly isConfirmed: boolean;
}

/** When something came, as it was noted then. */
export interface NotedArrival {
  readonly receivedMs: number;
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly wasConfirmed: boolean;
}

/** For people; undefined where it can be right. */
export function timeProblem(tsMs: number, arrivedMs: number): string | undefined {
  if (tsMs < EARLIEST_MS) return `ts ${tsMs} is before the year 2000`;
  if (tsMs <= arrivedMs + FUTURE_MS) return undefined;
  return `ts ${tsMs} is ${((tsMs - arrivedMs) / FUTURE_MS).toFixed(1)} days ahead of this server's clock (${arrivedMs})`;
}

/**
 * When it came, by what is known now. Within one boot the monotonic clock says it, whatever the wall clock said then. After
 * another boot the wall clock of then counts where it was confirmed; else all that is known is that it came before now.
 */
export function arrivalAsKnown(
  { receivedMs, bootId, monotonicMs, wasConfirmed }: NotedArrival,
  now: ServerTime,
): number {
  if (bootId !== '' && bootId === now.bootId) return Math.min(monotonicMs + now.wallMinusMonotonicMs, now.nowMs);
  return wasConfirmed ? Math.min(receivedMs, now.nowMs) : now.nowMs;
}
