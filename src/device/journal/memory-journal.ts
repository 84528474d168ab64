import type { Gap } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import { numberReading, settledStamp, wholeMs } from './entries.ts';
import type { GapEntry, Journal, JournalEntry, JournalStats, NewReading, ReadingEntry, Settlement } from './journal.ts';
import { JournalError } from './journal.ts';

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

  stats(): JournalStats {
    return {
      unreleased: this.#entries.length,
      pending: this.#entries.filter(isPending).length,
      lastSeq: this.#lastSeq,
      dropped: this.#dropped,
      bytesOnDisk: 0,
    };
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
