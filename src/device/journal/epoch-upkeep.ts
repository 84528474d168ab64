import type { Gap } from '../../contract/reading.ts';
import type { UntoldLosses } from './losses.ts';
import type { EntrySource } from './read-entries.ts';
import { MissingSegments, planDrop, planThinning, type Removal, shrink } from './removal.ts';
import { releasedRangesOf, removableSegments, type Segment, shrinkableSegments } from './segment.ts';

/** Numbers released between two notes that no call waits for: 4 KiB for a thousand readings, whenever the system writes it. */
const RELEASES_PER_NOTE = 1024;

export interface EpochUpkeepParts {
  readonly source: EntrySource;
  readonly losses: UntoldLosses;
  /** The low-water marks in the records up to this number do not count any more. */
  readonly recalledTo: number;
  /** Whether an earlier epoch is still there: what speaks of it is kept as long. */
  readonly isEpochPresent: (epoch: string) => boolean;
  /** Something that need not fail the call it happened in: an unreadable segment, a clean-up that the disk refused. */
  readonly onFault: (error: unknown) => void;
}

/**
 * What an epoch does beside taking and giving entries: notes releases on disk, takes out of the files what need not stay or has to
 * make room, and looks after files that are missing. One caller at a time.
 */
export class EpochUpkeep {
  /** Whether files were missing since the journal was opened. */
  hasLostFiles = false;
  readonly #parts: EpochUpkeepParts;
  readonly #missing: MissingSegments;
  #releasesToNote = 0;
  #isStale = false;
  #recalledTo: number;
  /** The files are not, or not certainly, at their path. */
  #isAway = false;

  constructor(parts: EpochUpkeepParts) {
    this.#parts = parts;
    this.#missing = new MissingSegments(parts.source);
    this.#recalledTo = parts.recalledTo;
  }

  /** Whether the note on disk lacks something that it should say. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** So many numbers were released since the last call. */
  released(count: number): void {
    this.#releasesToNote += count;
    this.#isStale ||= this.#releasesToNote > 0;
  }

  /** Whether `putBack` has something to do. */
  get hasToPutBack(): boolean {
    return this.#missing.any;
  }

  /** Released entries up to here wait again. */
  recalled(upToSeq: number): void {
    this.#recalledTo = upToSeq;
    this.#isStale = true;
  }

  /** Everything up to this number has been released or is told by a gap record. */
  releasedTo(): number {
    const { source, losses } = this.#parts;
    const { list } = source.files;
    const { lastSeq } = list.stats;
    return list.releasedTo(losses.all.length === 0 ? lastSeq : Math.min(lastSeq, losses.lowest() - 1));
  }

  /** Removes segments from the old end whose entries are all released, and cuts others down; notes releases now and then. */
  async tidy(): Promise<void> {
    const isNoteDue = this.#releasesToNote >= RELEASES_PER_NOTE;
    if (this.#isAway || (this.#parts.source.files.segments.length < 2 && !isNoteDue)) return;
    await this.tolerate(() => this.#tidy());
  }

  /** For what need not fail the call: a disk that refuses it is reported, and the call goes on. */
  async tolerate(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#parts.onFault(error);
    }
  }

  /** Undefined when the segment cannot be read; it is not tried again then. */
  async planThinning(segment: Segment): Promise<Removal | undefined> {
    try {
      return await planThinning(this.#parts.source, segment);
    } catch (error) {
      segment.level = Infinity;
      this.#parts.onFault(error);
      return undefined;
    }
  }

  planDrop(segment: Segment): Promise<Removal> {
    return planDrop(this.#parts.source, segment);
  }

  /** Gives up what was planned; a gap record that tells of it is on disk. Where the file cannot follow, the next opening sees to it. */
  async thin(segment: Segment, level: number, { readings }: Removal): Promise<void> {
    const { source } = this.#parts;
    source.files.list.stats.dropped += readings.length;
    for (const seq of readings) source.files.list.forget(seq, seq, [segment]);
    segment.level = level;
    await this.tolerate(() => shrink(source, segment));
  }

  /** Gives up everything up to the end of the segment; a gap record that tells of it is on disk. */
  async drop(segment: Segment, { readings }: Removal): Promise<void> {
    this.#parts.source.files.list.stats.dropped += readings.length;
    this.#parts.losses.removeUpTo(segment.lastSeq);
    this.#forget(1, segment.lastSeq);
    await this.tidy();
  }

  /** A gap record tells of this loss now. */
  lossTold(loss: Gap): void {
    this.#parts.losses.remove(loss);
    this.#parts.source.files.list.stats.dropped += loss.count ?? 0;
    if (loss.to !== undefined && loss.count === loss.to - loss.from + 1) this.#forget(loss.from, loss.to);
  }

  /** Something under the path is gone: until `findMissing` the files are left alone, and read as far as they are open. */
  leave(): void {
    this.#isAway = true;
  }

  /** Looks which files are missing, and reads what can still be read of them; what cannot is a loss. @throws JournalError */
  async findMissing(): Promise<void> {
    this.#parts.losses.add(await this.#missing.find());
    this.#isAway = this.#missing.any;
    this.hasLostFiles ||= this.#missing.any;
  }

  /** Writes again what `findMissing` could read. `addSegment`: shows that nothing was given behind it. @throws JournalError */
  async putBack(addSegment: () => Promise<void>): Promise<void> {
    await this.#missing.putBack();
    await addSegment();
    await this.note('durable');
    this.#isAway = false;
  }

  /** @throws JournalError */
  async note(durability: 'durable' | 'lazy'): Promise<void> {
    const { source, losses } = this.#parts;
    const { files, settlements: all } = source;
    const upTo = this.releasedTo();
    // Where nothing waits, something may be lost: as long as that is untold it must not pass for released.
    const segments = losses.all.length > 0 ? [] : files.segments;
    const ranges = segments.flatMap((segment) => releasedRangesOf(segment)).filter(([, to]) => to > upTo);
    const oldest = files.segments[0]?.firstSeq ?? 0;
    const settlements = all.filter(({ uptoSeq }) => uptoSeq >= oldest);
    const note = {
      releasedTo: upTo,
      ranges,
      lastSeq: files.list.stats.lastSeq,
      settlements,
      recalledTo: this.#recalledTo,
    };
    await files.writeNote(note, durability);
    this.#releasesToNote = 0;
    if (durability === 'durable') this.#isStale = false;
  }

  async #tidy(): Promise<void> {
    const { source, losses } = this.#parts;
    const { files } = source;
    const removable = removableSegments(files.segments, (segment) => this.#isHeld(segment));
    if (removable.length > 0) await this.note('durable');
    for (const segment of removable) await files.removeSegment(segment);
    // A rewritten file does not show any more which of its records were damaged, so that is told first.
    const shrinkable = losses.all.length > 0 ? [] : shrinkableSegments(files.segments);
    for (const segment of shrinkable) await shrink(source, segment);
    if (this.#releasesToNote >= RELEASES_PER_NOTE) await this.note('lazy');
  }

  #forget(from: number, to: number): void {
    this.#parts.source.files.list.forget(from, to);
    this.#isStale = true;
  }

  #isHeld({ gaps }: Segment): boolean {
    const { source, isEpochPresent } = this.#parts;
    return gaps.some(({ gap }) => gap.ofEpoch !== source.place.epoch && isEpochPresent(gap.ofEpoch));
  }
}
