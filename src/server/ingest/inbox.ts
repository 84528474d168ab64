import type { MqttConnection } from '../mqtt/connection.ts';
import type { IncomingMessage } from '../mqtt/frame-reader.ts';
import type { IngestMessage } from '../store/ingest-store.ts';
import type { DecodeContext } from './decode-message.ts';

/** One read of the socket, for all messages that it brought. */
export interface Read {
  /** On which they are acknowledged, if that is still open. */
  readonly connection: MqttConnection;
  /** Monotonic time. */
  readonly readMs: number;
  /** By which they are judged, however long they wait. */
  readonly context: DecodeContext;
}

/**
 * A message that was read from the socket, as it came. What it says is found out when its turn comes: thousands of small objects
 * that wait would be copied by the garbage collector again and again.
 */
export interface Waiting {
  readonly raw: IncomingMessage;
  readonly read: Read;
}

/** A message whose turn has come and that is not on disk yet. */
export interface Taken extends Waiting {
  /** Undefined: there is nothing to store, only to acknowledge. */
  readonly message: IngestMessage | undefined;
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
    this.#bytes += entry.raw.payload.length;
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
      bytes += this.#entries[end]?.raw.payload.length ?? 0;
      if (bytes > maxBytes && end > this.#head) {
        bytes -= this.#entries[end]?.raw.payload.length ?? 0;
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
