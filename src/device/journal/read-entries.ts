import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { EpochFiles } from './epoch-files.ts';
import type { EpochPlace } from './epoch-scan.ts';
import { type JournalEntry, withFinalTime } from './journal.ts';
import {
  decodeGap,
  decodeReading,
  type RecordKind,
  recordKind,
  recordSeq,
  type StoredSettlement,
  segmentSeed,
} from './record.ts';
import { blockAfter, type Segment, SLOTS_PER_BLOCK } from './segment.ts';

/** A whole record of a segment. */
export interface StoredRecord {
  readonly slot: Buffer;
  readonly slotIndex: number;
  readonly kind: RecordKind;
  /** Its number; of a settlement and an end, the highest one before it. */
  readonly seq: number;
}

/** The whole records among consecutive slots; empty and damaged ones are left out. @throws what the file system says */
export async function readRecords(
  files: EpochFiles,
  place: EpochPlace,
  segment: Segment,
  fromSlot = 0,
  count = segment.usedSlots,
): Promise<readonly StoredRecord[]> {
  const seed = segmentSeed(place.deviceUid, place.epoch, segment.index);
  const slots = await files.readSlots(segment, fromSlot, count);
  return slots.flatMap((slot, at) => {
    const kind = recordKind(slot, seed, fromSlot + at);
    return kind === 'empty' || kind === 'damaged'
      ? []
      : [{ slot, slotIndex: fromSlot + at, kind, seq: recordSeq(slot) }];
  });
}

export function isNumbered(record: StoredRecord): boolean {
  return record.kind === 'reading' || record.kind === 'gap';
}

/** 16 KiB at a time at the most: a backlog is read in a few system calls and in little memory. */
const MAX_SLOTS_PER_READ = 4 * SLOTS_PER_BLOCK;
const MIN_SLOTS_PER_READ = 8;

export interface EntriesRead {
  readonly entries: readonly JournalEntry[];
  /** Numbers that should have been there and whose records are not whole any more. */
  readonly lost: readonly SeqRange[];
  /** Segments that could not be read at all this time, with what the file system said. */
  readonly unreadable: readonly { readonly segment: Segment; readonly error: unknown }[];
}

export interface EntrySource {
  readonly files: EpochFiles;
  readonly place: EpochPlace;
  readonly settlements: readonly StoredSettlement[];
  /** Where the last reading stopped: the next one mostly goes on there. */
  cursor?: Cursor;
}

interface Cursor {
  readonly segment: Segment;
  /** The slot behind the record with this number. */
  readonly slot: number;
  readonly seq: number;
}

/** Up to `limit` entries above `afterSeq` that wait for their release and have their time; boots are named by their keys. */
export async function readEntries(source: EntrySource, afterSeq: number, limit: number): Promise<EntriesRead> {
  const entries: JournalEntry[] = [];
  const lost: SeqRange[] = [];
  const unreadable: { segment: Segment; error: unknown }[] = [];
  for (const segment of [...source.files.segments]) {
    if (entries.length >= limit) break;
    if (segment.lastSeq <= afterSeq || segment.unreleased.size === 0) continue;
    try {
      await readSegment(source, segment, afterSeq, limit, entries, lost);
    } catch (error) {
      unreadable.push({ segment, error });
    }
  }
  return { entries, lost, unreadable };
}

async function readSegment(
  source: EntrySource,
  segment: Segment,
  afterSeq: number,
  limit: number,
  entries: JournalEntry[],
  lost: SeqRange[],
): Promise<void> {
  const next = segment.unreleased.next(afterSeq + 1);
  if (next === undefined) return;
  const start = startOf(source, segment, next);
  let previous = start.seq;
  let { slot } = start;
  while (slot < segment.usedSlots) {
    const slotsToRead = Math.min(Math.max(limit - entries.length, MIN_SLOTS_PER_READ), MAX_SLOTS_PER_READ);
    for (const record of await readRecords(source.files, source.place, segment, slot, slotsToRead)) {
      if (!isNumbered(record)) continue;
      lost.push(...missingBetween(segment, previous + 1, record.seq - 1));
      previous = record.seq;
      source.cursor = { segment, slot: record.slotIndex + 1, seq: record.seq };
      if (record.seq <= afterSeq || !segment.unreleased.has(record.seq)) continue;
      const entry = decodeEntry(source, record);
      if (entry !== undefined) entries.push(entry);
      if (entries.length >= limit) return;
    }
    slot += slotsToRead;
  }
  lost.push(...missingBetween(segment, previous + 1, segment.lastSeq));
}

/** A slot behind which all records lie whose numbers are not below `next`, and the highest number before it. */
function startOf({ cursor }: EntrySource, segment: Segment, next: number): { slot: number; seq: number } {
  const block = blockAfter(segment, next - 1);
  const start = { slot: block * SLOTS_PER_BLOCK, seq: segment.seqBeforeBlock[block] ?? segment.firstSeq - 1 };
  const isNearer = cursor?.segment === segment && cursor.seq < next && cursor.slot > start.slot;
  return isNearer ? cursor : start;
}

/** The entry with its final time; undefined for a reading that has none yet. */
export function decodeEntry(
  source: Pick<EntrySource, 'place' | 'settlements'>,
  record: StoredRecord,
): JournalEntry | undefined {
  if (record.kind === 'reading') return withFinalTime(decodeReading(record.slot), source.settlements);
  const { kind, seq, gap, tsMs } = decodeGap(record.slot, source.place.epoch);
  return { kind, seq, gap, tsMs };
}

function missingBetween(segment: Segment, from: number, to: number): readonly SeqRange[] {
  const ranges: SeqRange[] = [];
  let seq = segment.unreleased.next(from);
  while (seq !== undefined && seq <= to) {
    const start = seq;
    let end = seq;
    while (end < to && segment.unreleased.has(end + 1)) end += 1;
    ranges.push([start, end]);
    seq = segment.unreleased.next(end + 1);
  }
  return ranges;
}
