import { countOfRanges, rangesOf, type SeqRange, subtractRanges } from '../../contract/seq-ranges.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { MqttSection } from '../config.ts';
import type { Journal, JournalSet } from '../journal/journal.ts';
import type { Taken } from '../mqtt/session.ts';
import type { DeliveryLimits } from './delivery-limits.ts';
import { Acknowledged, type InFlight, type OutgoingMessage } from './in-flight.ts';
import type { DeliveryMode, KnownServers } from './known-servers.ts';
import type { ReceiptWait } from './receipt-wait.ts';
import type { BacklogSignal } from './sender.ts';
import type { ServerWatch } from './servers.ts';
import type { RememberedState, StoredState } from './state-file.ts';
import type { Subscribers } from './subscribers.ts';

/** How often the numbers that wait for a receipt are noted on disk, beside the end of the program. */
const NOTE_ACKNOWLEDGED_MS = 3_600_000;
/** Ranges of numbers that have left the journals, kept to recognise a receipt that comes twice. */
const MOST_DONE_RANGES = 1_000;

export interface DeliveryTrackerParts {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly mqtt: Live<MqttSection>;
  readonly journals: Pick<JournalSet, 'journals'>;
  readonly state: Pick<StoredState, 'current' | 'note'>;
  readonly servers: KnownServers;
  readonly serverWatch: Pick<ServerWatch, 'begin' | 'lookAtClock'>;
  readonly subscribers: Subscribers;
  readonly inFlight: InFlight;
  readonly limits: DeliveryLimits;
  readonly receipts: ReceiptWait;
  readonly backlog: Pick<BacklogSignal, 'rescan' | 'notify'>;
  /** The delivery promise, or who is there to keep it, has changed. */
  readonly onDeliveryChange: () => void;
  /** The broker has acknowledged readings (`news` when they are the first), or a server has stored them. */
  readonly onTaken: (word: 'news' | 'routine') => void;
}

/**
 * Decides when an entry may leave the journal.
 *
 *   reading --> live sender ----\                         /-- broker mode --> released at PUBACK, where somebody is subscribed
 *                                >-- in flight -- PUBACK <
 *   journal --> backlog sender -/                         \-- receipt mode --> released by receipt, else sent again
 */
export class DeliveryTracker {
  readonly #parts: DeliveryTrackerParts;
  /** Resolves when this session knows which servers have announced themselves; rejects when it ended before. */
  #introduced: Promise<void> = Promise.resolve();
  /** For these a receipt can be true. */
  readonly #acknowledged: Acknowledged;
  /** These have left the journals since the start. */
  readonly #done = new Acknowledged();
  #notedMs: number;
  #taken = 0;
  #knownState = '';

  constructor(parts: DeliveryTrackerParts) {
    this.#parts = parts;
    this.#acknowledged = new Acknowledged(parts.state.current.acknowledged);
    this.#notedMs = parts.clock.monotonicMs();
  }

  mode(): DeliveryMode {
    return this.#parts.servers.mode(this.#parts.mqtt.current.delivery);
  }

  /** A new session: nothing is in flight, and no server is known to be online. */
  begin(introduced: Promise<void>, protocolVersion: 4 | 5): void {
    const { servers, serverWatch, subscribers, limits, receipts } = this.#parts;
    this.#introduced = introduced;
    receipts.begin();
    servers.forgetPresence();
    subscribers.begin(protocolVersion);
    serverWatch.begin();
    limits.begin();
    this.#knownState = this.#state();
    this.#beginAgain();
  }

  /** Looks whether a server came, went, or changed its mind, or the user did; if so, the backlog begins again. */
  deliveryChanged(): void {
    const state = this.#state();
    if (state === this.#knownState) return;
    this.#knownState = state;
    this.#beginAgain();
    this.#parts.onDeliveryChange();
  }

  /** The broker has acknowledged a message. `leaf`: the last level of its topic. */
  async acknowledged(outgoing: OutgoingMessage, journal: Journal, leaf: string, taken: Taken): Promise<void> {
    const { mqtt, subscribers, inFlight, backlog, onTaken } = this.#parts;
    const byNobody = taken === 'by-nobody';
    // Where no subscriber got it a receipt for it cannot be true.
    if (!byNobody) this.#acknowledged.add(outgoing.epoch, outgoing.seqs);
    // An announcement that is about to arrive may say that PUBACK is not enough.
    if (mqtt.current.delivery === 'auto') await this.#introduced;
    const mode = this.mode();
    if (subscribers.answered(leaf, byNobody, mode)) backlog.rescan();
    if (mode === 'broker') {
      inFlight.remove(outgoing);
      const stays = byNobody ? mqtt.current.noSubscriber === 'keep' : subscribers.isWaiting();
      if (!stays) this.#release(journal, rangesOf(outgoing.seqs));
    } else this.#awaitReceipt(outgoing, journal, byNobody);
    const isFirst = this.#taken === 0;
    this.#taken += outgoing.seqs.length;
    onTaken(isFirst ? 'news' : 'routine');
    backlog.notify();
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
    const others = subtractRanges(stored, believed);
    const rest = others.length === 0 ? others : subtractRanges(others, this.#done.among(epoch, stored));
    const neverSent =
      rest.length === 0 ? 0 : countOfRanges(subtractRanges(rest, this.#parts.inFlight.confirmEarly(epoch, rest)));
    if (believed.length > 0) this.#confirmed(journal, believed);
    // Where readings leave at PUBACK a receipt comes late, and says that a server is there whose announcement was not heard.
    else if (this.mode() === 'broker' && rest.length === 0 && stored.length > 0) this.#receiptCame();
    return neverSent;
  }

  /** Whether an entry need not be sent for another reason than that it is in flight. */
  isHeld(epoch: string, seq: number): boolean {
    if (this.#parts.limits.isSetAside(epoch, seq)) return true;
    return this.#waitsForServer() && this.#acknowledged.has(epoch, seq);
  }

  /** Entries that are held, as far as they are counted. */
  held(nowMs: number): number {
    return (this.#waitsForServer() ? this.#acknowledged.count() : 0) + this.#parts.limits.setAside(nowMs);
  }

  /** Does what is due: missed receipts, the end of the wait for a server. @returns ms until something may be due again */
  lookAtClock(nowMs: number): number {
    const { subscribers, journals, serverWatch, limits, receipts } = this.#parts;
    const mode = this.mode();
    if (mode === 'broker' && subscribers.waitIsOver(nowMs)) {
      for (const journal of journals.journals()) this.#release(journal, this.#acknowledged.ranges(journal.epoch));
    }
    serverWatch.lookAtClock(mode, nowMs);
    limits.lookAtClock(nowMs);
    return Math.min(receipts.lookAtClock(nowMs), subscribers.waitLeftMs(nowMs));
  }

  /** The record that is there now has not given the receipts so far, nor those for what is in flight. */
  recalled(): void {
    this.#acknowledged.clear();
    this.#done.clear();
    this.#beginAgain();
  }

  /** What is to be known after a restart. */
  toRemember(): Partial<RememberedState> {
    const { journals, servers, subscribers } = this.#parts;
    const epochs = new Set(journals.journals().map(({ epoch }) => epoch));
    return {
      servers: servers.servers(),
      acknowledged: this.#acknowledged.toRemember(epochs),
      waitedForServer: subscribers.hasWaited(),
    };
  }

  #waitsForServer(): boolean {
    return this.#parts.subscribers.isWaiting() && this.mode() === 'broker';
  }

  #awaitReceipt(outgoing: OutgoingMessage, journal: Journal, byNobody: boolean): void {
    const { clock, servers, inFlight, receipts, state } = this.#parts;
    const nowMs = clock.monotonicMs();
    const early = byNobody ? [] : inFlight.earlyOf(outgoing);
    if (servers.giverOnline()) inFlight.awaitReceipt(outgoing, nowMs + receipts.patienceMs());
    else inFlight.remove(outgoing);
    if (early.length > 0) this.#confirmed(journal, early);
    if (nowMs - this.#notedMs < NOTE_ACKNOWLEDGED_MS) return;
    this.#notedMs = nowMs;
    state.note(this.toRemember());
  }

  #confirmed(journal: Journal, ranges: readonly SeqRange[]): void {
    const { onTaken, receipts, inFlight } = this.#parts;
    this.#release(journal, ranges);
    onTaken('routine');
    receipts.serverSpoke();
    this.#receiptCame();
    receipts.received(inFlight.confirm(journal.epoch, ranges));
  }

  #receiptCame(): void {
    const { servers, clock, state } = this.#parts;
    if (servers.receiptCame(clock.nowMs())) state.note({ servers: servers.servers() });
    this.deliveryChanged();
  }

  #release(journal: Journal, ranges: readonly SeqRange[]): void {
    if (ranges.length === 0) return;
    journal.release(ranges);
    this.#acknowledged.remove(journal.epoch, ranges);
    this.#done.addRanges(journal.epoch, ranges, MOST_DONE_RANGES);
    this.#parts.limits.released(journal.epoch, ranges);
  }

  /** What was sent to others before does not count: a server that has just come may never have been given it. */
  #beginAgain(): void {
    this.#parts.inFlight.clear();
    this.#parts.receipts.forget();
    this.#parts.backlog.rescan();
  }

  #state(): string {
    const { mqtt, servers } = this.#parts;
    return [this.mode(), servers.giverOnline(), servers.takesBatches(), mqtt.current.noSubscriber].join();
  }
}
