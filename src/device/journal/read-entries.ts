import type { SeqRange } from '../../contract/seq-ranges.ts';
import { withFinalTime } from './entries.ts';
import type { EpochFiles } from './epoch-files.ts';
import type { EpochPlace } from './epoch-scan.ts';
import type { JournalEntry } from './journal.ts';
import { decodeGap, decodeReading, type StoredSettlement } from './record.ts';
import { blockAfter, type Segment, SLOTS_PER_BLOCK } from './segment.ts';
import { isNumbered, readRecords, type StoredRecord } from './stored-records.ts';

/** 16 KiB at a time: a backlog is read in a few system calls and in little memory. */
const SLOTS_PER_READ = 4 * SLOTS_PER_BLOCK;

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
  const firstBlock = blockAfter(segment, next - 1);
  let previous = segment.seqBeforeBlock[firstBlock] ?? segment.firstSeq - 1;
  for (let slot = firstBlock * SLOTS_PER_BLOCK; slot < segment.usedSlots; slot += SLOTS_PER_READ) {
    const records = await readRecords(source.files, source.place, segment, slot, SLOTS_PER_READ);
    for (const record of records.filter(isNumbered)) {
      lost.push(...missingBetween(segment, previous + 1, record.seq - 1));
      previous = record.seq;
      if (record.seq <= afterSeq || !segment.unreleased.has(record.seq)) continue;
      const entry = decodeEntry(source, record);
      if (entry !== undefined) entries.push(entry);
      if (entries.length >= limit) return;
    }
  }
  lost.push(...missingBetween(segment, previous + 1, segment.lastSeq));
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
