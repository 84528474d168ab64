import { Bell } from '../../common/bell.ts';
import type { Clock } from '../../common/clock.ts';
import type { Live } from '../../common/live.ts';
import type { Pulse } from '../../common/pulse.ts';
import { rangesOf } from '../../contract/seq-ranges.ts';
import type { DeviceSection, HomeAssistantSection, MqttSection } from '../config/device-config.ts';
import type { Journal, JournalSet } from '../journal/journal.ts';
import { Delivery, type DeliveryMode } from './delivery.ts';
import type { Faults } from './faults.ts';
import { InTransit, type Shipment } from './in-transit.ts';

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

export interface DeskParts {
  readonly clock: Clock;
  readonly journals: Pick<JournalSet, 'journals' | 'stats'>;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly homeassistant: Live<HomeAssistantSection>;
  readonly faults: Faults;
  readonly pulse: Pulse;
  /** The delivery promise, or who is there to keep it, has changed. */
  readonly onDeliveryChange: () => void;
  /** The broker has acknowledged readings (`news` when they are the first), or a server has stored them. */
  readonly onTaken: (word: 'news' | 'routine') => void;
}

/**
 * What the lanes share: what is on its way, when an entry may leave the journal, and how much may go out unconfirmed.
 *
 *   reading --> live lane ----\                          /-- broker mode --> released at PUBACK
 *                              >-- in transit -- PUBACK <
 *   journal --> backlog lane -/                          \-- receipt mode --> released by receipt, else sent again
 */
export class Desk {
  readonly parts: DeskParts;
  readonly delivery: Delivery;
  readonly transit = new InTransit();
  readonly backlogBell = new Bell();
  /** Counts demands to begin again at the oldest entry. */
  rescans = 0;
  /** Resolves when this session knows which servers have announced themselves; rejects when it ended before. */
  #introduced: Promise<void> = Promise.resolve();
  #taken = 0;
  #knownState = '';
  #unreceiptedInARow = 0;
  #allowance = FIRST_UNRECEIPTED;
  #begunMs = 0;
  #serverSpoke = false;
  #readsFirst = false;

  constructor(parts: DeskParts, givers: readonly string[]) {
    this.parts = parts;
    this.delivery = new Delivery(givers);
  }

  mode(): DeliveryMode {
    return this.delivery.mode(this.parts.mqtt.current.delivery);
  }

  /** A new session: nothing is on its way, and nobody is known to be there. */
  begin(introduced: Promise<void>): void {
    this.#introduced = introduced;
    this.#begunMs = this.parts.clock.monotonicMs();
    this.#serverSpoke = false;
    this.delivery.forgetPresence();
    this.parts.faults.works('oversize');
    this.#knownState = this.#state();
    this.#beginAgain();
  }

  /** The backlog begins again at the oldest entry that is not on its way. */
  rescan(): void {
    this.rescans += 1;
    this.backlogBell.ring();
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

  /** The broker has acknowledged a shipment. */
  async acknowledged(shipment: Shipment, journal: Journal): Promise<void> {
    // An announcement that is on its way to us may say that PUBACK is not enough.
    if (this.parts.mqtt.current.delivery === 'auto') await this.#introduced;
    if (this.mode() === 'broker') {
      journal.release(rangesOf(shipment.seqs));
      this.transit.remove(shipment);
    } else if (this.delivery.giverOnline()) {
      this.transit.awaitReceipt(shipment, this.parts.clock.monotonicMs() + this.#patienceMs());
    } else {
      this.transit.remove(shipment);
    }
    const isFirst = this.#taken === 0;
    this.#taken += shipment.seqs.length;
    this.parts.onTaken(isFirst ? 'news' : 'routine');
    this.backlogBell.ring();
  }

  /** Entries that the broker has acknowledged since the start, some perhaps twice. */
  taken(): number {
    return this.#taken;
  }

  /** A receipt that was found good. */
  received(epoch: string, stored: Parameters<InTransit['confirm']>[1]): void {
    this.parts.onTaken('routine');
    this.serverSpoke();
    if (!this.transit.confirm(epoch, stored)) return;
    this.#unreceiptedInARow = 0;
    this.#allowance = Math.min(MOST_UNRECEIPTED, this.#allowance * 2);
    this.parts.faults.works('receipts');
    this.backlogBell.ring();
  }

  /** Begins again when a receipt is overdue, with a single message as a probe. @returns ms until the next may be overdue */
  missReceipts(): number {
    const nowMs = this.parts.clock.monotonicMs();
    const nextMs = this.transit.nextDueMs() - nowMs;
    if (nextMs > 0) return nextMs;
    if (nextMs < -OWN_LATENESS_MS && !this.#readsFirst) {
      this.#readsFirst = true;
      return READ_FIRST_MS;
    }
    this.#readsFirst = false;
    const waited = this.#patienceMs() / 1000;
    this.#unreceiptedInARow += 1;
    this.#allowance = 1;
    this.transit.forgetAwaited();
    const what = `no receipt from the server for ${waited} s; is it storing? The readings are kept and sent again`;
    const isHere = this.delivery.giverOnline() && (this.#serverSpoke || nowMs - this.#begunMs >= QUIET_START_MS);
    if (isHere) this.parts.faults.failed('receipts', 'RECEIPT_MISSING', what);
    this.rescan();
    return 0;
  }

  /** Whether another backlog message may go out in receipt mode. */
  mayShip(): boolean {
    return this.delivery.giverOnline() && this.transit.messages('backlog') < this.#allowance;
  }

  /** What was sent to others before does not count: a server that has just come may never have been given it. */
  #beginAgain(): void {
    this.transit.clear();
    this.#allowance = FIRST_UNRECEIPTED;
    this.#unreceiptedInARow = 0;
    this.parts.faults.works('receipts');
    this.rescan();
  }

  #state(): string {
    return [this.mode(), this.delivery.giverOnline(), this.delivery.takesBatches()].join();
  }

  /** Doubles with each time in a row that receipts did not come. */
  #patienceMs(): number {
    const { receiptTimeoutMs } = this.parts.mqtt.current;
    return Math.max(receiptTimeoutMs, Math.min(LONGEST_PATIENCE_MS, receiptTimeoutMs * 2 ** this.#unreceiptedInARow));
  }
}
