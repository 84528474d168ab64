import { dirname, join } from 'node:path';
import { type EpochPlace, type EpochScan, NOTE_FILE } from './epoch-scan.ts';
import { goneError, isMissing, type JournalFile, type JournalFs, toJournalError } from './journal-fs.ts';
import { encodeEnd, SLOT_BYTES, sealRecord, segmentSeed } from './record.ts';
import { encodeNote, NOTE_SLOT_OFFSETS, type ReleaseNote } from './release-note.ts';
import { type Segment, type SegmentHeader, SLOTS_PER_BLOCK, segmentFileName, slotOffset } from './segment.ts';
import { newSegment, type SegmentContent, writeSegment } from './segment-file.ts';
import { SegmentList } from './segment-list.ts';

/**
 * The files of one epoch: appends records to the last segment, adds segments, replaces and removes them. One caller at a time.
 */
export class EpochFiles {
  readonly list: SegmentList;
  readonly segments: readonly Segment[];
  readonly #fs: JournalFs;
  readonly #place: EpochPlace;
  #tailFile: JournalFile | undefined;
  /** Which file that is. */
  #tailId: string | undefined;
  #readFile: { readonly path: string; readonly file: JournalFile } | undefined;
  #noteCounter: number;

  constructor(fs: JournalFs, { place, segments, lastSeq, note }: EpochScan) {
    this.#fs = fs;
    this.#place = place;
    this.list = new SegmentList(
      segments.map(({ segment }) => segment),
      lastSeq,
    );
    this.segments = this.list.all;
    this.#noteCounter = note?.counter ?? 0;
  }

  /**
   * Puts records behind the last one, in one write, syncs them, and sees that the file is still the one at its path. Where that
   * fails nothing counts as written, and the place is cleared as far as the disk lets it. @throws JournalError
   */
  async append(records: readonly Buffer[], releasedTo: number): Promise<void> {
    const { tail } = this.list;
    if (tail === undefined || tail.usedSlots + records.length > tail.slots) {
      throw new RangeError(`no room for ${records.length} records in ${tail?.path ?? this.#place.directory}`);
    }
    const seed = segmentSeed(this.#place.deviceUid, this.#place.epoch, tail.index);
    const sealed = records.map((record, at) => sealRecord(record, seed, tail.usedSlots + at, releasedTo));
    const position = slotOffset(tail.usedSlots);
    try {
      const file = await this.#openTail(tail);
      await file.write(Buffer.concat(sealed), position);
      await file.dataSync();
      // A file that is not at its path any more takes everything, and the next start will not find it.
      if (!(await this.#isInPlace(tail))) throw goneError(tail.path);
    } catch (error) {
      const reason = toJournalError(error, 'writing', tail.path);
      await this.#clear(position, records.length * SLOT_BYTES, reason.code === 'JOURNAL_GONE');
      throw reason;
    }
    for (let at = 0; at < records.length; at += 1) {
      if (tail.usedSlots % SLOTS_PER_BLOCK === 0) tail.seqBeforeBlock.push(tail.lastSeq);
      tail.usedSlots += 1;
    }
  }

  /**
   * Adds an empty segment, durable before anything refers to it, and then says in the old one that it goes on there.
   * @throws JournalError
   */
  async addSegment(slots: number, firstSeq: number, retired: boolean, releasedTo: number): Promise<void> {
    const index = (this.list.tail?.index ?? 0) + 1;
    const { deviceUid, epoch } = this.#place;
    const header: SegmentHeader = { deviceUid, epoch, index, slots, firstSeq, level: 0, retired };
    const path = join(this.#place.directory, segmentFileName(index));
    await writeSegment(this.#fs, path, { header, records: [] });
    await this.#endTail(releasedTo);
    await this.#closeTail();
    this.list.add(newSegment(path, header));
  }

  /** Segments that are not, or not whole, where the next start will look for them. @throws JournalError */
  async missing(): Promise<readonly Segment[]> {
    const missing: Segment[] = [];
    await attempt('looking for', this.#place.directory, async () => {
      for (const segment of this.segments) if (!(await this.#isInPlace(segment))) missing.push(segment);
    });
    return missing;
  }

  /** Makes the directory of the epoch again. @throws JournalError */
  async makeDirectory(): Promise<void> {
    const { directory } = this.#place;
    await attempt('creating', directory, async () => {
      await this.#fs.makeDirectory(directory);
      for (const above of [dirname(directory), dirname(dirname(directory))]) await this.#fs.syncDirectory(above);
    });
  }

  /** The records of consecutive slots, as far as the file has them. @throws what the file system says */
  async readSlots(segment: Segment, fromSlot: number, count: number): Promise<readonly Buffer[]> {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(count, segment.usedSlots - fromSlot)) * SLOT_BYTES);
    const file = await this.#reader(segment);
    const length = await file.read(bytes, slotOffset(fromSlot));
    return Array.from({ length: Math.floor(length / SLOT_BYTES) }, (_, at) =>
      bytes.subarray(at * SLOT_BYTES, (at + 1) * SLOT_BYTES),
    );
  }

  /**
   * Writes a segment again with fewer records; either the old file is there or the new one. `fill` notes what waits in it.
   * @throws JournalError
   */
  async replace(segment: Segment, content: SegmentContent, fill: (replacement: Segment) => void): Promise<void> {
    await this.#closeReader();
    if (segment === this.list.tail) await this.#closeTail();
    await writeSegment(this.#fs, segment.path, content);
    const replacement = newSegment(segment.path, content.header, content.records.length);
    fill(replacement);
    this.list.replace(segment, replacement);
  }

  /** Removes a segment; the caller has made sure that a note on disk says why. @throws JournalError */
  async removeSegment(segment: Segment): Promise<void> {
    if (segment === this.list.tail) await this.#closeTail();
    await this.#closeReader();
    await attempt('removing', segment.path, () =>
      this.#fs.remove(segment.path).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      }),
    );
    this.list.remove(segment);
  }

  /** `durable`: in both slots, synced one after the other. Else in the older slot, whenever the system writes it. */
  async writeNote(note: Omit<ReleaseNote, 'counter'>, durability: 'durable' | 'lazy'): Promise<void> {
    const path = join(this.#place.directory, NOTE_FILE);
    await attempt('noting releases in', path, async () => {
      const file = await this.#openNote(path);
      try {
        for (let copies = durability === 'durable' ? NOTE_SLOT_OFFSETS.length : 1; copies > 0; copies -= 1) {
          this.#noteCounter += 1;
          const offset = NOTE_SLOT_OFFSETS[this.#noteCounter % NOTE_SLOT_OFFSETS.length] ?? 0;
          const { deviceUid, epoch } = this.#place;
          await file.write(encodeNote({ ...note, counter: this.#noteCounter }, deviceUid, epoch), offset);
          if (durability === 'durable') await file.dataSync();
        }
      } finally {
        await file.close();
      }
      if (durability === 'durable') await this.#fs.syncDirectory(this.#place.directory);
    });
  }

  async close(): Promise<void> {
    await this.#closeReader();
    await this.#closeTail();
  }

  /** The last segment is read through the file that is written to; of the others one is kept open, as a backlog is read in order. */
  async #reader(segment: Segment): Promise<JournalFile> {
    if (segment === this.list.tail && this.#tailFile !== undefined) return this.#tailFile;
    if (this.#readFile?.path === segment.path) return this.#readFile.file;
    await this.#closeReader();
    const file = await this.#fs.open(segment.path, 'read');
    this.#readFile = { path: segment.path, file };
    return file;
  }

  async #closeReader(): Promise<void> {
    const reader = this.#readFile;
    this.#readFile = undefined;
    await reader?.file.close();
  }

  async #endTail(releasedTo: number): Promise<void> {
    const { tail } = this.list;
    if (tail === undefined || tail.usedSlots >= tail.slots || tail.header === undefined) return;
    await this.append([encodeEnd(tail.lastSeq)], releasedTo);
  }

  async #closeTail(): Promise<void> {
    const file = this.#tailFile;
    this.#tailFile = undefined;
    this.#tailId = undefined;
    await file?.close();
  }

  async #openTail(tail: Segment): Promise<JournalFile> {
    if (this.#tailFile !== undefined) return this.#tailFile;
    const file = await this.#fs.open(tail.path, 'write');
    const { id, size } = await file.identity();
    if (size !== tail.bytes) {
      await file.close();
      throw goneError(tail.path);
    }
    this.#tailFile = file;
    this.#tailId = id;
    return file;
  }

  /** By one look: whether the file at its path is the one that is written to, and as long as it was. */
  async #isInPlace(segment: Segment): Promise<boolean> {
    const there = await this.#fs.identify(segment.path);
    const id = segment === this.list.tail ? this.#tailId : undefined;
    return there !== undefined && there.size === segment.bytes && (id === undefined || there.id === id);
  }

  /**
   * A record whose write or sync failed may be on disk all the same; the reading in it will get another number elsewhere,
   * so it must not come to light after a restart.
   */
  async #clear(position: number, length: number, isGone: boolean): Promise<void> {
    try {
      await this.#tailFile?.write(Buffer.alloc(length), position);
    } catch {
      // The next append to this slot overwrites it.
    }
    // What is in a file that is gone can be read as long as it is open.
    if (isGone) return;
    try {
      await this.#closeTail();
    } catch {
      // Opened again at the next append.
    }
  }

  async #openNote(path: string): Promise<JournalFile> {
    try {
      return await this.#fs.open(path, 'write');
    } catch {
      return await this.#fs.open(path, 'create');
    }
  }
}

async function attempt<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toJournalError(error, doing, path);
  }
}

export interface EpochEndParts {
  readonly files: EpochFiles;
  readonly scan: Pick<EpochScan, 'place' | 'uncertain'>;
  /** Records in a segment that is added from now on; a multiple of 64. */
  readonly slotsPerSegment: () => number;
}

/** The end of an epoch: gives the next number, and finds room for its record. One caller at a time. */
export class EpochEnd {
  readonly #parts: EpochEndParts;
  /** The last segment may be appended to: it is whole, or was added in this run. */
  #tailIsSound: boolean;

  constructor(parts: EpochEndParts) {
    this.#parts = parts;
    this.#tailIsSound = parts.scan.uncertain === undefined;
  }

  /** A record with the next number is on disk. `pendingKey`: the key of its boot, where it waits for its time. */
  take(pendingKey?: string): Segment {
    const { list } = this.#parts.files;
    const { tail } = list;
    if (tail === undefined) throw new RangeError(`${this.#parts.scan.place.directory} has no segment`);
    list.append(tail, pendingKey);
    return tail;
  }

  /** What a record takes on the disk: a segment when the last one is full, else nothing. */
  bytesToGrow(reserve: number): number {
    return this.hasSlot(reserve) ? 0 : slotOffset(this.#parts.slotsPerSegment());
  }

  /** @throws JournalError */
  async addSegment(releasedTo: number): Promise<void> {
    const { files, scan, slotsPerSegment } = this.#parts;
    await files.addSegment(slotsPerSegment(), files.list.stats.lastSeq + 1, scan.uncertain !== undefined, releasedTo);
    this.#tailIsSound = true;
  }

  /** Whether there is room for one record, with `reserve` more behind it. One slot more stays free: the end record's. */
  hasSlot(reserve: number): boolean {
    const { tail } = this.#parts.files.list;
    return tail !== undefined && this.#tailIsSound && tail.usedSlots + 1 + reserve < tail.slots;
  }
}
