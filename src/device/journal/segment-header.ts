import { crc32 } from 'node:zlib';

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
