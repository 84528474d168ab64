import type { Clock } from './clock.ts';
import type { Progress } from './progress.ts';

/**
 * Says for all lanes of a part that they move. Waiting for a broker or for a reading is no fault, so an idle one
 * beats too; but each piece of work names the longest time it may take, and nothing is said while one has outstayed it.
 */
export class Pulse {
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #maxIdleMs: number;
  /** Pieces of work that are under way, with the monotonic time by which each is over. */
  readonly #under = new Map<object, number>();

  constructor(clock: Clock, progress: Progress, maxIdleMs: number) {
    this.#clock = clock;
    this.#progress = progress;
    this.#maxIdleMs = maxIdleMs;
  }

  /** Does a piece of work that is over within `limitMs` if all is well. The limit is only watched, not enforced. */
  async during<T>(limitMs: number, work: Promise<T>): Promise<T> {
    const piece = {};
    this.#under.set(piece, this.#clock.monotonicMs() + limitMs);
    try {
      return await work;
    } finally {
      this.#under.delete(piece);
      this.beat();
    }
  }

  /** Something was finished. */
  beat(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const dueMs of this.#under.values()) if (nowMs > dueMs) return;
    this.#progress.beat(this.#maxIdleMs);
  }

  /** Runs a loop, and says between its pieces of work that it idles in good order. */
  async accompany(loop: Promise<void>): Promise<void> {
    const over = new AbortController();
    const idling = this.#idle(over.signal);
    try {
      await loop;
    } finally {
      over.abort();
      await idling;
      this.#progress.end();
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.beat();
      await this.#clock.sleep(this.#maxIdleMs, signal).catch(() => undefined);
    }
  }
}
