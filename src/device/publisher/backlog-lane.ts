import { backOffMs } from '../../common/back-off.ts';
import type { Random } from '../../common/clock.ts';
import { TokenBucket } from '../../common/token-bucket.ts';
import type { Journal, JournalEntry } from '../journal/journal.ts';
import type { LinkMessage } from '../mqtt/link-session.ts';
import type { Crew } from './crew.ts';
import type { Desk } from './desk.ts';
import { entryMessage, fittingBacklog } from './entry-message.ts';
import { isRefusal } from './faults.ts';
import type { LiveLane } from './live-lane.ts';
import type { Place, Post } from './post.ts';

/** A disk that needs longer for a few entries hangs. */
const READ_LIMIT_MS = 60_000;
/** Read from the journal at once where entries go one by one. */
const READ_AHEAD = 50;
/** After a refusal or a journal that could not be read; the other lanes go on. */
const PAUSE = { minMs: 1_000, maxMs: 300_000 };
/** A tenth of a second's worth goes at once: timers have a resolution. */
const BURST_SECONDS = 0.1;
/** After a connection broke under an array, arrays are half as long and grow again by this factor: twice in 35 arrays. */
const ARRAY_GROWTH = 1.02;

/** Entries of one journal that were read and not yet sent. */
interface Chunk {
  readonly journal: Journal;
  readonly entries: readonly JournalEntry[];
}

interface Parcel {
  readonly journal: Journal;
  readonly message: LinkMessage;
  readonly entries: readonly JournalEntry[];
}

/** Sends what waits in the journals, oldest first, beside the live readings. */
export class BacklogLane {
  readonly #desk: Desk;
  readonly #live: Pick<LiveLane, 'holds' | 'waiting'>;
  readonly #random: Random;
  readonly #bucket: TokenBucket;
  /** Up to where each journal has been read since the last rescan. */
  readonly #readTo = new Map<string, number>();
  #chunk: Chunk | undefined;
  #rescans = -1;
  #pausedUntilMs = 0;
  #refusals = 0;
  /** Most entries in an array at the moment. */
  #arrayLimit = Number.POSITIVE_INFINITY;

  constructor(desk: Desk, live: Pick<LiveLane, 'holds' | 'waiting'>, random: Random) {
    this.#desk = desk;
    this.#live = live;
    this.#random = random;
    this.#bucket = new TokenBucket(desk.parts.clock, 1);
  }

  async run(post: Post, crew: Crew, signal: AbortSignal): Promise<void> {
    const { backlogBell, parts } = this.#desk;
    this.#pausedUntilMs = 0;
    for (;;) {
      const receiptDueMs = this.#desk.missReceipts();
      const waitMs = this.#hasWork() ? this.#waitMs() : Number.POSITIVE_INFINITY;
      if (waitMs > 0) {
        await backlogBell.wait(parts.clock, Math.min(waitMs, receiptDueMs), signal);
        continue;
      }
      const place = await post.place('backlog', signal);
      const parcel = await this.#next(post);
      if (parcel !== undefined) crew.add(this.#send(place, parcel));
      else {
        place.giveBack();
        if (this.#rescans === this.#desk.rescans) await backlogBell.wait(parts.clock, receiptDueMs, signal);
      }
    }
  }

  /** From counters alone, so that an idle agent does not touch its disk. */
  #hasWork(): boolean {
    if (this.#rescans !== this.#desk.rescans) return true;
    const { unreleased, pending } = this.#desk.parts.journals.stats();
    return unreleased - pending > this.#desk.transit.entries() + this.#live.waiting();
  }

  /** 0: go on; else ms to wait, unless the bell rings before. */
  #waitMs(): number {
    const { clock, mqtt } = this.#desk.parts;
    const pauseMs = this.#pausedUntilMs - clock.monotonicMs();
    if (pauseMs > 0) return pauseMs;
    if (this.#desk.mode() === 'receipt') return this.#desk.mayShip() ? 0 : Number.POSITIVE_INFINITY;
    const { replayPerSecond } = mqtt.current;
    return this.#bucket.take(replayPerSecond, Math.max(1, replayPerSecond * BURST_SECONDS));
  }

  async #next(post: Post): Promise<Parcel | undefined> {
    const chunk = await this.#nextChunk();
    if (chunk === undefined) return undefined;
    const { journal, entries } = chunk;
    const { homeId } = this.#desk.parts.device.current;
    const { batchSize } = this.#desk.parts.mqtt.current;
    const inArrays = this.#desk.mode() === 'receipt' && this.#desk.delivery.takesBatches();
    const [first] = entries;
    if (first === undefined) return undefined;
    if (!inArrays) {
      this.#keep(journal, entries.slice(1));
      return { journal, message: entryMessage(homeId, journal, first), entries: [first] };
    }
    const most = Math.floor(Math.min(batchSize, this.#arrayLimit));
    const { message, count } = fittingBacklog(homeId, journal, entries.slice(0, most), (it) => post.fits(it));
    this.#keep(journal, entries.slice(count));
    return { journal, message, entries: entries.slice(0, count) };
  }

  /** What is left of the last read, or the next entries of the oldest journal that has any. */
  async #nextChunk(): Promise<Chunk | undefined> {
    const { journals, mqtt, pulse } = this.#desk.parts;
    if (this.#rescans !== this.#desk.rescans) {
      this.#rescans = this.#desk.rescans;
      this.#chunk = undefined;
      this.#readTo.clear();
    }
    if (this.#chunk !== undefined) return this.#chunk;
    const limit = Math.max(READ_AHEAD, mqtt.current.batchSize);
    for (const journal of journals.journals()) {
      for (;;) {
        const readTo = this.#readTo.get(journal.epoch) ?? 0;
        const entries = await pulse.during(READ_LIMIT_MS, this.#read(journal, readTo, limit));
        const last = entries.at(-1);
        if (last === undefined) break;
        this.#readTo.set(journal.epoch, last.seq);
        const waiting = entries.filter(({ seq }) => !this.#isOnItsWay(journal.epoch, seq));
        if (waiting.length > 0) return { journal, entries: waiting };
      }
    }
    return undefined;
  }

  /** A journal that cannot be read at the moment is asked again later; it may also have been emptied and closed just now. */
  async #read(journal: Journal, afterSeq: number, limit: number): Promise<readonly JournalEntry[]> {
    try {
      return await journal.read(afterSeq, limit);
    } catch (error) {
      if (this.#desk.parts.journals.journals().includes(journal)) this.#pause(error);
      return [];
    }
  }

  async #send(place: Place, { journal, message, entries }: Parcel): Promise<void> {
    const { transit, parts } = this.#desk;
    const seqs = entries.map(({ seq }) => seq);
    const shipment = { epoch: journal.epoch, urgency: 'backlog', seqs } as const;
    transit.add(shipment);
    try {
      await place.send(message);
    } catch (error) {
      transit.remove(shipment);
      if (!isRefusal(error)) {
        // It may be the array that broke the connection: a 3.1.1 broker has no other way to say that a packet is too large.
        this.#arrayLimit = Math.max(1, Math.floor(entries.length / 2));
        throw error;
      }
      // What can never fit is passed over, kept, and said; everything else is tried again from the oldest on.
      if (error.code === 'LINK_TOO_LARGE') parts.faults.failedWith('oversize', error);
      else this.#pause(error);
      return;
    }
    this.#refusals = 0;
    this.#arrayLimit *= ARRAY_GROWTH;
    parts.faults.works('backlog');
    await this.#desk.acknowledged(shipment, journal);
  }

  #pause(error: unknown): void {
    const { clock, faults } = this.#desk.parts;
    const nowMs = clock.monotonicMs();
    faults.failedWith('backlog', error);
    // Several in flight are refused together; that is one refusal.
    if (nowMs < this.#pausedUntilMs) return;
    this.#pausedUntilMs = nowMs + backOffMs(this.#refusals, PAUSE, this.#random);
    this.#refusals += 1;
    this.#desk.rescan();
  }

  #keep(journal: Journal, entries: readonly JournalEntry[]): void {
    this.#chunk = entries.length === 0 ? undefined : { journal, entries };
  }

  #isOnItsWay(epoch: string, seq: number): boolean {
    return this.#desk.transit.has(epoch, seq) || this.#live.holds(epoch, seq);
  }
}
