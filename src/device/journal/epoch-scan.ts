import { join } from 'node:path';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { JournalFs } from './journal-fs.ts';
import type { StoredGap, StoredSettlement } from './record.ts';
import { decodeNotes, type ReleaseNote } from './release-note.ts';
import { forget, markReleased, passOver, segmentIndex } from './segment.ts';
import { type SegmentScan, scanSegment } from './segment-scan.ts';

export const NOTE_FILE = 'released';

/** One epoch's directory: `<path>/<deviceUid>/<generation>-<epoch>`. */
export interface EpochPlace {
  readonly directory: string;
  readonly deviceUid: string;
  readonly epoch: string;
  /** Counts the epochs of a device; the highest one is the newest. */
  readonly generation: number;
}

/** Everything that the files of an epoch say, read in one pass and without changing anything. */
export interface EpochScan {
  readonly place: EpochPlace;
  /** Written by a later version of this program in part or whole; it was not read, and must not be changed. */
  readonly newerVersion: boolean;
  readonly segments: readonly SegmentScan[];
  readonly note: ReleaseNote | undefined;
  /** Everything up to this number has been released or is told by a gap record. */
  readonly releasedTo: number;
  readonly releasedRanges: readonly SeqRange[];
  /** Gap records in it, also of other epochs, released or not. */
  readonly gaps: readonly StoredGap[];
  readonly settlements: readonly StoredSettlement[];
  /** Highest number that was given as far as the files say. */
  readonly lastSeq: number;
  /** Why the highest number given cannot be known for certain, so that no more numbers may be given; absent when it is. */
  readonly uncertain?: string;
}

export async function scanEpoch(fs: JournalFs, place: EpochPlace): Promise<EpochScan> {
  const names = await fs.list(place.directory);
  const note = await readNote(fs, place);
  const indexes = names
    .map(segmentIndex)
    .filter((index) => index !== undefined)
    .sort((a, b) => a - b);
  const segments: SegmentScan[] = [];
  for (const index of indexes) {
    const path = join(place.directory, names.find((name) => segmentIndex(name) === index) ?? '');
    const segmentPlace = { deviceUid: place.deviceUid, epoch: place.epoch, index, path };
    const scan = await scanSegment(fs, segmentPlace, note?.recalledTo ?? 0);
    if (scan === 'newer-version') return assemble(place, true, [], undefined);
    segments.push(scan);
  }
  return assemble(place, false, segments, note);
}

/** Applies what gap records and releases say to what is still waiting. */
export function applyGaps(scan: EpochScan, gaps: readonly StoredGap[]): void {
  const droppedTo = Math.max(
    0,
    ...gaps.filter((entry) => isDropOf(entry, scan.place.epoch)).map(({ gap }) => gap.to ?? 0),
  );
  for (const { segment } of scan.segments) forget(segment, 1, droppedTo);
}

/** Whether the record says that everything up to its end was dropped. */
export function isDropOf(entry: StoredGap, epoch: string): boolean {
  return entry.gap.ofEpoch === epoch && entry.gap.reason === 'dropped';
}

function assemble(
  place: EpochPlace,
  newerVersion: boolean,
  segments: readonly SegmentScan[],
  note: ReleaseNote | undefined,
): EpochScan {
  const last = segments.at(-1);
  const uncertain = whyUncertain(last, note);
  // A damaged slot behind the last record burns its number: it may have been given.
  if (last !== undefined && uncertain === undefined) last.segment.lastSeq += last.tornSlots;
  const settlements = [...segments.flatMap(({ segment }) => segment.settlements), ...(note?.settlements ?? [])];
  const releasedTo = Math.max(0, note?.releasedTo ?? 0, ...segments.map((segment) => segment.releasedTo));
  const scan: EpochScan = {
    place,
    newerVersion,
    segments,
    note,
    releasedTo,
    releasedRanges: note?.ranges ?? [],
    gaps: segments.flatMap(({ segment }) => segment.gaps),
    settlements: settlements.sort((a, b) => a.uptoSeq - b.uptoSeq),
    lastSeq: Math.max(0, ...segments.map(highestOf), note?.lastSeq ?? 0),
    ...(uncertain !== undefined && { uncertain }),
  };
  settleScanned(scan);
  for (const { segment } of segments) {
    passOver(segment, 1, releasedTo);
    for (const [from, to] of scan.releasedRanges) markReleased(segment, from, to);
  }
  applyGaps(scan, scan.gaps);
  return scan;
}

/** The highest number that a segment proves to have been given. */
export function highestOf({ segment }: SegmentScan): number {
  return Math.max(segment.lastSeq, segment.header?.rewritten?.lastSeq ?? 0);
}

function settleScanned(scan: EpochScan): void {
  for (const { segment } of scan.segments) {
    for (const { bootId, uptoSeq } of scan.settlements) segment.pending.get(bootId)?.deleteRange(1, uptoSeq);
  }
}

function whyUncertain(last: SegmentScan | undefined, note: ReleaseNote | undefined): string | undefined {
  if (last === undefined) return 'all of its segment files are gone';
  const { segment } = last;
  if (last.incomplete) return `${segment.path} is damaged: cut short, or without a header`;
  if (last.ended || segment.header?.rewritten !== undefined || segment.usedSlots >= segment.slots) {
    return `the file that follows ${segment.path} is gone`;
  }
  if (segment.header?.retired === true) return 'numbers are not given in it any more since it was damaged';
  if (note !== undefined && note.lastSeq > segment.lastSeq + last.tornSlots) {
    return `${segment.path} ends before number ${note.lastSeq}`;
  }
  return undefined;
}

async function readNote(fs: JournalFs, place: EpochPlace): Promise<ReleaseNote | undefined> {
  try {
    const file = await fs.open(join(place.directory, NOTE_FILE), 'read');
    try {
      const content = Buffer.alloc(await file.size());
      await file.read(content, 0);
      return decodeNotes(content, place.deviceUid, place.epoch);
    } finally {
      await file.close();
    }
  } catch {
    // Absent or unreadable: what was released since the last record goes out once more; that is all it is worth.
    return undefined;
  }
}
