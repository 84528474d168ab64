import type { Gap } from '../../contract/reading.ts';
import { normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import { type EpochScan, highestOf } from './epoch-scan.ts';
import type { StoredGap } from './record.ts';
import type { Hole, SegmentScan } from './segment-scan.ts';

/**
 * The numbers of an epoch that are gone without a word: not on disk, not released, in no gap record.
 * @param gaps the gap records of all epochs that are on disk; a segment with such a record is kept as long as what it speaks of
 */
export function findLosses(scan: EpochScan, gaps: readonly StoredGap[]): readonly Gap[] {
  if (scan.newerVersion) return [];
  const told = gaps.filter(({ gap }) => gap.ofEpoch === scan.place.epoch).map(({ gap }) => gap);
  const known = knownRanges(scan, told);
  return [...lostBetween(scan, told), ...lostAtEnd(scan, told)].flatMap((loss) =>
    withoutKnown(loss, known, scan.place.epoch),
  );
}

/** A stretch with lost numbers: all of it where `count` equals its width. */
interface Loss {
  readonly from: number;
  readonly to?: number;
  readonly count?: number;
}

function lostBetween(scan: EpochScan, told: readonly Gap[]): readonly Loss[] {
  const losses: Loss[] = [];
  let accountedTo = 0;
  scan.segments.forEach((current, position) => {
    const { segment } = current;
    const isLast = position === scan.segments.length - 1;
    // A segment without header and records says nothing about numbers: what it held shows as a hole before the next.
    if (segment.header === undefined && current.numbered === 0) return;
    if (segment.firstSeq > accountedTo + 1) losses.push(lostSegments(accountedTo + 1, segment.firstSeq - 1, told));
    const end = isLast ? highestOf(current) : endOf(scan, position);
    const inside = [...current.holes.flatMap((hole) => lossInHole(current, hole)), ...lossAtTail(current, end)];
    losses.push(...inside.flatMap((loss) => above(accountedTo, loss)));
    accountedTo = Math.max(accountedTo, end, highestOf(current));
  });
  return losses;
}

/** A segment that was added and then not used at once may have a first number that its predecessor still gave. */
function above(accountedTo: number, loss: Loss): readonly Loss[] {
  const cut = accountedTo + 1 - loss.from;
  if (cut <= 0) return [loss];
  if (loss.to === undefined || loss.to <= accountedTo) return [];
  return [{ from: accountedTo + 1, to: loss.to, ...(loss.count !== undefined && { count: loss.count - cut }) }];
}

/** Whole files are missing: all numbers in between, less those that thinning had taken and told before. */
function lostSegments(from: number, to: number, told: readonly Gap[]): Loss {
  const thinned = told
    .filter((gap) => gap.reason === 'thinned' && gap.from >= from && (gap.to ?? Infinity) <= to)
    .reduce((sum, gap) => sum + (gap.count ?? 0), 0);
  return { from, to, count: to - from + 1 - thinned };
}

/** The last number before the next segment that has a first one. */
function endOf(scan: EpochScan, position: number): number {
  const next = scan.segments
    .slice(position + 1)
    .find(({ segment, numbered }) => segment.header !== undefined || numbered > 0);
  const own = scan.segments[position];
  if (own?.segment.header?.rewritten !== undefined || next === undefined) return own === undefined ? 0 : highestOf(own);
  return next.segment.firstSeq - 1;
}

function lossInHole({ segment }: SegmentScan, hole: Hole): readonly Loss[] {
  const { from, to = from } = hole;
  const width = to - from + 1;
  // In a file that was filled by appending every number has been there; in a rewritten one only damage tells.
  if (segment.header !== undefined && segment.header.rewritten === undefined) return [{ from, to, count: width }];
  const count = Math.min(width, hole.damagedSlots);
  return count > 0 ? [{ from, to, count }] : [];
}

function lossAtTail(scan: SegmentScan, end: number): readonly Loss[] {
  const { header } = scan.segment;
  const from = scan.tail.from;
  if (end < from) return [];
  if (header === undefined) return [{ from, to: end }];
  if (header.rewritten === undefined) return [{ from, to: end, count: end - from + 1 }];
  const lostInHoles = scan.holes
    .flatMap((hole) => lossInHole(scan, hole))
    .reduce((sum, { count }) => sum + (count ?? 0), 0);
  const count = header.rewritten.numbered - scan.numbered - lostInHoles;
  return count > 0 ? [{ from, to: end, count }] : [];
}

function lostAtEnd(scan: EpochScan, told: readonly Gap[]): readonly Loss[] {
  if (scan.uncertain === undefined) return [];
  const alreadyTold = told.some((gap) => gap.reason === 'damaged' && gap.to === undefined);
  return alreadyTold ? [] : [{ from: Math.max(scan.releasedTo, ...scan.segments.map(highestOf)) + 1 }];
}

/** Numbers that were released, or that a gap record tells of already. */
function knownRanges(scan: EpochScan, told: readonly Gap[]): readonly SeqRange[] {
  const toldRanges = told.flatMap((gap): SeqRange[] => {
    // Thinning leaves every second number of its stretch in place; whether that one is lost is another question.
    if (gap.to === undefined || gap.reason === 'thinned') return [];
    return [[gap.reason === 'dropped' ? 1 : gap.from, gap.to]];
  });
  const released: readonly SeqRange[] = scan.releasedTo > 0 ? [[1, scan.releasedTo]] : [];
  return normaliseRanges([...released, ...scan.releasedRanges, ...toldRanges]);
}

function withoutKnown(loss: Loss, known: readonly SeqRange[], ofEpoch: string): readonly Gap[] {
  const { from, to, count } = loss;
  if (to === undefined) return [{ ofEpoch, from, reason: 'damaged' }];
  const pieces = subtract([from, to], known);
  if (count === to - from + 1) {
    return pieces.map(([start, end]) => ({ ofEpoch, from: start, to: end, count: end - start + 1, reason: 'damaged' }));
  }
  const [first, last] = [pieces.at(0), pieces.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [{ ofEpoch, from: first[0], to: last[1], ...(count !== undefined && { count }), reason: 'damaged' }];
}

function subtract([from, to]: SeqRange, known: readonly SeqRange[]): readonly SeqRange[] {
  const pieces: SeqRange[] = [];
  let start = from;
  for (const [knownFrom, knownTo] of known) {
    if (knownTo < start) continue;
    if (knownFrom > to) break;
    if (knownFrom > start) pieces.push([start, knownFrom - 1]);
    start = knownTo + 1;
  }
  if (start <= to) pieces.push([start, to]);
  return pieces;
}

/** Losses of one epoch that no gap record tells of yet: found when it was opened, or met since. */
export class UntoldLosses {
  /** Replaced here only, at each change. */
  all: readonly Gap[];
  readonly #epoch: string;

  constructor(epoch: string, losses: readonly Gap[]) {
    this.#epoch = epoch;
    this.all = losses;
  }

  /** The lowest number that is lost; Infinity where none is. */
  lowest(): number {
    return this.all.reduce((lowest, { from }) => Math.min(lowest, from), Number.POSITIVE_INFINITY);
  }

  /** The records of these numbers cannot be read any more. */
  add(lost: readonly SeqRange[]): void {
    const known = this.all;
    for (const [from, to] of lost) {
      if (known.some((loss) => loss.from <= from && (loss.to ?? 0) >= to)) continue;
      const loss: Gap = { ofEpoch: this.#epoch, from, to, count: to - from + 1, reason: 'damaged' };
      this.all = [...this.all, loss];
    }
  }

  /** A gap record tells of it now. */
  remove(loss: Gap): void {
    this.all = this.all.filter((other) => other !== loss);
  }

  /** Everything up to this number is told by a gap record now. */
  removeUpTo(seq: number): void {
    this.all = this.all.filter(({ to }) => to === undefined || to > seq);
  }
}
