import { isRefusal } from '../../mqtt/errors.ts';
import { LinkError } from '../mqtt/session.ts';

/** The tasks of one session. They end with it; what fails for another reason is not swallowed. */
export class TaskGroup {
  /** Resolves with the first error that must not be ignored. */
  readonly failed: Promise<unknown>;
  readonly #tasks = new Set<Promise<void>>();
  readonly #signal: AbortSignal;
  #fail!: (error: unknown) => void;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  add(task: Promise<void>): void {
    const watched = task
      .catch((error: unknown) => {
        // The end of the session is told by the session itself; its tasks only notice.
        const ended = this.#signal.aborted || (error instanceof LinkError && !isRefusal(error));
        if (!ended) this.#fail(error);
      })
      .finally(() => this.#tasks.delete(watched));
    this.#tasks.add(watched);
  }

  /** Resolves when all tasks are over, also those that are added meanwhile. */
  async over(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}
