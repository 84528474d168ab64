import { type Gap, MAX_SEQ } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';

/** Something that people may want to know of; the composition root logs it. */
export interface JournalEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  /** Readings had to go because the journal is full: how bad this is depends on whether a server should have them. */
  readonly what?: 'full';
  readonly path?: string;
  readonly err?: unknown;
}

export type OnJournalEvent = (event: JournalEvent) => void;

/**
 * One numbered record of one device: readings and gap records, seq 1, 2, 3, … under one epoch, kept until released.
 *
 * Promises, proved by test/support/journal-contract.ts on every implementation:
 * - When `append` resolves, the reading has its number for ever and (where `durable`) is on disk, synced.
 * - `read` yields what is not released, oldest first, and only entries whose time is final.
 * - `release` is not synced: after a crash released entries may come again, under the same number and time.
 * - Nothing is ever sent under a second number, and no number is ever given twice.
 * - What is lost (limit, damage) becomes a gap entry before it is gone.
 * One caller at a time for append, appendGap and settle (the implementation serialises); read and release at any time.
 */
export interface Journal {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly durable: boolean;

  /** @throws JournalError when it cannot be stored here (disk full, read-only, I/O error); nothing was numbered then */
  append(reading: NewReading): Promise<ReadingEntry>;
  /** Adds a gap record; it is delivered and released like a reading. @throws JournalError */
  appendGap(gap: Gap, tsMs: number): Promise<GapEntry>;
  /**
   * Gives every reading of that boot whose time is still pending its final time; durable when it resolves.
   * @returns how many readings got their time. @throws JournalError
   */
  settle(settlement: Settlement): Promise<number>;
  /** Boots that have readings with a pending time. */
  pendingBootIds(): readonly string[];
  /** Up to `limit` unreleased entries with seq > `afterSeq`, oldest first, time final. Damage met on the way is skipped. */
  read(afterSeq: number, limit: number): Promise<readonly JournalEntry[]>;
  /** Marks numbers as stored elsewhere; unknown and repeated numbers are ignored. Cheap; noted on disk lazily and at close. */
  release(ranges: readonly SeqRange[]): void;
  /**
   * Makes every released entry that still lies here wait for its release again, under its number and time: for a server whose
   * record is not the one that the receipts came from. What had to go by limit or damage stays told and gone.
   * On disk when it resolves; repeating it is safe. @returns how many entries wait again
   * @throws JournalError when the disk does not note it; the entries wait again all the same, until the process ends
   */
  recall(): Promise<number>;
  /** As of now: kept where it changes. Copy what must not change. */
  readonly stats: JournalStats;
  /** The lowest number that is not released; undefined where nothing waits. */
  oldest(): number | undefined;
  /** Notes the releases, syncs, and lets go of the files. Idempotent. */
  close(): Promise<void>;
}

/** A reading before it has a number. Values are rounded to two decimals by the journal. */
export interface NewReading {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** When the measurement ended. */
  readonly stamp: Stamp;
  readonly bootId: string;
  readonly monotonicMs: number;
  /** The moment of the measurement is known only roughly: it is marked, also when its time becomes final. */
  readonly isTimeRough?: true;
  readonly trigger?: 'command';
  /** Up to 7 bytes as the chip sent them. */
  readonly frame?: Uint8Array;
}

/** `pending`: the wall clock was not to be trusted yet; `tsMs` is what it said. Final stamps never change. */
export interface Stamp {
  readonly state: 'synced' | 'unsynced' | 'pending';
  readonly tsMs: number;
}

export interface ReadingEntry extends NewReading {
  readonly kind: 'reading';
  readonly seq: number;
}

export interface GapEntry {
  readonly kind: 'gap';
  readonly seq: number;
  readonly gap: Gap;
  readonly tsMs: number;
}

export type JournalEntry = ReadingEntry | GapEntry;

export interface Settlement {
  readonly bootId: string;
  /** Wall clock minus monotonic clock of that boot; `as-stamped` keeps what the clock said when the reading was taken. */
  readonly wallMinusMonotonicMs: number | 'as-stamped';
  readonly state: 'synced' | 'unsynced';
}

export interface JournalStats {
  /** Entries that are not released, pending times included. */
  readonly unreleased: number;
  /** Of these, readings that wait for their time. */
  readonly pending: number;
  /** Highest number given; 0 in a new journal. */
  readonly lastSeq: number;
  /** Readings given up on since the journal was opened: thinned, dropped, damaged. */
  readonly dropped: number;
  readonly bytesOnDisk: number;
}

export type JournalErrorCode =
  | 'JOURNAL_NO_SPACE'
  | 'JOURNAL_READ_ONLY'
  | 'JOURNAL_IO'
  /** The files are not at their path any more: removed, moved, replaced, cut short, or hidden below a mount. */
  | 'JOURNAL_GONE'
  | 'JOURNAL_CLOSED'
  | 'JOURNAL_LOCKED';

/** The journal could not do what was asked. The message names the file and the remedy. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A journal and an entry in it. */
export interface Placed<E extends JournalEntry = JournalEntry> {
  readonly journal: Journal;
  readonly entry: E;
}

/**
 * All journals of the agent: the one that is written to, and earlier ones that still hold unreleased entries (an older epoch,
 * an earlier device_uid, the memory that stood in while the disk was full). This is what sampler and publisher work with.
 */
export interface JournalSet {
  /** Never fails for want of disk: falls back to memory, says so in `stats`, and goes back to disk when it can. */
  append(reading: NewReading): Promise<Placed<ReadingEntry>>;
  /** As Journal.settle, on all. Never fails for want of disk: what a journal refuses is settled when the disk works again. */
  settle(settlement: Settlement): Promise<number>;
  pendingBootIds(): readonly string[];
  /** As Journal.recall, on all. Never fails for want of disk. */
  recall(): Promise<Recall>;
  /** Those that may hold unreleased entries, oldest first; the one that is written to comes last. */
  journals(): readonly Journal[];
  /** The epoch that is written to at the moment. */
  activeEpoch(): string;
  stats(): JournalSetStats;
  /** The oldest entry that is not released; undefined where nothing waits. */
  oldest(): { readonly epoch: string; readonly seq: number } | undefined;
  close(): Promise<void>;
}

export interface Recall {
  /** Entries that wait for their release again. */
  readonly count: number;
  /** Whether a restart would still know; if not, it is to be asked for again. */
  readonly durable: boolean;
}

export interface JournalSetStats {
  readonly unreleased: number;
  readonly pending: number;
  readonly dropped: number;
  readonly bytesOnDisk: number;
  /** Whether what is appended now is on disk. */
  readonly durable: boolean;
  /** Why not, for people. */
  readonly fault?: string;
}

/** What a slot can hold; the chips that we know stay far inside. */
const MAX_ABS_TEMPERATURE_CELSIUS = 300;
const MAX_FRAME_BYTES = 7;

/** A settlement and how far it reaches. */
export interface BoundedSettlement extends Settlement {
  readonly uptoSeq: number;
}

/** Gives a reading its number; values are rounded to two decimals. @throws RangeError for what no sensor can have said */
export function numberReading(reading: NewReading, seq: number): ReadingEntry {
  const { temperatureCelsius, humidityPercent, monotonicMs, frame } = reading;
  if (
    !(Math.abs(temperatureCelsius) <= MAX_ABS_TEMPERATURE_CELSIUS) ||
    !(humidityPercent >= 0 && humidityPercent <= 100)
  ) {
    throw new RangeError(`not a reading: ${temperatureCelsius} °C, ${humidityPercent} %RH`);
  }
  if (!Number.isFinite(monotonicMs) || !Number.isFinite(reading.stamp.tsMs)) {
    throw new RangeError(`not a time: ${reading.stamp.tsMs} ms, monotonic ${monotonicMs} ms`);
  }
  if (frame !== undefined && frame.length > MAX_FRAME_BYTES) {
    throw new RangeError(`a frame has up to ${MAX_FRAME_BYTES} bytes, found ${frame.length}`);
  }
  return {
    kind: 'reading',
    seq,
    temperatureCelsius: roundToCents(temperatureCelsius),
    humidityPercent: roundToCents(humidityPercent),
    stamp: { state: reading.stamp.state, tsMs: wholeMs(reading.stamp.tsMs) },
    bootId: reading.bootId,
    monotonicMs,
    ...(reading.isTimeRough === true && { isTimeRough: true as const }),
    ...(reading.trigger !== undefined && { trigger: reading.trigger }),
    ...(frame !== undefined && frame.length > 0 && { frame: Uint8Array.from(frame) }),
  };
}

/** The reading with its final time, or undefined while it has none. The first settlement that reaches it counts for ever. */
export function withFinalTime(
  entry: ReadingEntry,
  settlements: readonly BoundedSettlement[],
): ReadingEntry | undefined {
  if (entry.stamp.state !== 'pending') return entry;
  const settlement = settlements.find(({ bootId, uptoSeq }) => bootId === entry.bootId && uptoSeq >= entry.seq);
  if (settlement === undefined) return undefined;
  return { ...entry, stamp: settledStamp(entry, settlement) };
}

export function settledStamp(entry: ReadingEntry, { wallMinusMonotonicMs, state: settled }: Settlement): Stamp {
  const state = entry.isTimeRough === true ? 'unsynced' : settled;
  if (wallMinusMonotonicMs === 'as-stamped') return { state, tsMs: entry.stamp.tsMs };
  return { state, tsMs: wholeMs(wallMinusMonotonicMs + entry.monotonicMs) };
}

/** Whole milliseconds, within what the wire and a record can carry. */
export function wholeMs(ms: number): number {
  return Math.min(MAX_SEQ, Math.max(0, Math.round(ms)));
}

function roundToCents(value: number): number {
  // Adding 0 turns -0 into 0.
  return Math.round(value * 100) / 100 + 0;
}
