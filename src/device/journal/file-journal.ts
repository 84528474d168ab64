import { Mutex } from 'async-mutex';
import type { Gap } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import { EpochFiles } from './epoch-files.ts';
import type { EpochPlace, EpochScan } from './epoch-scan.ts';
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
import { type EntrySource, isNumbered, readEntries, readRecords } from './read-entries.ts';
import { BootNames, encodeGap, encodeReading, encodeSettlement, type StoredSettlement } from './record.ts';
import { MissingSegments, planDrop, planThinning, type Removal, shrink } from './removal.ts';
import {
  addPending,
  countPending,
  forget,
  markReleased,
  recall,
  releasedRangesOf,
  releasedTo,
  removableSegments,
  type Segment,
  shrinkableSegments,
  slotOffset,
} from './segment.ts';

/** Numbers released between two notes that no caller waits for: 4 KiB for a thousand readings, whenever the system writes it. */
const RELEASES_PER_NOTE = 1024;
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
  /** Something that need not fail the call it happened in: an unreadable segment, a clean-up that the disk refused. */
  readonly onFault: (error: unknown) => void;
}

/**
 * An epoch in segment files; README.md in this folder has the format and what each crash point leaves. Holds sets and
 * counters in memory, nothing per reading. The mutex guards the files' ends and the list of segments; it is never nested.
 */
export class FileJournal implements Journal {
  readonly durable = true;
  readonly place: EpochPlace;
  readonly #options: FileJournalOptions;
  readonly #files: EpochFiles;
  readonly #settlements: StoredSettlement[];
  readonly #names = new BootNames();
  readonly #source: EntrySource;
  readonly #mutex = new Mutex();
  #lastSeq: number;
  #losses: readonly Gap[];
  #dropped = 0;
  #releasesToNote = 0;
  #noteIsStale = false;
  /** The low-water marks in the records up to this number do not count any more. */
  #recalledTo: number;
  /** The last segment may be appended to: it is whole, or was added in this run. */
  #tailIsSound: boolean;
  /** Its files are not, or not certainly, at their path. */
  #isAway = false;
  readonly #missing: MissingSegments;
  #hasLostFiles = false;
  #closed = false;

  constructor(options: FileJournalOptions) {
    const { fs, scan, losses } = options;
    this.#options = options;
    this.place = scan.place;
    this.#files = new EpochFiles(
      fs,
      scan.place,
      scan.segments.map(({ segment }) => segment),
      scan.note,
    );
    this.#settlements = [...scan.settlements];
    this.#source = { files: this.#files, place: scan.place, settlements: this.#settlements };
    this.#missing = new MissingSegments(this.#source);
    this.#lastSeq = scan.lastSeq;
    this.#losses = losses;
    this.#recalledTo = scan.note?.recalledTo ?? 0;
    this.#tailIsSound = scan.uncertain === undefined;
  }

  get deviceUid(): string {
    return this.place.deviceUid;
  }

  get epoch(): string {
    return this.place.epoch;
  }

  /** Whether numbers can still be given here. */
  get givesNumbers(): boolean {
    return this.#options.scan.uncertain === undefined && !this.#hasLostFiles && !this.#closed;
  }

  append(reading: NewReading): Promise<ReadingEntry> {
    return this.#mutex.runExclusive(async () => {
      this.#assertGivesNumbers();
      const entry = numberReading(reading, this.#lastSeq + 1);
      const bootKey = this.#names.keyOf(entry.bootId);
      await this.#makeSlots(1, RESERVED_SLOTS);
      await this.#files.append([encodeReading(entry, bootKey)], this.#releasedTo());
      const tail = this.#take(entry.seq);
      if (entry.stamp.state === 'pending') addPending(tail, bootKey, entry.seq);
      await this.#tidy();
      return entry;
    });
  }

  appendGap(gap: Gap, tsMs: number): Promise<GapEntry> {
    return this.tellGap(gap, tsMs, 0);
  }

  /** As `appendGap`; `level` is the thinning level that the segment reaches by what the record tells. @throws JournalError */
  tellGap(gap: Gap, tsMs: number, level: number): Promise<GapEntry> {
    return this.#mutex.runExclusive(async () => {
      this.#assertGivesNumbers();
      const entry: GapEntry = { kind: 'gap', seq: this.#lastSeq + 1, gap, tsMs: wholeMs(tsMs) };
      await this.#makeSlots(1, 0);
      await this.#files.append([encodeGap({ ...entry, level }, this.epoch)], this.#releasedTo());
      this.#take(entry.seq).gaps.push({ ...entry, level });
      return entry;
    });
  }

  settle(settlement: Settlement): Promise<number> {
    return this.#mutex.runExclusive(async () => {
      this.#assertOpen();
      const bootKey = this.#names.keyOf(settlement.bootId);
      const count = this.#files.segments.reduce((sum, { pending }) => sum + (pending.get(bootKey)?.size ?? 0), 0);
      if (count === 0) return 0;
      const stored: StoredSettlement = { ...settlement, bootId: bootKey, uptoSeq: this.#lastSeq };
      await this.#makeSlots(1, 0);
      await this.#files.append([encodeSettlement(stored)], this.#releasedTo());
      this.#settlements.push(stored);
      this.#files.tail?.settlements.push(stored);
      // Again in another file, so that no damage brings the readings another time than the one they were sent with.
      await this.#tolerate(() => this.#note('durable'));
      for (const { pending } of this.#files.segments) pending.delete(bootKey);
      return count;
    });
  }

  pendingBootIds(): readonly string[] {
    const keys = this.#files.segments.flatMap(({ pending }) =>
      [...pending].filter(([, seqs]) => seqs.size > 0).map(([key]) => key),
    );
    return [...new Set(keys)].map((key) => this.#names.nameOf(key));
  }

  read(afterSeq: number, limit: number): Promise<readonly JournalEntry[]> {
    return this.#mutex.runExclusive(async () => {
      if (this.#closed) return [];
      await this.#tidy();
      const { entries, lost, unreadable } = await readEntries(this.#source, afterSeq, limit);
      for (const { error } of unreadable) this.#options.onFault(error);
      this.#noteLost(lost);
      return entries.map((entry) =>
        entry.kind === 'gap' ? entry : { ...entry, bootId: this.#names.nameOf(entry.bootId) },
      );
    });
  }

  release(ranges: readonly SeqRange[]): void {
    for (const [from, to] of ranges) {
      for (const segment of this.#files.segments) this.#releasesToNote += markReleased(segment, from, to);
    }
    this.#noteIsStale ||= this.#releasesToNote > 0;
  }

  recall(): Promise<number> {
    return this.#mutex.runExclusive(async () => {
      this.#assertOpen();
      let count = 0;
      for (const segment of this.#files.segments) {
        await this.#tolerate(async () => {
          // As the file says, not as memory remembers: only what is still there can be given again.
          const records = await readRecords(this.#files, this.place, segment);
          count += records.filter((record) => isNumbered(record) && recall(segment, record.seq)).length;
        });
      }
      this.#recalledTo = this.#lastSeq;
      this.#noteIsStale = true;
      await this.#note('durable');
      return count;
    });
  }

  stats(): JournalStats {
    const { segments } = this.#files;
    return {
      unreleased: segments.reduce((sum, { unreleased }) => sum + unreleased.size, 0),
      pending: segments.reduce((sum, segment) => sum + countPending(segment), 0),
      lastSeq: this.#lastSeq,
      dropped: this.#dropped,
      bytesOnDisk: this.#files.bytes,
    };
  }

  close(): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      if (this.#closed) return;
      this.#closed = true;
      try {
        if (this.#noteIsStale) await this.#note('durable');
        await this.#files.close();
      } catch (error) {
        this.#options.onFault(error);
      }
    });
  }

  /** Losses that no gap record tells of yet: found when it was opened, or met since. */
  losses(): readonly Gap[] {
    return this.#losses;
  }

  /** A gap record tells of it now. */
  lossTold(loss: Gap): void {
    this.#losses = this.#losses.filter((other) => other !== loss);
    this.#dropped += loss.count ?? 0;
    if (loss.to !== undefined && loss.count === loss.to - loss.from + 1) this.#forget(loss.from, loss.to);
  }

  /** Everything up to this number has been released or is told by a gap record. */
  releasedTo(): number {
    return this.#releasedTo();
  }

  /** Oldest first. */
  segments(): readonly Segment[] {
    return this.#files.segments;
  }

  isTail(segment: Segment): boolean {
    return segment === this.#files.tail;
  }

  /** What the next reading takes on the disk: a segment when the last one is full, else nothing. */
  bytesToGrow(): number {
    return this.#hasSlots(1, RESERVED_SLOTS) ? 0 : slotOffset(this.#options.slotsPerSegment());
  }

  /** Goes on in a new segment, so that what is in the present one can be thinned or dropped. @throws JournalError */
  rollOver(): Promise<void> {
    return this.#mutex.runExclusive(() => this.#addSegment());
  }

  /** Undefined when the segment cannot be read; it is not tried again then. */
  planThinning(segment: Segment): Promise<Removal | undefined> {
    return this.#mutex.runExclusive(async () => {
      try {
        return await planThinning(this.#source, segment);
      } catch (error) {
        segment.level = Infinity;
        this.#options.onFault(error);
        return undefined;
      }
    });
  }

  planDrop(segment: Segment): Promise<Removal> {
    return this.#mutex.runExclusive(() => planDrop(this.#source, segment));
  }

  /** Gives up what was planned; a gap record that tells of it is on disk. Where the file cannot follow, the next opening sees to it. */
  thin(segment: Segment, level: number, { readings }: Removal): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      this.#dropped += readings.length;
      for (const seq of readings) forget(segment, seq, seq);
      segment.level = level;
      await this.#tolerate(() => shrink(this.#source, segment));
    });
  }

  /** Gives up everything up to the end of the segment; a gap record that tells of it is on disk. */
  drop(segment: Segment, { readings }: Removal): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      this.#dropped += readings.length;
      this.#losses = this.#losses.filter(({ to }) => to === undefined || to > segment.lastSeq);
      this.#forget(1, segment.lastSeq);
      await this.#tidy();
    });
  }

  /** Whether all its files are where the next start will look for them. @throws JournalError */
  isInPlace(): Promise<boolean> {
    return this.#mutex.runExclusive(async () => (await this.#files.missing()).length === 0);
  }

  /** Something under its path is gone: until `findMissing` its files are left alone, and read as far as they are open. */
  leave(): void {
    this.#isAway = true;
  }

  /**
   * Looks which files are missing, and reads what can still be read of them; what cannot is a loss. After that it gives no
   * more numbers if any was missing: where the old files come back, none was given twice. @throws JournalError
   */
  findMissing(): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      if (this.#closed) return;
      this.#noteLost(await this.#missing.find());
      this.#isAway = this.#missing.any;
      this.#hasLostFiles ||= this.#missing.any;
    });
  }

  get hasToPutBack(): boolean {
    return this.#missing.any && !this.#closed;
  }

  /** Writes again what `findMissing` could read; gap records tell of the rest. @throws JournalError */
  putBack(): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      if (!this.hasToPutBack) return;
      await this.#missing.putBack();
      // Shows that nothing was given behind it.
      await this.#addSegment();
      await this.#note('durable');
      this.#isAway = false;
    });
  }

  /** Notes on disk that all has been released, so that removing the files in any order leaves nothing unexplained. */
  async closeForRemoval(): Promise<void> {
    await this.#mutex.runExclusive(async () => {
      await this.#note('durable');
      this.#noteIsStale = false;
    });
    await this.close();
  }

  #take(seq: number): Segment {
    const { tail } = this.#files;
    if (tail === undefined) throw new RangeError(`${this.place.directory} has no segment`);
    this.#lastSeq = seq;
    tail.lastSeq = seq;
    tail.unreleased.add(seq);
    return tail;
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

  /** One slot more than asked for stays free: the end record's. */
  #hasSlots(count: number, reserve: number): boolean {
    const { tail } = this.#files;
    return tail !== undefined && this.#tailIsSound && tail.usedSlots + count + reserve < tail.slots;
  }

  async #makeSlots(count: number, reserve: number): Promise<void> {
    if (!this.#hasSlots(count, reserve)) await this.#addSegment();
  }

  async #addSegment(): Promise<void> {
    const slots = this.#options.slotsPerSegment();
    const isRetired = this.#options.scan.uncertain !== undefined;
    await this.#files.addSegment(slots, this.#lastSeq + 1, isRetired, this.#releasedTo());
    this.#tailIsSound = true;
  }

  #releasedTo(): number {
    const untold = Math.min(this.#lastSeq + 1, ...this.#losses.map(({ from }) => from));
    return releasedTo(this.#files.segments, untold - 1);
  }

  #forget(from: number, to: number): void {
    for (const segment of this.#files.segments) forget(segment, from, to);
    this.#noteIsStale = true;
  }

  #noteLost(lost: readonly SeqRange[]): void {
    const known = this.#losses;
    for (const [from, to] of lost) {
      if (known.some((loss) => loss.from <= from && (loss.to ?? 0) >= to)) continue;
      const loss: Gap = { ofEpoch: this.epoch, from, to, count: to - from + 1, reason: 'damaged' };
      this.#losses = [...this.#losses, loss];
    }
  }

  /** Removes segments from the old end whose entries are all released, and cuts others down; notes releases now and then. */
  async #tidy(): Promise<void> {
    if (this.#isAway) return;
    await this.#tolerate(async () => {
      const removable = removableSegments(this.#files.segments, (segment) => this.#isHeld(segment));
      if (removable.length > 0) await this.#note('durable');
      for (const segment of removable) await this.#files.removeSegment(segment);
      // A rewritten file does not show any more which of its records were damaged, so that is told first.
      const shrinkable = this.#losses.length > 0 ? [] : shrinkableSegments(this.#files.segments);
      for (const segment of shrinkable) await shrink(this.#source, segment);
      if (this.#releasesToNote >= RELEASES_PER_NOTE) await this.#note('lazy');
    });
  }

  #isHeld({ gaps }: Segment): boolean {
    return gaps.some(({ gap }) => gap.ofEpoch !== this.epoch && this.#options.isEpochPresent(gap.ofEpoch));
  }

  async #note(durability: 'durable' | 'lazy'): Promise<void> {
    const upTo = this.#releasedTo();
    // Where nothing waits, something may be lost: as long as that is untold it must not pass for released.
    const segments = this.#losses.length > 0 ? [] : this.#files.segments;
    const ranges = segments.flatMap((segment) => releasedRangesOf(segment)).filter(([, to]) => to > upTo);
    const oldest = this.#files.segments[0]?.firstSeq ?? 0;
    const settlements = this.#settlements.filter(({ uptoSeq }) => uptoSeq >= oldest);
    const note = { releasedTo: upTo, ranges, lastSeq: this.#lastSeq, settlements, recalledTo: this.#recalledTo };
    await this.#files.writeNote(note, durability);
    this.#releasesToNote = 0;
    if (durability === 'durable') this.#noteIsStale = false;
  }

  /** For what the journal does beside its task: a disk that refuses it is told, and the call goes on. */
  async #tolerate(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
