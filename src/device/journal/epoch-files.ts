import { join } from 'node:path';
import { type EpochPlace, NOTE_FILE } from './epoch-scan.ts';
import { type JournalFile, type JournalFs, toJournalError } from './journal-fs.ts';
import { encodeEnd, resealRecord, SLOT_BYTES, sealRecord, segmentSeed } from './record.ts';
import { encodeNote, NOTE_FILE_BYTES, NOTE_SLOT_OFFSETS, type ReleaseNote } from './release-note.ts';
import { type Segment, SLOTS_PER_BLOCK, segmentFileName, slotOffset } from './segment.ts';
import { encodeHeader, HEADER_BYTES, type SegmentHeader } from './segment-header.ts';
import { SeqSet } from './seq-set.ts';

const TEMPORARY_SUFFIX = '.tmp';

/** What a segment is made of when it is written as a whole. */
export interface SegmentContent {
  readonly header: SegmentHeader;
  /** Records in order; their seals are renewed. */
  readonly records: readonly Buffer[];
}

/**
 * The files of one epoch: appends records to the last segment, adds segments, replaces and removes them. Knows slots and
 * bytes, not what is released. One caller at a time.
 */
export class EpochFiles {
  readonly segments: Segment[];
  readonly #fs: JournalFs;
  readonly #place: EpochPlace;
  #tailFile: JournalFile | undefined;
  #readFile: { readonly path: string; readonly file: JournalFile } | undefined;
  #noteCounter: number;

  constructor(fs: JournalFs, place: EpochPlace, segments: readonly Segment[], note: ReleaseNote | undefined) {
    this.#fs = fs;
    this.#place = place;
    this.segments = [...segments];
    this.#noteCounter = note?.counter ?? 0;
  }

  get tail(): Segment | undefined {
    return this.segments.at(-1);
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, NOTE_FILE_BYTES);
  }

  /**
   * Puts records behind the last one, in one write, and syncs them. Where that fails nothing counts as written, and the
   * place is cleared as far as the disk lets it. @throws JournalError
   */
  async append(records: readonly Buffer[], releasedTo: number): Promise<void> {
    const { tail } = this;
    if (tail === undefined || tail.usedSlots + records.length > tail.slots) {
      throw new RangeError(`no room for ${records.length} records in ${tail?.path ?? this.#place.directory}`);
    }
    const seed = segmentSeed(this.#place.deviceUid, this.#place.epoch, tail.index);
    const sealed = records.map((record, at) => sealRecord(record, seed, tail.usedSlots + at, releasedTo));
    const position = slotOffset(tail.usedSlots);
    try {
      this.#tailFile ??= await this.#fs.open(tail.path, 'write');
      await this.#tailFile.write(Buffer.concat(sealed), position);
      await this.#tailFile.dataSync();
    } catch (error) {
      await this.#clear(position, records.length * SLOT_BYTES);
      throw toJournalError(error, 'writing', tail.path);
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
    const index = (this.tail?.index ?? 0) + 1;
    const { deviceUid, epoch } = this.#place;
    const header: SegmentHeader = { deviceUid, epoch, index, slots, firstSeq, level: 0, retired };
    const path = join(this.#place.directory, segmentFileName(index));
    await writeSegment(this.#fs, path, { header, records: [] });
    await this.#endTail(releasedTo);
    await this.#closeTail();
    this.segments.push(newSegment(path, header));
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

  /** Writes a segment anew with fewer records; either the old file is there or the new one. @throws JournalError */
  async replace(segment: Segment, content: SegmentContent): Promise<Segment> {
    await this.#closeReader();
    await writeSegment(this.#fs, segment.path, content);
    const replaced = newSegment(segment.path, content.header, content.records.length);
    this.segments[this.segments.indexOf(segment)] = replaced;
    return replaced;
  }

  /** Removes a segment; whoever calls has made sure that a note on disk says why. @throws JournalError */
  async removeSegment(segment: Segment): Promise<void> {
    if (segment === this.tail) await this.#closeTail();
    await this.#closeReader();
    await attempt('removing', segment.path, () => this.#fs.remove(segment.path));
    this.segments.splice(this.segments.indexOf(segment), 1);
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
    if (segment === this.tail && this.#tailFile !== undefined) return this.#tailFile;
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
    const { tail } = this;
    if (tail === undefined || tail.usedSlots >= tail.slots || tail.header === undefined) return;
    await this.append([encodeEnd(tail.lastSeq)], releasedTo);
  }

  async #closeTail(): Promise<void> {
    const file = this.#tailFile;
    this.#tailFile = undefined;
    await file?.close();
  }

  /**
   * A record whose write or sync failed may be on disk all the same; the reading in it will get another number elsewhere,
   * so it must not come to light after a restart.
   */
  async #clear(position: number, length: number): Promise<void> {
    try {
      await this.#tailFile?.write(Buffer.alloc(length), position);
    } catch {
      // The next append to this slot overwrites it.
    }
    try {
      await this.#closeTail();
    } catch {
      // Opened anew at the next append.
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

/** Writes a segment beside its place, syncs it, and moves it there. @throws JournalError */
export async function writeSegment(fs: JournalFs, path: string, { header, records }: SegmentContent): Promise<void> {
  const seed = segmentSeed(header.deviceUid, header.epoch, header.index);
  const image = Buffer.alloc(HEADER_BYTES + header.slots * SLOT_BYTES);
  image.set(encodeHeader(header));
  records.forEach((record, slot) => image.set(resealRecord(Buffer.from(record), seed, slot), slotOffset(slot)));
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  await attempt('writing', path, async () => {
    try {
      const file = await fs.open(temporary, 'create');
      try {
        await file.write(image, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.remove(temporary).catch(() => undefined);
      throw error;
    }
    await fs.syncDirectory(join(path, '..'));
  });
}

/** Whether a name is that of a file whose writing was interrupted. */
export function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX);
}

function newSegment(path: string, header: SegmentHeader, usedSlots = 0): Segment {
  return {
    index: header.index,
    path,
    header,
    firstSeq: header.firstSeq,
    lastSeq: header.rewritten?.lastSeq ?? header.firstSeq - 1,
    slots: header.slots,
    usedSlots,
    bytes: HEADER_BYTES + header.slots * SLOT_BYTES,
    level: header.level,
    unreleased: new SeqSet(header.firstSeq, header.slots),
    givenUp: new SeqSet(header.firstSeq, header.slots),
    pending: new Map(),
    gaps: [],
    settlements: [],
    releasedUpTo: header.firstSeq - 1,
    seqBeforeBlock: [],
  };
}

async function attempt<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toJournalError(error, doing, path);
  }
}
