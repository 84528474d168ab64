import type { Clock, Random } from './clock.ts';

export interface BackOff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before attempt number `attempt` (0 is the first retry): anything between `minMs` and a ceiling that
 * doubles each time up to `maxMs`. Full jitter above the minimum, so that a school full of agents whose broker comes back
 * does not knock in step (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backOffMs(attempt: number, { minMs, maxMs }: BackOff, random: Random): number {
  const ceilingMs = Math.max(minMs, Math.min(maxMs, minMs * 2 ** (attempt + 1)));
  return minMs + random() * (ceilingMs - minMs);
}

/** Lets things pass at a rate: `burst` at once, then `perSecond`. On the monotonic clock. */
export class TokenBucket {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #tokens: number;
  #atMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>, burst: number) {
    this.#clock = clock;
    this.#tokens = burst;
    this.#atMs = clock.monotonicMs();
  }

  /** Takes a token. @returns 0, or, having taken none, the ms until there is one. */
  take(perSecond: number, burst: number): number {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * perSecond);
    this.#atMs = nowMs;
    // A rounding error must not cost a wait of nanoseconds.
    if (this.#tokens < 1 - 1e-9) return ((1 - this.#tokens) / perSecond) * 1000;
    this.#tokens -= 1;
    return 0;
  }
}
