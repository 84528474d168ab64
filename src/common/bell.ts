import type { Clock } from './clock.ts';

/** Wakes the one loop that waits for it. A ring that nobody waits for is remembered, and several of them are one. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it rings, or after `limitMs`; rejects with the signal's reason. One waiter; leaves no listener behind. */
  async wait(clock: Pick<Clock, 'sleep'>, limitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#rung && limitMs > 0) {
      const over = new AbortController();
      const wake = (): void => over.abort();
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
      try {
        await clock.sleep(limitMs, over.signal);
      } catch (error) {
        if (!over.signal.aborted) throw error;
      } finally {
        this.#wake = undefined;
        signal.removeEventListener('abort', wake);
      }
      signal.throwIfAborted();
    }
    this.#rung = false;
  }
}
