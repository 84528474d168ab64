import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { StoredGap, StoredSettlement } from './record.ts';
import { SLOT_BYTES } from './record.ts';
import { HEADER_BYTES, type SegmentHeader } from './segment-header.ts';
import { SeqSet } from './seq-set.ts';

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
