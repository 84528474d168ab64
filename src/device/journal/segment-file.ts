import { join } from 'node:path';
import { SeqSet } from '../../contract/seq-ranges.ts';
import { type JournalFs, toJournalError } from './journal-fs.ts';
import { resealRecord, SLOT_BYTES, segmentSeed } from './record.ts';
import { encodeHeader, HEADER_BYTES, type Segment, type SegmentHeader, slotOffset } from './segment.ts';

const TEMPORARY_SUFFIX = '.tmp';

/** What a segment is made of when it is written as a whole. */
export interface SegmentContent {
  readonly header: SegmentHeader;
  /** Records in order; their seals are renewed. */
  readonly records: readonly Buffer[];
}

/** Writes a segment beside its place, syncs it, and moves it there. @throws JournalError */
export async function writeSegment(fs: JournalFs, path: string, { header, records }: SegmentContent): Promise<void> {
  const seed = segmentSeed(header.deviceUid, header.epoch, header.index);
  const image = Buffer.alloc(HEADER_BYTES + header.slots * SLOT_BYTES);
  image.set(encodeHeader(header));
  records.forEach((record, slot) => image.set(resealRecord(Buffer.from(record), seed, slot), slotOffset(slot)));
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
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
    throw toJournalError(error, 'writing', path);
  }
  try {
    await fs.syncDirectory(join(path, '..'));
  } catch (error) {
    throw toJournalError(error, 'writing', path);
  }
}

/** Whether a name belongs to a file whose writing was interrupted. */
export function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX);
}

/** What is remembered of a segment that was written as a whole; none of its numbers wait yet. */
export function newSegment(path: string, header: SegmentHeader, usedSlots = 0): Segment {
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
