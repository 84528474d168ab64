import { countOfRanges, rangesOf, type SeqRange, subtractRanges } from '../../contract/seq-ranges.ts';
import { WakeUp } from '../../platform/tasks.ts';
import type { Journal } from '../journal/journal.ts';
import type { Taken } from '../mqtt/session.ts';
import { ArraySizes } from './array-sizes.ts';
import { Delivery, type DeliveryMode } from './delivery.ts';
import type { DeskParts } from './desk-parts.ts';
import { Acknowledged, InFlight, type OutgoingMessage, type Sent } from './in-flight.ts';
import { ServerWatch } from './servers.ts';
import { SetAside } from './set-aside.ts';
import type { PublisherMemory } from './state-file.ts';
import { Subscribers } from './subscribers.ts';

/** However long receipts fail to come, they are asked for again after this at the latest. */
const LONGEST_PATIENCE_MS = 3_600_000;
/**
 * Unreceipted backlog messages: a default Mosquitto queues 1,000 messages for a subscriber and drops what comes after them
 * without a word, so that twenty agents may empty their journals at once. Begun with few, doubled with each receipt.
 */
const MOST_UNRECEIPTED = 50;
const FIRST_UNRECEIPTED = 4;
/**
 * What a broker has retained says that a server was online, perhaps before a power cut. A server that starts with this machine is
 * given this long before somebody is told that it is silent; one that has spoken since we connected is not.
 */
const QUIET_START_MS = 300_000;
/** Woken so much later than asked, we were kept from running: what has come meanwhile is read first. */
const OWN_LATENESS_MS = 2_000;
const READ_FIRST_MS = 500;
/** How often the numbers that wait for a receipt are noted on disk, beside the end of the program. */
const NOTE_ACKNOWLEDGED_MS = 3_600_000;
/** Ranges of numbers that have left the journals, kept to know a receipt that comes twice. */
const MOST_DONE_RANGES = 1_000;

/**
 * What the lanes share: what is on its way, when an entry may leave the journal, and how much may go out unconfirmed.
 *
 *   reading --> live lane ----\                          /-- broker mode --> released at PUBACK, where somebody is subscribed
 *                              >-- in transit -- PUBACK <
 *   journal --> backlog lane -/                          \-- receipt mode --> released by receipt, else sent again
 */
export class Desk {
  readonly parts: DeskParts;
  readonly delivery: Delivery;
  readonly transit = new InFlight();
  readonly sizes = new ArraySizes();
  readonly aside = new SetAside();
  readonly subscribers: Subscribers;
  readonly servers: ServerWatch;
  readonly backlogWakeUp = new WakeUp();
  /** Counts demands to begin again at the oldest entry. */
  rescans = 0;
  /** Resolves when this session knows which servers have announced themselves; rejects when it ended before. */
  #introduced: Promise<void> = Promise.resolve();
  /** For these a receipt can be true. */
  readonly #acknowledged: Acknowledged;
  /** These have left the journals since the start. */
  readonly #done = new Acknowledged();
  #notedMs: number;
  #taken = 0;
  #knownState = '';
  #unreceiptedInARow = 0;
  #allowance = FIRST_UNRECEIPTED;
  #begunMs = 0;
  #serverSpoke = false;
  #readsFirst = false;
  /** The newest single entry that got its receipt: what went out before it and is larger should have got one too. */
  #passedOrder = 0;

  constructor(parts: DeskParts, memory: PublisherMemory) {
    this.parts = parts;
    this.delivery = new Delivery(memory.servers);
    this.#acknowledged = new Acknowledged(memory.acknowledged);
    this.#notedMs = parts.clock.monotonicMs();
    this.subscribers = new Subscribers(parts, memory.waitedForServer);
    this.servers = new ServerWatch(parts, this.delivery, () => this.#afterRecall());
  }

  mode(): DeliveryMode {
    return this.delivery.mode(this.parts.mqtt.current.delivery);
  }

  /** A new session: nothing is on its way, and no server is known. */
  begin(introduced: Promise<void>, protocolVersion: 4 | 5): void {
    this.#introduced = introduced;
    this.#begunMs = this.parts.clock.monotonicMs();
    this.#serverSpoke = false;
    this.delivery.forgetPresence();
    this.subscribers.begin(protocolVersion);
    this.servers.begin();
    this.aside.forgetRefusals();
    this.parts.faults.works('oversize');
    this.#knownState = this.#state();
    this.#beginAgain();
  }

  /** The backlog begins again at the oldest entry that is not on its way. */
  rescan(): void {
    this.rescans += 1;
    this.backlogWakeUp.notify();
  }

  /** A server has said something since we connected. */
  serverSpoke(): void {
    this.#serverSpoke = true;
  }

  /** Looks whether a server came, went, or changed its mind, or the user did; if so, the backlog begins again. */
  deliveryChanged(): void {
    const state = this.#state();
    if (state === this.#knownState) return;
    this.#knownState = state;
    this.#beginAgain();
    this.parts.onDeliveryChange();
  }

  /** The broker has acknowledged a outgoing. */
  async acknowledged(outgoing: OutgoingMessage, journal: Journal, leaf: string, taken: Taken): Promise<void> {
    const byNobody = taken === 'by-nobody';
    // Where no program got it, a receipt for it cannot be true.
    if (!byNobody) this.#acknowledged.add(outgoing.epoch, outgoing.seqs);
    // An announcement that is on its way to us may say that PUBACK is not enough.
    if (this.parts.mqtt.current.delivery === 'auto') await this.#introduced;
    if (this.subscribers.answered(leaf, byNobody, this.mode())) this.rescan();
    if (this.mode() === 'broker') {
      this.transit.remove(outgoing);
      const stays = byNobody ? this.parts.mqtt.current.noSubscriber === 'keep' : this.subscribers.isWaiting();
      if (!stays) this.#release(journal, rangesOf(outgoing.seqs));
    } else this.#awaitReceipt(outgoing, journal, byNobody);
    const isFirst = this.#taken === 0;
    this.#taken += outgoing.seqs.length;
    this.parts.onTaken(isFirst ? 'news' : 'routine');
    this.backlogWakeUp.notify();
  }

  /** Entries that the broker has acknowledged since the start, some perhaps twice. */
  taken(): number {
    return this.#taken;
  }

  /**
   * A receipt that is not retained, for a journal of ours. Believed for what a broker has acknowledged to us; a receipt that was
   * faster than the PUBACK counts when that comes.
   * @returns how many of its numbers were never sent
   */
  received(journal: Journal, stored: readonly SeqRange[]): number {
    const { epoch } = journal;
    const believed = this.#acknowledged.among(epoch, stored);
    const rest = subtractRanges(subtractRanges(stored, believed), this.#done.among(epoch, stored));
    const neverSent = subtractRanges(rest, this.transit.confirmEarly(epoch, rest));
    if (believed.length > 0) this.#confirmed(journal, believed);
    // Where readings leave at PUBACK a receipt comes late, and says that a server is there whose announcement was not heard.
    else if (this.mode() === 'broker' && rest.length === 0 && stored.length > 0) this.#receiptCame();
    return countOfRanges(neverSent);
  }

  /** Whether it need not be sent, and why not is not that it is on its way. */
  isHeld(epoch: string, seq: number): boolean {
    if (this.aside.has(epoch, seq, this.parts.clock.monotonicMs())) return true;
    return this.mode() === 'broker' && this.subscribers.isWaiting() && this.#acknowledged.has(epoch, seq);
  }

  /** Entries that are held, as far as they are counted. */
  held(): number {
    const waiting = this.mode() === 'broker' && this.subscribers.isWaiting() ? this.#acknowledged.count() : 0;
    return waiting + this.aside.count(this.parts.clock.monotonicMs());
  }

  /** Does what is due: missed receipts, the end of the wait for a server. @returns ms until something may be due again */
  lookAtClock(): number {
    if (this.mode() === 'broker' && this.subscribers.waitIsOver()) {
      for (const journal of this.parts.journals.journals()) {
        this.#release(journal, this.#acknowledged.ranges(journal.epoch));
      }
    }
    this.servers.lookAtClock(this.mode());
    const nowMs = this.parts.clock.monotonicMs();
    const limit = this.sizes.knownLimit(nowMs);
    if (limit === undefined) this.parts.faults.works('message size');
    return Math.min(this.#missReceipts(), this.subscribers.waitLeftMs());
  }

  /** Whether another backlog message may go out in receipt mode. */
  mayShip(): boolean {
    return this.delivery.giverOnline() && this.transit.messages('backlog') < this.#allowance;
  }

  /** An entry alone got no further while others did. */
  failedAlone(epoch: string, seq: number, why: string): void {
    if (!this.aside.failed(epoch, seq, this.parts.clock.monotonicMs())) return;
    this.#tellAside(epoch, seq, why);
  }

  /** The broker has refused an entry alone, and will always. */
  refusedAlone(epoch: string, seq: number, error: Error): void {
    this.aside.refused(epoch, seq, this.parts.clock.monotonicMs());
    this.#tellAside(epoch, seq, error.message);
  }

  /** An array of this size does not get through. */
  arrayTooLarge(bytes: number): void {
    const { clock, faults, log } = this.parts;
    const nowMs = clock.monotonicMs();
    this.sizes.tooLarge(bytes, nowMs);
    const smaller = Math.round(this.sizes.limitBytes(nowMs));
    const what = `an array of ${bytes} bytes does not get through, smaller messages do; the next has ${smaller} bytes at most`;
    log.info({ bytes, smaller }, `MQTT: ${what}`);
    const limit = this.sizes.knownLimit(nowMs);
    if (limit === undefined) return;
    const cause = 'is there a limit at the broker (message_size_limit in Mosquitto)?';
    faults.failed(
      'message size',
      'MESSAGE_TOO_LARGE',
      `messages above ${limit} bytes do not get through; ${cause} Readings go out in smaller arrays`,
    );
  }

  /** What is to be known after a restart. */
  toRemember(): Partial<PublisherMemory> {
    const epochs = new Set(this.parts.journals.journals().map(({ epoch }) => epoch));
    return {
      servers: this.delivery.servers(),
      acknowledged: this.#acknowledged.toRemember(epochs),
      waitedForServer: this.subscribers.hasWaited(),
    };
  }

  #tellAside(epoch: string, seq: number, why: string): void {
    const count = this.aside.count(this.parts.clock.monotonicMs());
    const others = count > 1 ? ` (${count} in all)` : '';
    const message = `entry ${seq} of journal ${epoch} is set aside${others}: ${why}. It stays in the journal and is tried again later`;
    this.parts.faults.failed('oversize', 'ENTRY_SET_ASIDE', message);
  }

  #awaitReceipt(outgoing: OutgoingMessage, journal: Journal, byNobody: boolean): void {
    const nowMs = this.parts.clock.monotonicMs();
    const early = byNobody ? [] : this.transit.earlyOf(outgoing);
    if (this.delivery.giverOnline()) this.transit.awaitReceipt(outgoing, nowMs + this.#patienceMs());
    if (early.length > 0) this.#confirmed(journal, early);
    if (!this.delivery.giverOnline()) this.transit.remove(outgoing);
    if (nowMs - this.#notedMs < NOTE_ACKNOWLEDGED_MS) return;
    this.#notedMs = nowMs;
    this.parts.remember(this.toRemember());
  }

  #confirmed(journal: Journal, ranges: readonly SeqRange[]): void {
    const { faults, onTaken } = this.parts;
    this.#release(journal, ranges);
    onTaken('routine');
    this.serverSpoke();
    this.#receiptCame();
    const sent = this.transit.confirm(journal.epoch, ranges);
    if (sent.length === 0) return;
    for (const { outgoing, order } of sent) {
      if (outgoing.seqs.length === 1) this.#passedOrder = Math.max(this.#passedOrder, order);
      const tooLarge = this.sizes.passed(outgoing.bytes, outgoing.seqs.length);
      if (tooLarge !== undefined) this.arrayTooLarge(tooLarge);
    }
    this.#unreceiptedInARow = 0;
    // A receipt for a live reading says that the server is well, and nothing of how much it takes at once.
    const isBacklog = sent.some(({ outgoing }) => outgoing.urgency === 'backlog');
    this.#allowance = isBacklog ? Math.min(MOST_UNRECEIPTED, this.#allowance * 2) : Math.max(this.#allowance, 2);
    faults.works('receipts');
    this.backlogWakeUp.notify();
  }

  #receiptCame(): void {
    if (this.delivery.receiptCame(this.parts.clock.nowMs())) this.parts.remember({ servers: this.delivery.servers() });
    this.deliveryChanged();
  }

  #release(journal: Journal, ranges: readonly SeqRange[]): void {
    if (ranges.length === 0) return;
    journal.release(ranges);
    this.#acknowledged.remove(journal.epoch, ranges);
    this.#done.addRanges(journal.epoch, ranges, MOST_DONE_RANGES);
    this.aside.released(journal.epoch, ranges);
  }

  /** Begins again when a receipt is overdue, with a single message as a probe. @returns ms until the next may be overdue */
  #missReceipts(): number {
    const nowMs = this.parts.clock.monotonicMs();
    const nextMs = this.transit.nextDueMs() - nowMs;
    if (nextMs > 0) return nextMs;
    if (nextMs < -OWN_LATENESS_MS && !this.#readsFirst) {
      this.#readsFirst = true;
      return READ_FIRST_MS;
    }
    this.#readsFirst = false;
    const overdue = this.transit.overdue(nowMs);
    const passedBy = overdue.filter(({ order }) => order < this.#passedOrder);
    if (passedBy.length > 0) this.#missAlone(passedBy);
    else this.#missAll(overdue);
    this.rescan();
    return 0;
  }

  /** What went out later has its receipt: it is not the server that is slow. */
  #missAlone(overdue: readonly Sent[]): void {
    for (const { outgoing } of overdue) {
      this.transit.remove(outgoing);
      const [seq] = outgoing.seqs;
      if (outgoing.seqs.length === 1 && seq !== undefined) {
        this.failedAlone(outgoing.epoch, seq, `no receipt comes for it (${outgoing.bytes} bytes), but for others`);
      }
    }
    const arrays = overdue.filter(({ outgoing }) => outgoing.seqs.length > 1);
    if (arrays.length > 0) this.arrayTooLarge(Math.min(...arrays.map(({ outgoing }) => outgoing.bytes)));
    this.#allowance = FIRST_UNRECEIPTED;
  }

  #missAll(overdue: readonly Sent[]): void {
    const waited = this.#patienceMs() / 1000;
    this.#unreceiptedInARow += 1;
    this.#allowance = 1;
    for (const { outgoing } of overdue) if (outgoing.seqs.length > 1) this.sizes.missed(outgoing.bytes);
    this.transit.forgetAwaited();
    const what = `no receipt from the server for ${waited} s; is it storing? The readings are kept and sent again`;
    const isQuietStart = !this.#serverSpoke && this.parts.clock.monotonicMs() - this.#begunMs < QUIET_START_MS;
    if (this.delivery.giverOnline() && !isQuietStart) this.parts.faults.failed('receipts', 'RECEIPT_MISSING', what);
  }

  /** What was sent to others before does not count: a server that has just come may never have been given it. */
  #beginAgain(): void {
    this.transit.clear();
    this.sizes.forgetSuspicion();
    this.#allowance = FIRST_UNRECEIPTED;
    this.#unreceiptedInARow = 0;
    this.#passedOrder = 0;
    this.parts.faults.works('receipts');
    this.rescan();
  }

  /** The record that is there now has not given the receipts so far, nor those that are on their way. */
  #afterRecall(): void {
    this.#acknowledged.clear();
    this.#done.clear();
    this.#beginAgain();
  }

  #state(): string {
    const { noSubscriber } = this.parts.mqtt.current;
    return [this.mode(), this.delivery.giverOnline(), this.delivery.takesBatches(), noSubscriber].join();
  }

  /** Doubles with each time in a row that receipts did not come. */
  #patienceMs(): number {
    const { receiptTimeoutMs } = this.parts.mqtt.current;
    return Math.max(receiptTimeoutMs, Math.min(LONGEST_PATIENCE_MS, receiptTimeoutMs * 2 ** this.#unreceiptedInARow));
  }
}
