import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { MqttSection } from '../config.ts';
import type { DeliveryLimits } from './delivery-limits.ts';
import type { Faults } from './faults.ts';
import type { InFlight, Sent } from './in-flight.ts';
import type { KnownServers } from './known-servers.ts';
import type { BacklogSignal } from './sender.ts';

/** However long receipts fail to come, they are asked for again after this at the latest. */
const LONGEST_PATIENCE_MS = 3_600_000;
/**
 * Backlog messages without a receipt. A default Mosquitto queues 1,000 messages for a subscriber and drops later ones without a
 * word, so that twenty agents may empty their journals at once. It begins with few and doubles with each receipt.
 */
const MOST_UNRECEIPTED = 50;
const FIRST_UNRECEIPTED = 4;
/**
 * A retained announcement says that a server was online, perhaps before a power cut. A server that starts with this machine has
 * this long before a person is told that it is silent. A server that has spoken since we connected does not get this time.
 */
const QUIET_START_MS = 300_000;
/** Woken so much later than asked, this program was kept from running: what has come meanwhile is read first. */
const OWN_LATENESS_MS = 2_000;
const READ_FIRST_MS = 500;

export interface ReceiptWaitParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly mqtt: Live<MqttSection>;
  readonly faults: Faults;
  readonly inFlight: InFlight;
  readonly servers: Pick<KnownServers, 'giverOnline'>;
  readonly limits: DeliveryLimits;
  readonly backlog: Pick<BacklogSignal, 'rescan' | 'notify'>;
}

/** How long a receipt is waited for, how many may be missing at a time, and what follows when none comes. */
export class ReceiptWait {
  readonly #parts: ReceiptWaitParts;
  #unreceiptedInARow = 0;
  #allowance = FIRST_UNRECEIPTED;
  #begunMs = 0;
  #serverSpoke = false;
  #readsFirst = false;
  /** The newest single entry that got its receipt: what went out before it and is larger should have got one too. */
  #passedOrder = 0;

  constructor(parts: ReceiptWaitParts) {
    this.#parts = parts;
  }

  /** A new session. */
  begin(): void {
    this.#begunMs = this.#parts.clock.monotonicMs();
    this.#serverSpoke = false;
  }

  /** A server has said something since we connected. */
  serverSpoke(): void {
    this.#serverSpoke = true;
  }

  /** Receipts that were missed so far do not count any more: it may be another server. */
  forget(): void {
    this.#parts.limits.sizes.forgetSuspicion();
    this.#allowance = FIRST_UNRECEIPTED;
    this.#unreceiptedInARow = 0;
    this.#passedOrder = 0;
    this.#parts.faults.works('receipts');
  }

  /** Whether another backlog message may go out in receipt mode. */
  maySend(): boolean {
    return this.#parts.servers.giverOnline() && this.#parts.inFlight.messages.backlog < this.#allowance;
  }

  /** How long the next receipt is waited for; doubles with each time in a row that receipts did not come. */
  patienceMs(): number {
    const { receiptTimeoutMs } = this.#parts.mqtt.current;
    return Math.max(receiptTimeoutMs, Math.min(LONGEST_PATIENCE_MS, receiptTimeoutMs * 2 ** this.#unreceiptedInARow));
  }

  /** Messages that were in flight have got a receipt. */
  received(sent: readonly Sent[]): void {
    if (sent.length === 0) return;
    const { limits, faults, backlog } = this.#parts;
    for (const { outgoing, order } of sent) {
      if (outgoing.seqs.length === 1) this.#passedOrder = Math.max(this.#passedOrder, order);
      const tooLarge = limits.sizes.passed(outgoing.bytes, outgoing.seqs.length);
      if (tooLarge !== undefined) limits.arrayTooLarge(tooLarge);
    }
    this.#unreceiptedInARow = 0;
    // A receipt for a live reading says that the server is well, and nothing of how much it takes at once.
    const isBacklog = sent.some(({ outgoing }) => outgoing.urgency === 'backlog');
    this.#allowance = isBacklog ? Math.min(MOST_UNRECEIPTED, this.#allowance * 2) : Math.max(this.#allowance, 2);
    faults.works('receipts');
    backlog.notify();
  }

  /** Begins again when a receipt is overdue, with a single message as a probe. @returns ms until the next may be overdue */
  lookAtClock(nowMs: number): number {
    const { inFlight, backlog } = this.#parts;
    const nextMs = inFlight.nextDueMs() - nowMs;
    if (nextMs > 0) return nextMs;
    if (nextMs < -OWN_LATENESS_MS && !this.#readsFirst) {
      this.#readsFirst = true;
      return READ_FIRST_MS;
    }
    this.#readsFirst = false;
    const overdue = inFlight.overdue(nowMs);
    const passedBy = overdue.filter(({ order }) => order < this.#passedOrder);
    if (passedBy.length > 0) this.#missAlone(passedBy);
    else this.#missAll(overdue);
    backlog.rescan();
    return 0;
  }

  /** What went out later has its receipt: it is not the server that is slow. */
  #missAlone(overdue: readonly Sent[]): void {
    const { inFlight, limits } = this.#parts;
    for (const { outgoing } of overdue) {
      inFlight.remove(outgoing);
      const [seq] = outgoing.seqs;
      if (outgoing.seqs.length === 1 && seq !== undefined) {
        limits.failedAlone(outgoing.epoch, seq, `no receipt comes for it (${outgoing.bytes} bytes), but for others`);
      }
    }
    const arrays = overdue.filter(({ outgoing }) => outgoing.seqs.length > 1);
    if (arrays.length > 0) limits.arrayTooLarge(Math.min(...arrays.map(({ outgoing }) => outgoing.bytes)));
    this.#allowance = FIRST_UNRECEIPTED;
  }

  #missAll(overdue: readonly Sent[]): void {
    const { clock, faults, inFlight, limits, servers } = this.#parts;
    const waited = this.patienceMs() / 1000;
    this.#unreceiptedInARow += 1;
    this.#allowance = 1;
    for (const { outgoing } of overdue) if (outgoing.seqs.length > 1) limits.sizes.missed(outgoing.bytes);
    inFlight.forgetAwaited();
    const what = `no receipt from the server for ${waited} s; is it storing? The readings are kept and sent again`;
    const isQuietStart = !this.#serverSpoke && clock.monotonicMs() - this.#begunMs < QUIET_START_MS;
    if (servers.giverOnline() && !isQuietStart) faults.failed('receipts', 'RECEIPT_MISSING', what);
  }
}
