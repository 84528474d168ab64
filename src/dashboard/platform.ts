/**
 * Time and random numbers of the browser. All other parts get them as arguments, so that tests can replace them; the linter
 * forbids the globals elsewhere.
 */
export interface Platform {
  /** This machine's wall clock, which may be wrong: see ServerClock. */
  readonly nowMs: () => number;
  /** Never jumps. */
  readonly monotonicMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Resolves after `ms`, or as soon as the signal is aborted. Never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Calls back every `ms` until the signal is aborted. */
  readonly every: (ms: number, signal: AbortSignal, callback: () => void) => void;
}

export const browserPlatform: Platform = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  sleep: async (ms, signal) => {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    });
  },
  every: (ms, signal, callback) => {
    const timer = setInterval(callback, ms);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  },
};

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
