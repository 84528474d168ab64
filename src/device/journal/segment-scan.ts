import { SeqSet } from '../../contract/seq-ranges.ts';
import { isMissing, type JournalFile, type JournalFs, toJournalError } from './journal-fs.ts';
import {
  decodeGap,
  decodeSettlement,
  pendingBootKey,
  type RecordKind,
  recordKind,
  recordReleasedTo,
  recordSeq,
  SLOT_BYTES,
  type StoredGap,
  type StoredSettlement,
  segmentSeed,
} from './record.ts';
import {
  addPending,
  decodeHeader,
  HEADER_BYTES,
  type Segment,
  type SegmentHeader,
  SLOTS_PER_BLOCK,
} from './segment.ts';

const BLOCK_BYTES = 4096;
const UNREADABLE = 0xff;

/** Numbers that are not where they should be, between two whole records (`to` absent: behind the last one). */
export interface Hole {
  readonly from: number;
  readonly to?: number;
  /** Slots between the two whose content is damaged. */
  readonly damagedSlots: number;
}

/** What one pass over a segment file found. */
export interface SegmentScan {
  readonly segment: Segment;
  /** A record says that the segment goes on in its successor. */
  readonly ended: boolean;
  /** The file is shorter than its header says, or has no header that could say it. */
  readonly incomplete: boolean;
  /** How many numbered records are whole. */
  readonly numbered: number;
  readonly releasedTo: number;
  /** Between whole records; and what lies behind the last one. */
  readonly holes: readonly Hole[];
  readonly tail: Hole;
  /** Damaged slots right behind the last record: an append that was torn, or records that were damaged since. */
  readonly tornSlots: number;
}

/** Who a segment belongs to and where it lies. */
export interface SegmentPlace {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly index: number;
  readonly path: string;
}

/** A file that says it was written by a later program is `newer-version` and not looked into. */
export async function scanSegment(
  fs: JournalFs,
  place: SegmentPlace,
  recalledTo: number,
): Promise<SegmentScan | 'newer-version'> {
  const image = await readWhole(fs, place.path);
  const finding = decodeHeader(image.subarray(0, HEADER_BYTES));
  if (finding === 'newer-version') return finding;
  return scanSlots(image, place, finding === 'damaged' ? undefined : finding, recalledTo);
}

/**
 * The content of a file; blocks that the disk cannot read any more stand there as damage, a file that is gone as an empty
 * one. @throws what else the file system says, such as that the file may not be opened
 */
async function readWhole(fs: JournalFs, path: string): Promise<Buffer> {
  const file = await openUnlessLost(fs, path);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const image = Buffer.alloc(await file.size());
    try {
      return image.subarray(0, await file.read(image, 0));
    } catch {
      return await readBlockwise(file, image);
    }
  } finally {
    await file.close();
  }
}

async function openUnlessLost(fs: JournalFs, path: string): Promise<JournalFile | undefined> {
  try {
    return await fs.open(path, 'read');
  } catch (error) {
    if (isMissing(error) || toJournalError(error, 'opening', path).code === 'JOURNAL_IO') return undefined;
    throw error;
  }
}

async function readBlockwise(file: JournalFile, image: Buffer): Promise<Buffer> {
  for (let offset = 0; offset < image.length; offset += BLOCK_BYTES) {
    const block = image.subarray(offset, offset + BLOCK_BYTES);
    try {
      await file.read(block, offset);
    } catch {
      block.fill(UNREADABLE);
    }
  }
  return image;
}

function scanSlots(
  image: Buffer,
  place: SegmentPlace,
  header: SegmentHeader | undefined,
  recalledTo: number,
): SegmentScan {
  const seed = segmentSeed(place.deviceUid, place.epoch, place.index);
  const slots = Math.max(0, Math.floor((image.length - HEADER_BYTES) / SLOT_BYTES));
  const expected = header?.slots ?? slots;
  const found = createFindings(header?.firstSeq, Math.max(slots, expected), recalledTo);
  for (let index = 0; index < slots; index += 1) {
    const slot = image.subarray(HEADER_BYTES + index * SLOT_BYTES, HEADER_BYTES + (index + 1) * SLOT_BYTES);
    if (index % SLOTS_PER_BLOCK === 0) found.seqBeforeBlock.push(found.lastSeq ?? (header?.firstSeq ?? 1) - 1);
    const kind = recordKind(slot, seed, index);
    if (kind === 'empty' || kind === 'damaged') noteNoRecord(found, kind);
    else noteRecord(found, slot, kind, place.epoch, index);
  }
  const usedSlots = found.usedSlots + found.tornSlots;
  found.seqBeforeBlock.length = Math.ceil(usedSlots / SLOTS_PER_BLOCK);
  const firstSeq = header?.firstSeq ?? found.firstSeq ?? 1;
  const lastSeq = found.lastSeq ?? firstSeq - 1;
  return {
    segment: {
      index: place.index,
      path: place.path,
      header,
      firstSeq,
      lastSeq,
      slots,
      usedSlots,
      bytes: image.length,
      level: header?.level ?? 0,
      unreleased: found.unreleased ?? new SeqSet(firstSeq, slots),
      givenUp: new SeqSet(firstSeq, slots),
      pending: found.pending,
      gaps: found.gaps,
      settlements: found.settlements,
      releasedUpTo: firstSeq - 1,
      seqBeforeBlock: found.seqBeforeBlock,
    },
    ended: found.ended,
    incomplete: header === undefined || slots < expected,
    numbered: found.numbered,
    releasedTo: found.releasedTo,
    holes: found.holes,
    tail: { from: lastSeq + 1, damagedSlots: found.damagedSlots },
    tornSlots: found.tornSlots,
  };
}

interface Findings {
  readonly firstSeqInHeader: number | undefined;
  readonly slots: number;
  readonly recalledTo: number;
  usedSlots: number;
  firstSeq: number | undefined;
  lastSeq: number | undefined;
  numbered: number;
  releasedTo: number;
  ended: boolean;
  unreleased: SeqSet | undefined;
  /** Since the last numbered record: empty slots, and damaged ones. */
  emptySlots: number;
  damagedSlots: number;
  /** Damaged slots right behind the last record of any kind. */
  tornSlots: number;
  emptySinceRecord: boolean;
  readonly pending: Map<string, SeqSet>;
  readonly gaps: StoredGap[];
  readonly settlements: StoredSettlement[];
  readonly seqBeforeBlock: number[];
  readonly holes: Hole[];
}

function createFindings(firstSeqInHeader: number | undefined, slots: number, recalledTo: number): Findings {
  return {
    firstSeqInHeader,
    slots,
    recalledTo,
    usedSlots: 0,
    firstSeq: undefined,
    lastSeq: undefined,
    numbered: 0,
    releasedTo: 0,
    ended: false,
    unreleased: undefined,
    emptySlots: 0,
    damagedSlots: 0,
    tornSlots: 0,
    emptySinceRecord: false,
    pending: new Map(),
    gaps: [],
    settlements: [],
    seqBeforeBlock: [],
    holes: [],
  };
}

function noteNoRecord(found: Findings, kind: 'empty' | 'damaged'): void {
  if (kind === 'empty') {
    found.emptySlots += 1;
    found.emptySinceRecord = true;
    return;
  }
  found.damagedSlots += 1;
  // Records are written one behind the other: damage behind an empty slot was never a record.
  if (!found.emptySinceRecord) found.tornSlots += 1;
}

function noteRecord(found: Findings, slot: Buffer, kind: RecordKind, epoch: string, slotIndex: number): void {
  if (recordSeq(slot) > found.recalledTo) found.releasedTo = Math.max(found.releasedTo, recordReleasedTo(slot));
  found.usedSlots = slotIndex + 1;
  found.tornSlots = 0;
  found.emptySinceRecord = false;
  switch (kind) {
    case 'end':
      found.ended = true;
      break;
    case 'settlement':
      found.settlements.push(decodeSettlement(slot));
      break;
    case 'gap':
      noteNumbered(found, slot);
      found.gaps.push(decodeGap(slot, epoch));
      break;
    case 'reading':
      noteNumbered(found, slot);
      notePending(found, slot);
      break;
  }
}

function noteNumbered(found: Findings, slot: Buffer): void {
  const seq = recordSeq(slot);
  const expected = found.lastSeq === undefined ? (found.firstSeqInHeader ?? seq) : found.lastSeq + 1;
  if (seq > expected) {
    found.holes.push({ from: expected, to: seq - 1, damagedSlots: found.damagedSlots + found.emptySlots });
  }
  found.firstSeq ??= seq;
  found.unreleased ??= new SeqSet(found.firstSeqInHeader ?? seq, found.slots);
  found.unreleased.add(seq);
  found.lastSeq = seq;
  found.numbered += 1;
  found.damagedSlots = 0;
  found.emptySlots = 0;
}

function notePending(found: Findings, slot: Buffer): void {
  const bootKey = pendingBootKey(slot);
  if (bootKey === undefined) return;
  const seq = recordSeq(slot);
  const { pending, slots } = found;
  addPending({ pending, slots, firstSeq: found.firstSeqInHeader ?? found.firstSeq ?? seq }, bootKey, seq);
}
