import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { IngestSection } from '../config.ts';
import type { MqttConnection } from '../mqtt/connection.ts';
import type { IncomingMessage } from '../mqtt/frames.ts';
import type { IngestMessage } from '../store/ingest-store.ts';
import type { IngestClock } from '../trusted-clock.ts';
import type { DecodeContext } from './decode-message.ts';
import type { IngestObserver } from './ingest.ts';
import { type BrokerDrops, DROPS_TOPIC } from './limits.ts';
import { type Acknowledgement, Acknowledgements } from './receipts.ts';

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

export interface IntakeParts {
  readonly inbox: Inbox;
  readonly drops: BrokerDrops;
  readonly ingest: Live<IngestSection>;
  readonly clock: Clock;
  readonly serverClock: IngestClock;
  readonly observer: IngestObserver;
}

/** Large messages wait in smaller number. */
const MAX_WAITING_BYTES = 16_777_216;

/** Puts what is read from the socket into the inbox. While too much waits there, the socket is not read. */
export class Intake {
  readonly #parts: IntakeParts;
  /** The connection that is not being read because too much waits. */
  #heldBack: MqttConnection | undefined;
  #messagesOfRead = 0;
  /** Of the connection that was read last. */
  #acknowledgements: Acknowledgements | undefined;
  /** The read whose messages are coming; undefined before its first one. */
  #read: Read | undefined;
  #isTaking = true;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  isHeldBack(): boolean {
    return this.#heldBack !== undefined;
  }

  take(message: IncomingMessage, connection: MqttConnection): void {
    // At a stop the connection is read on, for the answers to our last words; what is not acknowledged comes again.
    if (!this.#isTaking) return;
    if (message.topic === DROPS_TOPIC) {
      this.#parts.drops.heard(message.payload.toString());
      return;
    }
    this.#read ??= this.#readOn(connection);
    this.#messagesOfRead += 1;
    if (this.#acknowledgements?.connection !== connection) this.#acknowledgements = new Acknowledgements(connection);
    const acknowledgement = this.#acknowledgements.came(message.packetId);
    this.#parts.inbox.put({ raw: message, read: this.#read, acknowledgement });
  }

  /** All messages of one read of the socket have been taken. */
  wasRead(bytes: number, connection: MqttConnection): void {
    const { inbox, ingest, observer } = this.#parts;
    if (this.#messagesOfRead > 0) observer.received(this.#messagesOfRead, bytes);
    this.#messagesOfRead = 0;
    this.#read = undefined;
    inbox.ring();
    if (inbox.length < ingest.current.maxWaiting && inbox.bytes < MAX_WAITING_BYTES) return;
    connection.holdBack();
    this.#heldBack = connection;
  }

  /** A group has left the inbox: reads the socket again where there is room. */
  letComeAgain(): void {
    const { inbox, ingest } = this.#parts;
    if (inbox.length > ingest.current.maxWaiting / 2 || inbox.bytes > MAX_WAITING_BYTES / 2) return;
    this.#letCome();
  }

  /** From now on nothing is taken; the socket is still read. */
  stop(): void {
    this.#isTaking = false;
    this.#letCome();
    this.#parts.inbox.ring();
  }

  #letCome(): void {
    this.#heldBack?.letCome();
    this.#heldBack = undefined;
  }

  #readOn(connection: MqttConnection): Read {
    const { clock, ingest, serverClock } = this.#parts;
    const { maxPayloadBytes } = ingest.current;
    const context = { nowMs: clock.nowMs(), judgedByMs: serverClock.judgedByMs(), maxPayloadBytes };
    return { connection, readMs: clock.monotonicMs(), context };
  }
}
