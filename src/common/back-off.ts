import type { Random } from './clock.ts';

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
