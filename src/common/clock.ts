/**
 * Time as the programs see it. src/common/system-clock.ts is the only place that asks the machine. The functions may be
 * passed on by themselves, such as `sleep` to a driver.
 */
export interface Clock {
  /** Wall clock, epoch ms UTC. For stamping only; it may jump. */
  readonly nowMs: () => number;
  /** CLOCK_MONOTONIC in ms with fractions: the same for all processes of one boot, never jumps. For every interval. */
  readonly monotonicMs: () => number;
  /** How long this machine was suspended since it was started, in ms, to some 10 ms: CLOCK_MONOTONIC stands still then. */
  readonly suspendedMs: () => number;
  /** Names this boot of the machine; a new one after every start of it. */
  readonly bootId: string;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Leaves no listener behind. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Uniform in [0, 1), as Math.random. */
export type Random = () => number;
