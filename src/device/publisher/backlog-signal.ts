import type { Clock } from '../../platform/clock.ts';
import { WakeUp } from '../../platform/tasks.ts';

/** Wakes the backlog sender, and tells it when to begin again at the oldest entry. */
export class BacklogSignal {
  readonly #wakeUp = new WakeUp();
  #rescans = 0;

  /** How often `rescan` was called: a change means that the backlog begins again. */
  get rescans(): number {
    return this.#rescans;
  }

  /** The backlog begins again at the oldest entry that is not in flight. */
  rescan(): void {
    this.#rescans += 1;
    this.#wakeUp.notify();
  }

  /** There may be something to send, or room to send it. */
  notify(): void {
    this.#wakeUp.notify();
  }

  /** Resolves at the next `notify` or `rescan`, or after that time. Rejects with the signal's reason. */
  async wait(clock: Pick<Clock, 'sleep'>, ms: number, signal: AbortSignal): Promise<void> {
    await this.#wakeUp.wait(clock, ms, signal);
  }
}
