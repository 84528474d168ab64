import { crc32 } from 'node:zlib';
import { type SeqRange, SeqSet } from '../../contract/seq-ranges.ts';
import { SLOT_BYTES, type StoredGap, type StoredSettlement } from './record.ts';

/** The header fills one block, so that each block of records behind it is a block of the disk too. */
export const HEADER_BYTES = 4096;
export const FORMAT_VERSION = 1;

const MAGIC = 'TechTemp';
/** Two equal copies in the block: one flipped bit costs nothing. */
const COPY_BYTES = 256;
const COPY_OFFSETS = [0, 2048] as const;
const NUMBER_BYTES = 6;
const REWRITTEN = 0b1;
const RETIRED = 0b10;

/** Magic, version and CRC keep their places in every later version, so that an older program knows a newer file. */
const AT = {
  magic: 0,
  version: 8,
  crc: 12,
  index: 16,
  slots: 20,
  firstSeq: 24,
  lastSeq: 30,
  numbered: 36,
  flags: 40,
  level: 41,
  uid: 42,
  epoch: 93,
} as const;

export interface SegmentHeader {
  readonly deviceUid: string;
  readonly epoch: string;
  /** Counts the segments of an epoch; the file is named after it. */
  readonly index: number;
  /** How many records the file has room for. */
  readonly slots: number;
  /** No number in the file lies below this one; the segment before it ends just below. */
  readonly firstSeq: number;
  /** Present in a file that was written as a whole (thinned, shrunk, brought from memory): its numbers may have holes. */
  readonly rewritten?: { readonly lastSeq: number; readonly numbered: number };
  /** How often every second reading has gone: 0 is complete. */
  readonly level: number;
  /** A segment added to an epoch in which no more numbers are given; it holds settlements only. */
  readonly retired: boolean;
}

export type HeaderFinding = SegmentHeader | 'damaged' | 'newer-version';

export function encodeHeader(header: SegmentHeader): Buffer {
  const copy = Buffer.alloc(COPY_BYTES);
  copy.write(MAGIC, AT.magic, 'latin1');
  copy.writeUInt16LE(FORMAT_VERSION, AT.version);
  copy.writeUInt32LE(header.index, AT.index);
  copy.writeUInt32LE(header.slots, AT.slots);
  copy.writeUIntLE(header.firstSeq, AT.firstSeq, NUMBER_BYTES);
  copy.writeUIntLE(header.rewritten?.lastSeq ?? 0, AT.lastSeq, NUMBER_BYTES);
  copy.writeUInt32LE(header.rewritten?.numbered ?? 0, AT.numbered);
  copy.writeUInt8((header.rewritten === undefined ? 0 : REWRITTEN) | (header.retired ? RETIRED : 0), AT.flags);
  copy.writeUInt8(header.level, AT.level);
  writeText(copy, header.deviceUid, AT.uid);
  writeText(copy, header.epoch, AT.epoch);
  copy.writeUInt32LE(crc32(copy), AT.crc);
  const block = Buffer.alloc(HEADER_BYTES);
  for (const offset of COPY_OFFSETS) block.set(copy, offset);
  return block;
}

/** Takes the first copy that is whole. `newer-version`: written by a later program, and not ours to touch. */
export function decodeHeader(block: Buffer): HeaderFinding {
  for (const offset of COPY_OFFSETS) {
    const copy = Buffer.from(block.subarray(offset, offset + COPY_BYTES));
    if (!isWhole(copy)) continue;
    return copy.readUInt16LE(AT.version) === FORMAT_VERSION ? decodeCopy(copy) : 'newer-version';
  }
  return 'damaged';
}

function isWhole(copy: Buffer): boolean {
  if (copy.length < COPY_BYTES || copy.toString('latin1', AT.magic, AT.version) !== MAGIC) return false;
  const expected = copy.readUInt32LE(AT.crc);
  copy.writeUInt32LE(0, AT.crc);
  return crc32(copy) === expected;
}

function decodeCopy(copy: Buffer): SegmentHeader {
  const flags = copy.readUInt8(AT.flags);
  return {
    deviceUid: readText(copy, AT.uid),
    epoch: readText(copy, AT.epoch),
    index: copy.readUInt32LE(AT.index),
    slots: copy.readUInt32LE(AT.slots),
    firstSeq: copy.readUIntLE(AT.firstSeq, NUMBER_BYTES),
    ...((flags & REWRITTEN) !== 0 && {
      rewritten: { lastSeq: copy.readUIntLE(AT.lastSeq, NUMBER_BYTES), numbered: copy.readUInt32LE(AT.numbered) },
    }),
    level: copy.readUInt8(AT.level),
    retired: (flags & RETIRED) !== 0,
  };
}

function writeText(copy: Buffer, text: string, offset: number): void {
  copy.writeUInt8(text.length, offset);
  copy.write(text, offset + 1, 'latin1');
}

function readText(copy: Buffer, offset: number): string {
  return copy.toString('latin1', offset + 1, offset + 1 + copy.readUInt8(offset));
}

/** Records in one block of the disk. */
export const SLOTS_PER_BLOCK = 4096 / SLOT_BYTES;

/** What is remembered of a segment file: sets and counters, nothing per reading. */
export interface Segment {
  readonly index: number;
  readonly path: string;
  /** Absent where both copies of it are damaged. */
  readonly header: SegmentHeader | undefined;
  readonly firstSeq: number;
  /** Highest number in it; `firstSeq - 1` while it has none. */
  lastSeq: number;
  /** Records that the file has room for. */
  readonly slots: number;
  /** Records in it, damaged ones included: the next one goes behind them. */
  usedSlots: number;
  readonly bytes: number;
  /** Thinning level in effect; the file follows when it is rewritten. */
  level: number;
  /** Numbers of the entries that wait for their release. */
  readonly unreleased: SeqSet;
  /** Numbers that were given up on and told, as long as the file still has them: no recall brings them back. */
  readonly givenUp: SeqSet;
  /** Of these, readings that wait for their time, by the key of their boot. */
  readonly pending: Map<string, SeqSet>;
  /** Gap records in it, released ones too. */
  readonly gaps: StoredGap[];
  readonly settlements: StoredSettlement[];
  /** Highest number that was released so far. */
  releasedUpTo: number;
  /** For each block, the highest number before it: where to start looking for a number. */
  readonly seqBeforeBlock: number[];
}

/** Where a slot lies in its file. */
export function slotOffset(slotIndex: number): number {
  return HEADER_BYTES + slotIndex * SLOT_BYTES;
}

export function segmentFileName(index: number): string {
  return `${String(index).padStart(8, '0')}.seg`;
}

/** The index in a segment file's name, or undefined where the file is none. */
export function segmentIndex(name: string): number | undefined {
  return /^\d{8}\.seg$/.test(name) ? Number(name.slice(0, 8)) : undefined;
}

/** The block in which to start looking for the numbers above `afterSeq`. */
export function blockAfter(segment: Segment, afterSeq: number): number {
  const beyond = segment.seqBeforeBlock.findIndex((seq) => seq > afterSeq);
  return Math.max(0, (beyond === -1 ? segment.seqBeforeBlock.length : beyond) - 1);
}

export function isPending(segment: Segment, seq: number): boolean {
  for (const seqs of segment.pending.values()) if (seqs.has(seq)) return true;
  return false;
}

export function countPending(segment: Segment): number {
  let count = 0;
  for (const seqs of segment.pending.values()) count += seqs.size;
  return count;
}

export function countUnreleasedReadings(segment: Segment): number {
  return segment.unreleased.size - segment.gaps.filter((gap) => segment.unreleased.has(gap.seq)).length;
}

/** Gives up on numbers for good, pending or not. @returns how many of them were waiting */
export function forget(segment: Segment, from: number, to: number): number {
  const end = Math.min(to, segment.lastSeq);
  for (let seq = Math.max(from, segment.firstSeq); seq <= end; seq += 1) segment.givenUp.add(seq);
  return passOver(segment, from, to);
}

/** Numbers that wait no more, pending or not. @returns how many of them were waiting */
export function passOver(segment: Segment, from: number, to: number): number {
  for (const seqs of segment.pending.values()) seqs.deleteRange(from, to);
  return segment.unreleased.deleteRange(from, to);
}

/** A released entry waits again; one that was given up on does not. @returns whether it was a released one */
export function recall(segment: Segment, seq: number): boolean {
  if (segment.unreleased.has(seq) || segment.givenUp.has(seq)) return false;
  segment.unreleased.add(seq);
  return true;
}

/** Takes note of a release; a reading that waits for its time has never been sent, so it stays. @returns how many went */
export function markReleased(segment: Segment, from: number, to: number): number {
  if (to < segment.firstSeq || from > segment.lastSeq) return 0;
  segment.releasedUpTo = Math.max(segment.releasedUpTo, Math.min(to, segment.lastSeq));
  if (segment.pending.size === 0) return segment.unreleased.deleteRange(from, to);
  let released = 0;
  for (let seq = segment.unreleased.next(from); seq !== undefined && seq <= to; ) {
    if (!isPending(segment, seq) && segment.unreleased.delete(seq)) released += 1;
    seq = segment.unreleased.next(seq + 1);
  }
  return released;
}

/** The stretches of a segment in which nothing waits, up to the highest number that was released. */
export function releasedRangesOf(segment: Segment): readonly SeqRange[] {
  const ranges: SeqRange[] = [];
  const end = segment.unreleased.size === 0 ? segment.lastSeq : Math.min(segment.releasedUpTo, segment.lastSeq);
  let from = segment.firstSeq;
  for (const seq of segment.unreleased) {
    if (seq > end) break;
    if (seq > from) ranges.push([from, seq - 1]);
    from = seq + 1;
  }
  if (from <= end) ranges.push([from, end]);
  return ranges;
}

/** A reading of that boot waits for its time. */
export function addPending(
  segment: Pick<Segment, 'pending' | 'firstSeq' | 'slots'>,
  bootKey: string,
  seq: number,
): void {
  let seqs = segment.pending.get(bootKey);
  if (seqs === undefined) {
    seqs = new SeqSet(segment.firstSeq, segment.slots);
    segment.pending.set(bootKey, seqs);
  }
  seqs.add(seq);
}

/** Released segments behind one that waits are cut down to what must stay of them when that frees as many records. */
const MIN_SHRINK_SLOTS = 64;

/** Everything up to this number has been released or is told by a gap record. */
export function releasedTo(segments: readonly Segment[], lastSeq: number): number {
  for (const { unreleased } of segments) {
    const lowest = unreleased.min();
    if (lowest !== undefined) return Math.min(lowest - 1, lastSeq);
  }
  return lastSeq;
}

/** Only from the old end: a file that is missing between two others is damage, and is told as such. */
export function removableSegments(
  segments: readonly Segment[],
  isHeld: (segment: Segment) => boolean,
): readonly Segment[] {
  const firstToStay = segments.findIndex(
    (segment) => segment === segments.at(-1) || segment.unreleased.size > 0 || isHeld(segment),
  );
  return segments.slice(0, Math.max(0, firstToStay));
}

/** What lies behind a segment that waits, and holds hardly anything but released readings. */
export function shrinkableSegments(segments: readonly Segment[]): readonly Segment[] {
  return segments.slice(0, -1).filter(({ unreleased, usedSlots, gaps, settlements }) => {
    const removableSlots = usedSlots - gaps.length - settlements.length;
    return unreleased.size === 0 && removableSlots > MIN_SHRINK_SLOTS;
  });
}
