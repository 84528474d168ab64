import { WakeUp } from '../../platform/tasks.ts';

/**
 * Wakes the backlog sender, and tells it when to begin again at the oldest entry. `notify`: there may be something to send, or
 * room to send it.
 */
export class BacklogSignal extends WakeUp {
  /** How often `rescan` was called: a change means that the backlog begins again. */
  rescans = 0;

  /** The backlog begins again at the oldest entry that is not in flight. */
  rescan(): void {
    this.rescans += 1;
    this.notify();
  }
}
