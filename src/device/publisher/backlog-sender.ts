import { isRefusal } from '../../mqtt/errors.ts';
import type { Random } from '../../platform/clock.ts';
import { backOffMs, TokenBucket } from '../../platform/pacing.ts';
import type { Journal, JournalEntry } from '../journal/journal.ts';
import type { LinkError, LinkMessage, Taken } from '../mqtt/session.ts';
import type { Desk } from './desk.ts';
import { entryMessage, fittingBacklog } from './entry-message.ts';
import type { OutgoingMessage } from './in-flight.ts';
import type { LiveSender } from './live-sender.ts';
import type { Sender, SendSlot } from './sender.ts';
import type { TaskGroup } from './task-group.ts';

/** A disk that needs longer for a few entries hangs. */
const READ_LIMIT_MS = 60_000;
/** Read from the journal at once where entries go one by one. */
const READ_AHEAD = 50;
/** After a refusal or a journal that could not be read; the other lanes go on. */
const PAUSE = { minMs: 1_000, maxMs: 300_000 };
/** A tenth of a second's worth goes at once: timers have a resolution. */
const BURST_SECONDS = 0.1;

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
export class BacklogSender {
  readonly #desk: Desk;
  readonly #live: Pick<LiveSender, 'holds' | 'waiting'>;
  readonly #random: Random;
  readonly #bucket: TokenBucket;
  /** Up to where each journal has been read since the last rescan. */
  readonly #readTo = new Map<string, number>();
  #chunk: Chunk | undefined;
  #rescans = -1;
  #pausedUntilMs = 0;
  #refusals = 0;
  /** What the broker had taken when this session began. */
  #takenBefore = 0;
  /** The first message that was under way when the connection broke is the one that may be the reason. */
  #hasBlamed = false;

  constructor(desk: Desk, live: Pick<LiveSender, 'holds' | 'waiting'>, random: Random) {
    this.#desk = desk;
    this.#live = live;
    this.#random = random;
    this.#bucket = new TokenBucket(desk.parts.clock, 1);
  }

  async run(post: Sender, tasks: TaskGroup, signal: AbortSignal): Promise<void> {
    const { backlogWakeUp, parts } = this.#desk;
    this.#pausedUntilMs = 0;
    this.#takenBefore = this.#desk.taken();
    this.#hasBlamed = false;
    for (;;) {
      const receiptDueMs = this.#desk.lookAtClock();
      const waitMs = this.#hasWork() ? this.#waitMs() : Number.POSITIVE_INFINITY;
      if (waitMs > 0) {
        await backlogWakeUp.wait(parts.clock, Math.min(waitMs, receiptDueMs), signal);
        continue;
      }
      const place = await post.place('backlog', signal);
      const parcel = await this.#next(post);
      if (parcel !== undefined) tasks.add(this.#send(place, parcel));
      else {
        place.release();
        if (this.#rescans === this.#desk.rescans) await backlogWakeUp.wait(parts.clock, receiptDueMs, signal);
      }
    }
  }

  /** From counters alone, so that an idle agent does not touch its disk. */
  #hasWork(): boolean {
    if (this.#rescans !== this.#desk.rescans) return true;
    const { unreleased, pending } = this.#desk.parts.journals.stats();
    return unreleased - pending > this.#desk.transit.entries() + this.#live.waiting() + this.#desk.held();
  }

  /** 0: go on; else ms to wait, unless the wakeUp rings before. */
  #waitMs(): number {
    const { clock, mqtt } = this.#desk.parts;
    const pauseMs = this.#pausedUntilMs - clock.monotonicMs();
    if (pauseMs > 0) return pauseMs;
    if (this.#desk.mode() === 'receipt') return this.#desk.mayShip() ? 0 : Number.POSITIVE_INFINITY;
    const askMs = this.#desk.subscribers.askInMs('reading');
    if (askMs > 0) return askMs;
    const { replayPerSecond } = mqtt.current;
    return this.#bucket.take(replayPerSecond, Math.max(1, replayPerSecond * BURST_SECONDS));
  }

  async #next(post: Sender): Promise<Parcel | undefined> {
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
    const { sizes } = this.#desk;
    const mostBytes = sizes.limitBytes(this.#desk.parts.clock.monotonicMs());
    const most = sizes.probing() ? 1 : batchSize;
    const fits = (it: LinkMessage): boolean => post.fits(it) && Buffer.byteLength(it.payload) <= mostBytes;
    const { message, count } = fittingBacklog(homeId, journal, entries.slice(0, most), fits);
    this.#keep(journal, entries.slice(count));
    return { journal, message, entries: entries.slice(0, count) };
  }

  /** What is left of the last read, or the next entries of the oldest journal that has any. */
  async #nextChunk(): Promise<Chunk | undefined> {
    const { journals, mqtt, heartbeat } = this.#desk.parts;
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
        const entries = await heartbeat.during(READ_LIMIT_MS, this.#read(journal, readTo, limit));
        const last = entries.at(-1);
        if (last === undefined) break;
        this.#readTo.set(journal.epoch, last.seq);
        const waiting = entries.filter((entry) => this.#isToSend(journal.epoch, entry));
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

  async #send(place: SendSlot, { journal, message, entries }: Parcel): Promise<void> {
    const { transit, parts } = this.#desk;
    const seqs = entries.map(({ seq }) => seq);
    const bytes = Buffer.byteLength(message.payload);
    const outgoing = { epoch: journal.epoch, urgency: 'backlog', seqs, bytes } as const;
    transit.add(outgoing);
    let taken: Taken;
    try {
      taken = await place.send(message);
    } catch (error) {
      transit.remove(outgoing);
      if (isRefusal(error)) this.#refused(outgoing, error);
      else this.#broke(outgoing, error);
      return;
    }
    this.#refusals = 0;
    parts.faults.works('backlog');
    await this.#desk.acknowledged(outgoing, journal, message.topic.slice(message.topic.lastIndexOf('/') + 1), taken);
  }

  /** What is too large alone is set aside, kept, and said; arrays become smaller; everything else is tried again from the oldest on. */
  #refused({ epoch, seqs, bytes }: OutgoingMessage, error: LinkError): void {
    const [first] = seqs;
    if (error.code !== 'LINK_TOO_LARGE') this.#pause(error);
    else if (seqs.length === 1 && first !== undefined) this.#desk.refusedAlone(epoch, first, error);
    else {
      this.#desk.arrayTooLarge(bytes);
      this.#desk.rescan();
    }
  }

  /**
   * It may be this message that broke the connection: a 3.1.1 broker has no other way to say that it is too large. @throws the error
   */
  #broke({ epoch, seqs, bytes }: OutgoingMessage, error: unknown): void {
    const [first] = seqs;
    const isFirst = !this.#hasBlamed;
    this.#hasBlamed = true;
    if (seqs.length > 1) this.#desk.sizes.brokeUnder(bytes);
    else if (first !== undefined && isFirst && this.#desk.taken() > this.#takenBefore) {
      this.#desk.failedAlone(epoch, first, `the connection broke each time when it was sent (${bytes} bytes)`);
    }
    throw error;
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

  #isToSend(epoch: string, { kind, seq }: JournalEntry): boolean {
    if (this.#desk.transit.has(epoch, seq) || this.#live.holds(epoch, seq) || this.#desk.isHeld(epoch, seq))
      return false;
    // Home Assistant and older servers do not read gap records; they wait for somebody who does.
    return kind === 'reading' || this.#desk.mode() === 'receipt' || this.#desk.subscribers.askInMs('gap') === 0;
  }
}
