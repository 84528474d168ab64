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
