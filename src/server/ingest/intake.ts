import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { IngestSection } from '../config.ts';
import type { MqttConnection } from '../mqtt/connection.ts';
import type { IncomingMessage } from '../mqtt/frames.ts';
import type { IngestClock } from '../trusted-clock.ts';
import type { Inbox, Read } from './inbox.ts';
import type { IngestObserver } from './ingest.ts';
import { type BrokerDrops, DROPS_TOPIC } from './limits.ts';
import { Acknowledgements } from './receipts.ts';

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
