import type { MqttConnection } from '../mqtt/connection.ts';
import type { IngestMessage } from '../store/ingest-store.ts';

/** A message that was read from the socket and is not on disk yet. */
export interface Waiting {
  /** Undefined: there is nothing to store, only to acknowledge. */
  readonly message: IngestMessage | undefined;
  readonly bytes: number;
  /** 0: nobody waits for an acknowledgement. */
  readonly packetId: number;
  /** On which it is acknowledged, if that is still open. */
  readonly connection: MqttConnection;
  /** Monotonic time at which it was read. */
  readonly readMs: number;
}

/** What waits for the store, oldest first. One taker. */
export class Inbox {
  #entries: Waiting[] = [];
  #head = 0;
  #bytes = 0;
  #wake: (() => void) | undefined;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** Sum of the payloads. */
  get bytes(): number {
    return this.#bytes;
  }

  put(entry: Waiting): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
  }

  /** Wakes the taker. Called when all has been put that one read of the socket brought, so that it becomes one group. */
  ring(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when there is something, or at the next ring. */
  async arrival(): Promise<void> {
    if (this.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Takes the oldest out: so many at most, and of so many bytes (but always one). */
  take(maxMessages: number, maxBytes: number): readonly Waiting[] {
    let end = this.#head;
    let bytes = 0;
    for (const limit = Math.min(this.#entries.length, this.#head + maxMessages); end < limit; end += 1) {
      bytes += this.#entries[end]?.bytes ?? 0;
      if (bytes > maxBytes && end > this.#head) {
        bytes -= this.#entries[end]?.bytes ?? 0;
        break;
      }
    }
    const taken = this.#entries.slice(this.#head, end);
    this.#head = end;
    this.#bytes -= bytes;
    // What was taken is let go now and then, not each time: moving the rest costs.
    if (this.#head === this.#entries.length || this.#head > 4_096) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}
