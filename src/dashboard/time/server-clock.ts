import type { Platform } from '../platform.ts';

/**
 * The server's time. A phone whose clock is two hours off must not make every room late, so ages are counted by the server's
 * clock, as its answers tell it, and run on by the monotonic clock in between.
 */
export interface ServerClock {
  nowMs(): number;
  /** Takes the `Date` header of an answer that was just received. */
  tell(date: string | null): void;
}

/** The header tells whole seconds: what differs less is its rounding and the way here. */
const TOLERANCE_MS = 1500;
const HALF_A_SECOND_MS = 500;

export function createServerClock({ nowMs, monotonicMs }: Pick<Platform, 'nowMs' | 'monotonicMs'>): ServerClock {
  let anchorMs = nowMs() - monotonicMs();
  return {
    nowMs: () => Math.round(anchorMs + monotonicMs()),
    tell(date) {
      const toldMs = Date.parse(date ?? '') + HALF_A_SECOND_MS;
      if (Math.abs(toldMs - (anchorMs + monotonicMs())) > TOLERANCE_MS) {
        anchorMs = toldMs - monotonicMs();
      }
    },
  };
}
