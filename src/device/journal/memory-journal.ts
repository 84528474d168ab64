import type { Gap } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { JournalSection } from '../config.ts';
import type { JournalDirectory } from './directory.ts';
import type { FileJournal } from './file-journal.ts';
import {
  type GapEntry,
  type Journal,
  type JournalEntry,
  JournalError,
  type JournalStats,
  type NewReading,
  numberReading,
  type ReadingEntry,
  type Settlement,
  settledStamp,
  wholeMs,
} from './journal.ts';

export interface MemoryJournalOptions {
  readonly deviceUid: string;
  readonly epoch: string;
  /** Most entries that are kept; at least 4. */
  readonly maxEntries: () => number;
  readonly whenFull: () => 'thin' | 'drop-oldest';
  /** For the gap records that it makes itself. */
  readonly nowMs: () => number;
  /** Hears of every release; for the copy on disk, where there is one. */
  readonly onRelease?: (ranges: readonly SeqRange[]) => void;
}

/** A share of the entries goes at once, so that making room costs little per reading. */
const DROPPED_SHARE = 1 / 4;

/**
 * Holds readings while the disk refuses them. What it cannot hold becomes a gap record, reason `lost-in-memory`; what it
 * holds is lost with the process, unless the journal set brings it to disk before.
 */
export class MemoryJournal implements Journal {
  readonly durable = false;
  readonly deviceUid: string;
  readonly epoch: string;
  readonly #options: MemoryJournalOptions;
  #entries: JournalEntry[] = [];
  #lastSeq = 0;
  #dropped = 0;
  #closed = false;

  constructor(options: MemoryJournalOptions) {
    this.#options = options;
    this.deviceUid = options.deviceUid;
    this.epoch = options.epoch;
  }

  append(reading: NewReading): Promise<ReadingEntry> {
    return this.#exclusively(() => {
      const entry = numberReading(reading, this.#lastSeq + 1);
      this.#lastSeq = entry.seq;
      this.#entries.push(entry);
      this.#makeRoom();
      return entry;
    });
  }

  appendGap(gap: Gap, tsMs: number): Promise<GapEntry> {
    return this.#exclusively(() => this.#addGap(gap, tsMs));
  }

  settle(settlement: Settlement): Promise<number> {
    return this.#exclusively(() => {
      let count = 0;
      this.#entries = this.#entries.map((entry) => {
        if (!isPending(entry) || entry.bootId !== settlement.bootId) return entry;
        count += 1;
        return { ...entry, stamp: settledStamp(entry, settlement) };
      });
      return count;
    });
  }

  pendingBootIds(): readonly string[] {
    return [...new Set(this.#entries.filter(isPending).map(({ bootId }) => bootId))];
  }

  read(afterSeq: number, limit: number): Promise<readonly JournalEntry[]> {
    const final = this.#entries.filter((entry) => entry.seq > afterSeq && !isPending(entry));
    return Promise.resolve(this.#closed ? [] : final.slice(0, limit));
  }

  release(ranges: readonly SeqRange[]): void {
    this.#entries = this.#entries.filter(
      (entry) => isPending(entry) || !ranges.some(([from, to]) => from <= entry.seq && entry.seq <= to),
    );
    this.#options.onRelease?.(ranges);
  }

  /** What is released is not kept in memory, so there is nothing to bring back. */
  recall(): Promise<number> {
    return Promise.resolve(0);
  }

  get stats(): JournalStats {
    return {
      unreleased: this.#entries.length,
      pending: this.#entries.filter(isPending).length,
      lastSeq: this.#lastSeq,
      dropped: this.#dropped,
      bytesOnDisk: 0,
    };
  }

  oldest(): number | undefined {
    return this.#entries[0]?.seq;
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Everything that is not released, pending times included: for the copy on disk. */
  entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  #exclusively<T>(action: () => T): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new JournalError('JOURNAL_CLOSED', `the memory journal ${this.epoch} was closed`));
    }
    // Runs in one go; a promise only because the interface has it so.
    return new Promise((resolve) => resolve(action()));
  }

  #addGap(gap: Gap, tsMs: number): GapEntry {
    const entry: GapEntry = { kind: 'gap', seq: this.#lastSeq + 1, gap, tsMs: wholeMs(tsMs) };
    this.#lastSeq = entry.seq;
    this.#entries.push(entry);
    return entry;
  }

  #makeRoom(): void {
    const limit = Math.max(4, this.#options.maxEntries());
    if (this.#entries.length <= limit) return;
    const goal = Math.max(2, Math.ceil(limit * DROPPED_SHARE));
    if (this.#options.whenFull() === 'drop-oldest' || !this.#thin(goal)) this.#dropOldest(goal);
  }

  /** Every second reading of the older half; false where that would not make enough room any more. */
  #thin(goal: number): boolean {
    const older = this.#entries.slice(0, Math.ceil(this.#entries.length / 2));
    const victims = older.filter((entry) => entry.kind === 'reading').filter((_, rank) => rank % 2 === 1);
    if (victims.length < goal / 2) return false;
    this.#giveUp(victims, []);
    return true;
  }

  /** Gap records among the oldest that speak of this epoch go into the new one; others are told again. */
  #dropOldest(count: number): void {
    const oldest = this.#entries.slice(0, count);
    const gaps = oldest.filter((entry) => entry.kind === 'gap');
    const folded = gaps.filter(({ gap }) => gap.ofEpoch === this.epoch && gap.count !== undefined);
    const carried = gaps.filter((entry) => !folded.includes(entry));
    this.#giveUp(oldest, folded);
    for (const { gap, tsMs } of carried) this.#addGap(gap, tsMs);
  }

  #giveUp(victims: readonly JournalEntry[], folded: readonly GapEntry[]): void {
    const going = new Set(victims);
    this.#entries = this.#entries.filter((entry) => !going.has(entry));
    const count = folded.reduce((sum, { gap }) => sum + (gap.count ?? 0), victims.length);
    const times = victims.flatMap((entry) => (entry.kind === 'reading' ? [entry.stamp.tsMs] : []));
    const foldedTimes = folded.flatMap(({ gap }) => (gap.fromTsMs === undefined ? [] : [gap.fromTsMs]));
    this.#dropped += victims.length;
    this.#addGap(
      {
        ofEpoch: this.epoch,
        from: Math.min(...victims.map(({ seq }) => seq), ...folded.map(({ gap }) => gap.from)),
        to: Math.max(...victims.map(({ seq }) => seq)),
        count,
        reason: 'lost-in-memory',
        ...(times.length > 0 && { fromTsMs: Math.min(...times, ...foldedTimes), toTsMs: Math.max(...times) }),
      },
      this.#options.nowMs(),
    );
  }
}

function isPending(entry: JournalEntry): entry is ReadingEntry {
  return entry.kind === 'reading' && entry.stamp.state === 'pending';
}

/** Some 3 MB of readings; at one a minute a week. */
const MAX_ENTRIES_IN_MEMORY = 10_000;

/** What stood in for the disk while it refused. */
interface Fallback {
  readonly memory: MemoryJournal;
  /** The same entries on disk, made once the disk is back: for a restart before they are released. */
  copy: FileJournal | undefined;
}

/** The memory journals of a set: the one that is written to, and earlier ones that still hold something. */
export class MemoryFallback {
  readonly #settings: () => JournalSection;
  readonly #nowMs: () => number;
  #memoryFallback: Fallback[] = [];

  constructor(settings: () => JournalSection, nowMs: () => number) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  /** Oldest first. */
  journals(): readonly MemoryJournal[] {
    return this.#memoryFallback.map(({ memory }) => memory);
  }

  /** Those that are nowhere but in memory. */
  withoutCopy(): readonly MemoryJournal[] {
    return this.#memoryFallback.filter(({ copy }) => copy === undefined).map(({ memory }) => memory);
  }

  /** Whether the journal on disk is a copy of one in memory, which is read and counted in its stead. */
  isCopy(journal: FileJournal): boolean {
    return this.#memoryFallback.some(({ copy }) => copy === journal);
  }

  /** The one to write to: the last one, unless it is another device's or on disk already. */
  current(deviceUid: string, createEpochName: () => string): MemoryJournal {
    const last = this.#memoryFallback.at(-1);
    if (last !== undefined && last.copy === undefined && last.memory.deviceUid === deviceUid) return last.memory;
    const fallback: Fallback = {
      memory: new MemoryJournal({
        deviceUid,
        epoch: createEpochName(),
        maxEntries: () => Math.min(MAX_ENTRIES_IN_MEMORY, this.#settings().maxReadings),
        whenFull: () => this.#settings().whenFull,
        nowMs: this.#nowMs,
        onRelease: (ranges) => fallback.copy?.release(ranges),
      }),
      copy: undefined,
    };
    this.#memoryFallback.push(fallback);
    return fallback.memory;
  }

  /** Brings to disk what is only in memory. @throws JournalError */
  async bringToDisk(journalDirectory: JournalDirectory): Promise<void> {
    for (const fallback of this.#memoryFallback) {
      const { memory } = fallback;
      if (fallback.copy !== undefined || memory.entries().length === 0) continue;
      const { deviceUid, epoch } = memory;
      const lastSeq = memory.stats.lastSeq;
      fallback.copy = await journalDirectory.begin({ deviceUid, epoch, entries: [...memory.entries()], lastSeq });
      // What was released while it was being written.
      fallback.copy.release(releasedSince(fallback.copy, memory));
    }
  }

  /** From now on the copies on disk are read and counted themselves. @returns what the memory had given up on */
  handOverToCopies(): number {
    const onDisk = this.#memoryFallback.filter(({ copy }) => copy !== undefined);
    this.#memoryFallback = this.#memoryFallback.filter(({ copy }) => copy === undefined);
    return onDisk.reduce((sum, { memory }) => sum + memory.stats.dropped, 0);
  }

  /**
   * Lets go of those that hold nothing any more, which frees their copies for removal; not of the one that is written to.
   * @returns what they gave up on
   */
  forgetEmpty(written: Journal | undefined): number {
    const empty = this.#memoryFallback.filter(({ memory }) => memory !== written && memory.stats.unreleased === 0);
    this.#memoryFallback = this.#memoryFallback.filter((fallback) => !empty.includes(fallback));
    return empty.reduce((sum, { memory }) => sum + memory.stats.dropped, 0);
  }

  /** Entries that are nowhere but in memory. */
  onlyInMemory(): number {
    return this.withoutCopy().reduce((sum, memory) => sum + memory.stats.unreleased, 0);
  }
}

function releasedSince(copy: FileJournal, memory: MemoryJournal): readonly (readonly [number, number])[] {
  const waiting = new Set(memory.entries().map(({ seq }) => seq));
  return copy
    .segments()
    .flatMap(({ unreleased }) => [...unreleased])
    .filter((seq) => !waiting.has(seq))
    .map((seq) => [seq, seq] as const);
}
