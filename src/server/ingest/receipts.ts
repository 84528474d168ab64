import { encodeReceipt } from '../../contract/messages.ts';
import { countOfRanges, normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import { sensorTopic } from '../../contract/topics.ts';
import { LinkError } from '../../mqtt/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Log } from '../../platform/log.ts';
import type { MqttConnection } from '../mqtt/connection.ts';
import type { ReceiptFor } from '../store/ingest-store.ts';
import type { IngestObserver } from './ingest.ts';

export interface ReceiptDeskParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly observer: IngestObserver;
}

/** On the way at once, those of a full group of single readings; the broker may allow fewer. What waits longer is merged. */
const MAX_IN_FLIGHT = 200;
/** Ranges in one receipt: some 12 KB, far below what agents and brokers take. */
const MAX_RANGES = 500;
/** Journals for which a receipt may wait. Whom it does not reach sends again, and is told then. */
const MAX_WAITING = 20_000;

interface Pending {
  readonly homeId: string;
  readonly deviceUid: string;
  readonly epoch: string;
  ranges: readonly SeqRange[];
  /** When the oldest of these was read from the socket. */
  sinceMs: number;
}

/** Tells the devices what is on disk. While a receipt waits for its turn, what is stored meanwhile joins it. */
export class ReceiptSender {
  readonly #parts: ReceiptDeskParts;
  readonly #faults: FaultLog;
  readonly #pending = new Map<string, Pending>();
  #connection: MqttConnection | undefined;
  /** Fewer after a broker has called one too large. */
  #maxRanges = MAX_RANGES;
  #inFlight = 0;
  #idle: (() => void)[] = [];

  constructor(parts: ReceiptDeskParts) {
    this.#parts = parts;
    this.#faults = createFaultLog(parts.log, parts.clock);
  }

  /** These numbers are on disk. `sinceMs`: monotonic time at which the first of them was read. */
  stored(receipts: readonly ReceiptFor[], sinceMs: number): void {
    for (const { homeId, deviceUid, epoch, stored } of receipts)
      this.#add({ homeId, deviceUid, epoch, ranges: stored, sinceMs });
    this.#pump();
  }

  /** From now on they go this way. What was on its way on the connection before goes again. */
  use(connection: MqttConnection): void {
    this.#connection = connection;
    this.#maxRanges = MAX_RANGES;
    this.#pump();
  }

  /** Resolves when none waits or is on its way. */
  async settled(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #add(pending: Pending): void {
    const key = `${pending.homeId}/${pending.deviceUid}/${pending.epoch}`;
    const known = this.#pending.get(key);
    if (known === undefined) {
      this.#pending.set(key, pending);
      if (this.#pending.size > MAX_WAITING) this.#dropOldest();
      return;
    }
    known.ranges = normaliseRanges([...known.ranges, ...pending.ranges]);
    known.sinceMs = Math.min(known.sinceMs, pending.sinceMs);
  }

  #dropOldest(): void {
    for (const key of this.#pending.keys()) {
      this.#pending.delete(key);
      return;
    }
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const window = Math.min(MAX_IN_FLIGHT, connection.receiveMaximum);
    for (const [key, pending] of this.#pending) {
      if (this.#inFlight >= window) return;
      this.#pending.delete(key);
      this.#inFlight += 1;
      // Never rejects: what fails waits again, or is logged.
      void this.#send(connection, pending);
    }
  }

  async #send(connection: MqttConnection, pending: Pending): Promise<void> {
    const { clock, observer } = this.#parts;
    const { homeId, deviceUid, epoch, ranges, sinceMs } = pending;
    const stored = ranges.slice(0, this.#maxRanges);
    if (ranges.length > stored.length) this.#add({ ...pending, ranges: ranges.slice(stored.length) });
    try {
      const topic = sensorTopic(homeId, deviceUid, 'receipt');
      await connection.publish({ topic, payload: encodeReceipt({ epoch, stored }), retain: false });
      this.#faults.works({}, 'the broker takes receipts again');
      observer.receipted(countOfRanges(stored), clock.monotonicMs() - sinceMs);
    } catch (error) {
      this.#failed(error, connection, { ...pending, ranges: stored });
    } finally {
      this.#inFlight -= 1;
      this.#pump();
      if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** A refused receipt is not offered again: the device sends again what it is for, and the next one may be taken. */
  #failed(error: unknown, connection: MqttConnection, pending: Pending): void {
    const code = error instanceof LinkError ? error.code : 'INTERNAL';
    if (code === 'LINK_TOO_LARGE' && pending.ranges.length > 1) {
      this.#maxRanges = Math.max(1, Math.min(this.#maxRanges, pending.ranges.length >> 1));
      this.#add(pending);
      return;
    }
    if (code === 'LINK_PUBLISH_REFUSED' || code === 'LINK_TOO_LARGE' || code === 'INTERNAL') {
      this.#faults.failed(code, { code }, `a receipt was not delivered: ${(error as Error).message}`);
      return;
    }
    if (this.#connection === connection) this.#connection = undefined;
    this.#add(pending);
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#pending.size === 0;
  }
}

/** A message of one connection that the broker waits to hear of. */
export interface Acknowledgement {
  readonly packetId: number;
  readonly of: Acknowledgements;
  /** `left`: it will not be acknowledged on this connection. */
  state: 'waiting' | 'stored' | 'left';
}

/**
 * Acknowledges the messages of one connection in the order in which they came, as section 4.6 of MQTT 5 (MQTT-4.6.0-2) demands, whatever
 * the order in which they are stored. How many can wait is bounded by Receive Maximum and by the inbox.
 */
export class Acknowledgements {
  readonly connection: MqttConnection;
  #waiting: Acknowledgement[] = [];
  #head = 0;

  constructor(connection: MqttConnection) {
    this.connection = connection;
  }

  /** A message came. Packet id 0: QoS 0, nothing to acknowledge. */
  came(packetId: number): Acknowledgement {
    const one: Acknowledgement = { packetId, of: this, state: 'waiting' };
    if (packetId > 0) this.#waiting.push(one);
    return one;
  }

  /** Acknowledges what is stored, up to the first message that is not. */
  send(): void {
    const packetIds: number[] = [];
    for (let next = this.#waiting[this.#head]; next !== undefined && next.state !== 'waiting'; ) {
      if (next.state === 'stored') packetIds.push(next.packetId);
      this.#head += 1;
      next = this.#waiting[this.#head];
    }
    if (this.#head === this.#waiting.length || this.#head > 4_096) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    this.connection.acknowledge(packetIds);
  }
}

/** Notes what became of these messages, nearly always of one connection, and tells the broker what can be told. */
export function settle(
  messages: readonly { readonly acknowledgement: Acknowledgement }[],
  state: 'stored' | 'left',
): void {
  const connections = new Set<Acknowledgements>();
  for (const { acknowledgement } of messages) {
    acknowledgement.state = state;
    connections.add(acknowledgement.of);
  }
  for (const connection of connections) connection.send();
}
