/** `live`: what is new (readings, status, discovery). `backlog`: what has waited in the journal. */
export type Urgency = 'live' | 'backlog';

interface Waiter {
  readonly admit: () => void;
}

/**
 * Places for unacknowledged messages. The last place is kept for what is new, so that a backlog never delays it; with a single
 * place, what is new goes first when it falls free.
 */
export class SendWindow {
  #size: number;
  readonly #held: Record<Urgency, number> = { live: 0, backlog: 0 };
  readonly #waiting: Readonly<Record<Urgency, Set<Waiter>>> = { live: new Set(), backlog: new Set() };

  constructor(size: number) {
    this.#size = size;
  }

  /** A smaller window takes effect as places fall free. */
  resize(size: number): void {
    this.#size = size;
    this.#admit();
  }

  /** Waits for a place; to be called once for each place given. Rejects with the signal's reason. */
  async enter(urgency: Urgency, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting = this.#waiting[urgency];
      const abort = (): void => {
        waiting.delete(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        admit: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      waiting.add(waiter);
      this.#admit();
    });
    return () => this.#leave(urgency);
  }

  #leave(urgency: Urgency): void {
    this.#held[urgency] -= 1;
    this.#admit();
  }

  #admit(): void {
    for (const urgency of ['live', 'backlog'] as const) {
      for (const waiter of this.#waiting[urgency]) {
        if (!this.#hasPlace(urgency)) break;
        this.#waiting[urgency].delete(waiter);
        this.#held[urgency] += 1;
        waiter.admit();
      }
    }
  }

  #hasPlace(urgency: Urgency): boolean {
    const { live, backlog } = this.#held;
    if (live + backlog >= this.#size) return false;
    if (urgency === 'live') return true;
    return backlog < Math.max(1, this.#size - 1);
  }
}
