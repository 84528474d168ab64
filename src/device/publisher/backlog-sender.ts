import { isRefusal } from '../../mqtt/errors.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import { backOffMs, TokenBucket } from '../../platform/pacing.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { DeviceSection, MqttSection } from '../config.ts';
import type { Journal, JournalEntry, JournalSet } from '../journal/journal.ts';
import type { LinkError, LinkMessage, Taken } from '../mqtt/session.ts';
import type { DeliveryLimits } from './delivery-limits.ts';
import type { DeliveryTracker } from './delivery-tracker.ts';
import { entryMessage, fittingBacklog } from './entry-message.ts';
import type { Faults } from './faults.ts';
import type { InFlight, OutgoingMessage } from './in-flight.ts';
import type { KnownServers } from './known-servers.ts';
import type { LiveSender } from './live-sender.ts';
import type { ReceiptWait } from './receipt-wait.ts';
import type { BacklogSignal, Sender, SendSlot, TaskGroup } from './sender.ts';
import type { Subscribers } from './subscribers.ts';

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

interface Batch {
  readonly journal: Journal;
  readonly message: LinkMessage;
  readonly entries: readonly JournalEntry[];
}

export interface BacklogSenderParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly journals: Pick<JournalSet, 'journals'>;
  readonly device: Live<DeviceSection>;
  readonly mqtt: Live<MqttSection>;
  readonly faults: Faults;
  readonly heartbeat: LoopHeartbeat;
  readonly live: Pick<LiveSender, 'holds' | 'waiting'>;
  readonly signal: BacklogSignal;
  readonly inFlight: InFlight;
  readonly tracker: DeliveryTracker;
  readonly receipts: Pick<ReceiptWait, 'maySend'>;
  readonly limits: DeliveryLimits;
  readonly servers: Pick<KnownServers, 'takesBatches'>;
  readonly subscribers: Pick<Subscribers, 'askInMs'>;
}

/** Sends what waits in the journals, oldest first, beside the live readings. */
export class BacklogSender {
  readonly #parts: BacklogSenderParts;
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

  constructor(parts: BacklogSenderParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket(parts.clock, 1);
  }

  async run(sender: Sender, tasks: TaskGroup, signal: AbortSignal): Promise<void> {
    const { clock, tracker, signal: backlog } = this.#parts;
    this.#pausedUntilMs = 0;
    this.#takenBefore = tracker.taken();
    this.#hasBlamed = false;
    for (;;) {
      const nowMs = clock.monotonicMs();
      const receiptDueMs = tracker.lookAtClock(nowMs);
      const waitMs = this.#hasWork(nowMs) ? this.#waitMs(nowMs) : Number.POSITIVE_INFINITY;
      if (waitMs > 0) {
        await backlog.wait(clock, Math.min(waitMs, receiptDueMs), signal);
        continue;
      }
      const slot = await sender.slot('backlog', signal);
      const batch = await this.#next(sender);
      if (batch !== undefined) tasks.add(this.#send(slot, batch));
      else {
        slot.release();
        if (this.#rescans === backlog.rescans) await backlog.wait(clock, receiptDueMs, signal);
      }
    }
  }

  /** From counters alone, so that an idle agent does not touch its disk. */
  #hasWork(nowMs: number): boolean {
    const { signal, journals, inFlight, live, tracker } = this.#parts;
    if (this.#rescans !== signal.rescans) return true;
    let waiting = -inFlight.entries;
    for (const { stats } of journals.journals()) waiting += stats.unreleased - stats.pending;
    return waiting > 0 && waiting > live.waiting() + tracker.held(nowMs);
  }

  /** 0: go on; else ms to wait, unless it is woken before. */
  #waitMs(nowMs: number): number {
    const { mqtt, tracker, receipts, subscribers } = this.#parts;
    const pauseMs = this.#pausedUntilMs - nowMs;
    if (pauseMs > 0) return pauseMs;
    if (tracker.mode() === 'receipt') return receipts.maySend() ? 0 : Number.POSITIVE_INFINITY;
    const askMs = subscribers.askInMs('reading');
    if (askMs > 0) return askMs;
    const { replayPerSecond } = mqtt.current;
    return this.#bucket.take(replayPerSecond, Math.max(1, replayPerSecond * BURST_SECONDS));
  }

  async #next(sender: Sender): Promise<Batch | undefined> {
    const chunk = await this.#nextChunk();
    if (chunk === undefined) return undefined;
    const { journal, entries } = chunk;
    const { clock, device, mqtt, tracker, servers } = this.#parts;
    const { homeId } = device.current;
    const { batchSize } = mqtt.current;
    const inArrays = tracker.mode() === 'receipt' && servers.takesBatches();
    const [first] = entries;
    if (first === undefined) return undefined;
    if (!inArrays) {
      this.#keep(journal, entries.slice(1));
      return { journal, message: entryMessage(homeId, journal, first), entries: [first] };
    }
    const { sizes } = this.#parts.limits;
    const mostBytes = sizes.limitBytes(clock.monotonicMs());
    const most = sizes.probing() ? 1 : batchSize;
    const fits = (it: LinkMessage): boolean => sender.fits(it) && Buffer.byteLength(it.payload) <= mostBytes;
    const { message, count } = fittingBacklog(homeId, journal, entries.slice(0, most), fits);
    this.#keep(journal, entries.slice(count));
    return { journal, message, entries: entries.slice(0, count) };
  }

  /** What is left of the last read, or the next entries of the oldest journal that has any. */
  async #nextChunk(): Promise<Chunk | undefined> {
    const { journals, mqtt, heartbeat, signal } = this.#parts;
    if (this.#rescans !== signal.rescans) {
      this.#rescans = signal.rescans;
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
      if (this.#parts.journals.journals().includes(journal)) this.#pause(error);
      return [];
    }
  }

  async #send(slot: SendSlot, { journal, message, entries }: Batch): Promise<void> {
    const { inFlight, faults, tracker } = this.#parts;
    const seqs = entries.map(({ seq }) => seq);
    const bytes = Buffer.byteLength(message.payload);
    const outgoing = { epoch: journal.epoch, urgency: 'backlog', seqs, bytes } as const;
    inFlight.add(outgoing);
    let taken: Taken;
    try {
      taken = await slot.send(message);
    } catch (error) {
      inFlight.remove(outgoing);
      if (isRefusal(error)) this.#refused(outgoing, error);
      else this.#broke(outgoing, error);
      return;
    }
    this.#refusals = 0;
    faults.works('backlog');
    await tracker.acknowledged(outgoing, journal, message.topic.slice(message.topic.lastIndexOf('/') + 1), taken);
  }

  /** What is too large alone is set aside, kept, and said; arrays become smaller; everything else is tried again from the oldest on. */
  #refused({ epoch, seqs, bytes }: OutgoingMessage, error: LinkError): void {
    const { limits, signal } = this.#parts;
    const [first] = seqs;
    if (error.code !== 'LINK_TOO_LARGE') this.#pause(error);
    else if (seqs.length === 1 && first !== undefined) limits.refusedAlone(epoch, first, error);
    else {
      limits.arrayTooLarge(bytes);
      signal.rescan();
    }
  }

  /**
   * It may be this message that broke the connection: a 3.1.1 broker has no other way to say that it is too large. @throws the error
   */
  #broke({ epoch, seqs, bytes }: OutgoingMessage, error: unknown): void {
    const { limits, tracker } = this.#parts;
    const [first] = seqs;
    const isFirst = !this.#hasBlamed;
    this.#hasBlamed = true;
    if (seqs.length > 1) limits.sizes.brokeUnder(bytes);
    else if (first !== undefined && isFirst && tracker.taken() > this.#takenBefore) {
      limits.failedAlone(epoch, first, `the connection broke each time when it was sent (${bytes} bytes)`);
    }
    throw error;
  }

  #pause(error: unknown): void {
    const { clock, faults, random, signal } = this.#parts;
    const nowMs = clock.monotonicMs();
    faults.failedWith('backlog', error);
    // Several in flight are refused together; that is one refusal.
    if (nowMs < this.#pausedUntilMs) return;
    this.#pausedUntilMs = nowMs + backOffMs(this.#refusals, PAUSE, random);
    this.#refusals += 1;
    signal.rescan();
  }

  #keep(journal: Journal, entries: readonly JournalEntry[]): void {
    this.#chunk = entries.length === 0 ? undefined : { journal, entries };
  }

  #isToSend(epoch: string, { kind, seq }: JournalEntry): boolean {
    const { inFlight, live, tracker, subscribers } = this.#parts;
    if (inFlight.has(epoch, seq) || live.holds(epoch, seq) || tracker.isHeld(epoch, seq)) return false;
    // Home Assistant and older servers do not read gap records; they wait for somebody who does.
    return kind === 'reading' || tracker.mode() === 'receipt' || subscribers.askInMs('gap') === 0;
  }
}
