import { Mutex } from 'async-mutex';
import type { Gap } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import { EpochEnd, EpochFiles } from './epoch-files.ts';
import type { EpochPlace, EpochScan } from './epoch-scan.ts';
import { EpochUpkeep } from './epoch-upkeep.ts';
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
  wholeMs,
} from './journal.ts';
import type { JournalFs } from './journal-fs.ts';
import { UntoldLosses } from './losses.ts';
import { type EntrySource, isNumbered, readEntries, readRecords } from './read-entries.ts';
import { BootNames, encodeGap, encodeReading, encodeSettlement, type StoredSettlement } from './record.ts';
import type { Segment } from './segment.ts';

/** Room kept behind the readings for gap records and settlements, for when the disk has no space for another segment. */
const RESERVED_SLOTS = 8;

export interface FileJournalOptions {
  readonly fs: JournalFs;
  /** Gap records that were on disk, also in other epochs, have been applied to it. */
  readonly scan: EpochScan;
  /** Losses that no gap record tells of yet. */
  readonly losses: readonly Gap[];
  /** Records in a segment that is added from now on; a multiple of 64. */
  readonly slotsPerSegment: () => number;
  /** Whether an earlier epoch is still there: what speaks of it is kept as long. */
  readonly isEpochPresent: (epoch: string) => boolean;
  /**
   * The mutex of the journal set. The set holds it during each of its calls. `read` and `appendGap` are not among
   * them: they take it here.
   * Absent: the journal stands alone and puts its callers in order itself.
   */
  readonly setMutex?: Mutex;
  /** Something that need not fail the call it happened in: an unreadable segment, a clean-up that the disk refused. */
  readonly onFault: (error: unknown) => void;
}

/**
 * An epoch in segment files; README.md in this folder has the format and what each crash point leaves. Holds sets and
 * counters in memory, nothing per reading. One mutex guards the files' ends and the list of segments. It is taken once for each
 * call: by the set, where the journal belongs to one.
 */
export class FileJournal implements Journal {
  readonly durable = true;
  readonly place: EpochPlace;
  readonly deviceUid: string;
  readonly epoch: string;
  readonly stats: JournalStats;
  /** For the journal set, which holds the mutex. */
  readonly upkeep: EpochUpkeep;
  readonly #options: FileJournalOptions;
  readonly #files: EpochFiles;
  readonly #names = new BootNames();
  readonly #source: EntrySource & { readonly settlements: StoredSettlement[] };
  readonly #losses: UntoldLosses;
  readonly #end: EpochEnd;
  readonly #mutex: Mutex;
  #closed = false;

  constructor(options: FileJournalOptions) {
    const { fs, scan, losses } = options;
    this.#options = options;
    this.#mutex = options.setMutex ?? new Mutex();
    this.place = scan.place;
    this.deviceUid = scan.place.deviceUid;
    this.epoch = scan.place.epoch;
    this.#files = new EpochFiles(fs, scan);
    this.stats = this.#files.list.stats;
    this.#source = { files: this.#files, place: scan.place, settlements: [...scan.settlements] };
    this.#losses = new UntoldLosses(scan.place.epoch, losses);
    this.#end = new EpochEnd({ files: this.#files, scan, slotsPerSegment: options.slotsPerSegment });
    this.upkeep = new EpochUpkeep({
      source: this.#source,
      losses: this.#losses,
      recalledTo: scan.note?.recalledTo ?? 0,
      isEpochPresent: options.isEpochPresent,
      onFault: options.onFault,
    });
  }

  /** Whether numbers can still be given here. */
  get givesNumbers(): boolean {
    return this.#options.scan.uncertain === undefined && !this.upkeep.hasLostFiles && !this.#closed;
  }

  append(reading: NewReading): Promise<ReadingEntry> {
    return this.#exclusively(async () => {
      this.#assertGivesNumbers();
      const entry = numberReading(reading, this.stats.lastSeq + 1);
      const bootKey = this.#names.keyOf(entry.bootId);
      await this.#write(encodeReading(entry, bootKey), RESERVED_SLOTS);
      this.#end.take(entry.stamp.state === 'pending' ? bootKey : undefined);
      await this.upkeep.tidy();
      return entry;
    });
  }

  appendGap(gap: Gap, tsMs: number): Promise<GapEntry> {
    return this.#mutex.runExclusive(() => this.tellGap(gap, tsMs, 0));
  }

  /** As `appendGap`, within a call of the set; `level` is the thinning level that the segment reaches. @throws JournalError */
  async tellGap(gap: Gap, tsMs: number, level: number): Promise<GapEntry> {
    this.#assertGivesNumbers();
    const entry: GapEntry = { kind: 'gap', seq: this.stats.lastSeq + 1, gap, tsMs: wholeMs(tsMs) };
    await this.#write(encodeGap({ ...entry, level }, this.epoch), 0);
    this.#end.take().gaps.push({ ...entry, level });
    return entry;
  }

  settle(settlement: Settlement): Promise<number> {
    return this.#exclusively(async () => {
      this.#assertOpen();
      const bootKey = this.#names.keyOf(settlement.bootId);
      const count = this.#files.list.pendingOf(bootKey);
      if (count === 0) return 0;
      const stored: StoredSettlement = { ...settlement, bootId: bootKey, uptoSeq: this.stats.lastSeq };
      await this.#write(encodeSettlement(stored), 0);
      this.#source.settlements.push(stored);
      this.#files.list.tail?.settlements.push(stored);
      // Again in another file, so that no damage brings the readings another time than the one they were sent with.
      await this.upkeep.tolerate(() => this.upkeep.note('durable'));
      this.#files.list.settle(bootKey);
      return count;
    });
  }

  pendingBootIds(): readonly string[] {
    return this.#files.list.pendingKeys().map((key) => this.#names.nameOf(key));
  }

  read(afterSeq: number, limit: number): Promise<readonly JournalEntry[]> {
    return this.#mutex.runExclusive(async () => {
      if (this.#closed) return [];
      await this.upkeep.tidy();
      const { entries, lost, unreadable } = await readEntries(this.#source, afterSeq, limit);
      for (const { error } of unreadable) this.#options.onFault(error);
      this.#losses.add(lost);
      return entries.map((entry) =>
        entry.kind === 'gap' ? entry : { ...entry, bootId: this.#names.nameOf(entry.bootId) },
      );
    });
  }

  release(ranges: readonly SeqRange[]): void {
    for (const [from, to] of ranges) this.upkeep.released(this.#files.list.release(from, to));
  }

  recall(): Promise<number> {
    return this.#exclusively(async () => {
      this.#assertOpen();
      let count = 0;
      for (const segment of this.#files.segments) {
        await this.upkeep.tolerate(async () => {
          // As the file says, not as memory remembers: only what is still there can be given again.
          const records = await readRecords(this.#files, this.place, segment);
          const seqs = records.filter(isNumbered).map(({ seq }) => seq);
          count += this.#files.list.recall(segment, seqs);
        });
      }
      this.upkeep.recalled(this.stats.lastSeq);
      await this.upkeep.note('durable');
      return count;
    });
  }

  oldest(): number | undefined {
    return this.#files.list.oldest();
  }

  close(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#closed) return;
      this.#closed = true;
      try {
        if (this.upkeep.isStale) await this.upkeep.note('durable');
        await this.#files.close();
      } catch (error) {
        this.#options.onFault(error);
      }
    });
  }

  /** Losses that no gap record tells of yet: found when it was opened, or met since. */
  losses(): readonly Gap[] {
    return this.#losses.all;
  }

  /** Oldest first. */
  segments(): readonly Segment[] {
    return this.#files.segments;
  }

  isTail(segment: Segment): boolean {
    return segment === this.#files.list.tail;
  }

  /** What the next reading takes on the disk: a segment when the last one is full, else nothing. */
  bytesToGrow(): number {
    return this.#end.bytesToGrow(RESERVED_SLOTS);
  }

  /** Goes on in a new segment, so that what is in the present one can be thinned or dropped. @throws JournalError */
  rollOver(): Promise<void> {
    return this.#end.addSegment(this.upkeep.releasedTo());
  }

  /** Whether all its files are where the next start will look for them. @throws JournalError */
  async isInPlace(): Promise<boolean> {
    return (await this.#files.missing()).length === 0;
  }

  /**
   * Looks which files are missing, and reads what can still be read of them; what cannot is a loss. After that it gives no
   * more numbers if any was missing: where the old files come back, none was given twice. @throws JournalError
   */
  async findMissing(): Promise<void> {
    if (!this.#closed) await this.upkeep.findMissing();
  }

  /** Writes again what `findMissing` could read; gap records tell of the rest. Nothing where all is there. @throws JournalError */
  async putBack(): Promise<void> {
    if (this.upkeep.hasToPutBack && !this.#closed) await this.upkeep.putBack(() => this.rollOver());
  }

  /** Notes on disk that all has been released, so that removing the files in any order leaves nothing unexplained. */
  async closeForRemoval(): Promise<void> {
    await this.upkeep.note('durable');
    await this.close();
  }

  /** Puts a record on disk, with room for `reserve` more behind it. @throws JournalError */
  async #write(record: Buffer, reserve: number): Promise<void> {
    const releasedTo = this.upkeep.releasedTo();
    if (!this.#end.hasSlot(reserve)) await this.#end.addSegment(releasedTo);
    await this.#files.append([record], releasedTo);
  }

  /** For the calls that change something. The set holds its mutex already; a call without it is a fault of this program. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#options.setMutex === undefined) return this.#mutex.runExclusive(work);
    if (!this.#mutex.isLocked()) throw new Error(`the journal ${this.epoch} was called past its set`);
    return work();
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new JournalError('JOURNAL_CLOSED', `${this.place.directory} was closed; open it again`);
  }

  #assertGivesNumbers(): void {
    this.#assertOpen();
    if (this.givesNumbers) return;
    throw new JournalError(
      'JOURNAL_CLOSED',
      `${this.place.directory} was damaged and gives no more numbers; begin an epoch`,
    );
  }
}
