import type { MqttConnection } from '../mqtt/connection.ts';
import type { IncomingMessage } from '../mqtt/frames.ts';
import type { IngestMessage } from '../store/ingest-store.ts';
import type { DecodeContext } from './decode-message.ts';
import type { Acknowledgement } from './receipts.ts';

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
  readonly acknowledgement: Acknowledgement;
}

/** A message whose turn has come and that is not on disk yet. */
export interface Taken extends Waiting {
  /** Undefined: there is nothing to store, only to acknowledge. */
  readonly message: IngestMessage | undefined;
}

/** Of one device that has something waiting. */
interface Queue {
  entries: Waiting[];
  /** Of the oldest one that waits. */
  head: number;
}

/** What a device may bring in one turn; always one message. */
const TURN_MESSAGES = 16;
const TURN_BYTES = 65_536;

/**
 * What waits for the store. Devices take turns, so a device that sends very much does not delay the others; of each device the oldest
 * comes first. One taker.
 */
export class Inbox {
  /** By device, in the order of their turns. */
  readonly #queues = new Map<string, Queue>();
  #length = 0;
  #bytes = 0;
  #wake: (() => void) | undefined;

  get length(): number {
    return this.#length;
  }

  /** Sum of the payloads. */
  get bytes(): number {
    return this.#bytes;
  }

  put(entry: Waiting): void {
    const { topic, payload } = entry.raw;
    // The topics of a device differ in their last part.
    const device = topic.slice(0, Math.max(0, topic.lastIndexOf('/')));
    const queue = this.#queues.get(device);
    if (queue === undefined) this.#queues.set(device, { entries: [entry], head: 0 });
    else queue.entries.push(entry);
    this.#length += 1;
    this.#bytes += payload.length;
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

  /** Takes out so many at most, and of so many bytes (but always one). */
  take(maxMessages: number, maxBytes: number): readonly Waiting[] {
    const taken: Waiting[] = [];
    const before = this.#bytes;
    while (taken.length < maxMessages) {
      const next = this.#queues.entries().next();
      if (next.done === true) break;
      const [device, queue] = next.value;
      const count = taken.length;
      const bytesLeft = maxBytes - (before - this.#bytes);
      this.#takeTurn(queue, taken, Math.min(maxMessages, count + TURN_MESSAGES), bytesLeft);
      if (queue.head === queue.entries.length) this.#queues.delete(device);
      // What does not fit is the first of the next group.
      else if (taken.length === count) break;
      else this.#toTheEnd(device, queue);
    }
    return taken;
  }

  #takeTurn(queue: Queue, taken: Waiting[], maxTaken: number, bytesLeft: number): void {
    const limit = Math.min(bytesLeft, TURN_BYTES);
    let bytes = 0;
    for (let first = true; taken.length < maxTaken; first = false) {
      const entry = queue.entries[queue.head];
      if (entry === undefined) return;
      bytes += entry.raw.payload.length;
      if (bytes > (first ? bytesLeft : limit) && taken.length > 0) return;
      taken.push(entry);
      queue.head += 1;
      this.#length -= 1;
      this.#bytes -= entry.raw.payload.length;
    }
  }

  #toTheEnd(device: string, queue: Queue): void {
    this.#queues.delete(device);
    this.#queues.set(device, queue);
    // What was taken is let go now and then, not each time: moving the rest costs.
    if (queue.head < 1_024) return;
    queue.entries = queue.entries.slice(queue.head);
    queue.head = 0;
  }
}
