import type { GapReason } from '../../contract/reading.ts';
import {
  countOfRanges,
  difference,
  intersection,
  normaliseRanges,
  type SeqRange,
  within,
} from '../../contract/seq-ranges.ts';
import type { EpochNumbers } from '../store/audit-store.ts';
import type { StoredGap } from '../store/stored.ts';

/** Why a gap record is kept and not believed. */
export type GapDoubt = 'dismissed' | 'counts-too-many' | 'not-given-yet' | 'never-heard-of';

export interface DoubtedGap {
  readonly gap: StoredGap;
  readonly doubt: GapDoubt;
}

/** A journal holds 50 million readings at most (journal.max_readings), so no device loses more than that at once. */
export const MAX_LOST_AT_ONCE = 50_000_000;
/** Of what was only thinned the rest has come, nearly always before the record that tells of it. */
const MAX_THINNED_UNHEARD = 10_000;

/**
 * Whether a gap record can be true, from what was heard of its epoch; undefined where it can. One that cannot must neither explain
 * losses nor make holes: a single message would do so for ever.
 *
 * @param highest the highest number that came of the epoch; 0 where none did
 */
export function doubtOf(gap: StoredGap, highest: number, own: readonly SeqRange[]): GapDoubt | undefined {
  const { fromSeq, toSeq, count, seq } = gap;
  if (gap.dismissal !== undefined && gap.dismissal !== null) return 'dismissed';
  const isOwn = isOwnRecord(gap, own);
  // It took its number after all those that it speaks of.
  if (isOwn && (toSeq ?? fromSeq) >= seq) return 'not-given-yet';
  const size = toSeq === null ? null : toSeq - fromSeq + 1;
  if (size !== null && count !== null && count > size) return 'counts-too-many';
  const unheard = (toSeq ?? fromSeq) - Math.max(highest, fromSeq - 1);
  const beyond = fromSeq - 1 - highest;
  if (beyond > MAX_LOST_AT_ONCE || unheard > MAX_LOST_AT_ONCE) return 'never-heard-of';
  if (size !== null && count !== null && count < size && unheard > MAX_THINNED_UNHEARD) return 'never-heard-of';
  return undefined;
}

/** What a believed record speaks of: of its own epoch nothing that was given later. */
export function cutToItsTime(gap: StoredGap, own: readonly SeqRange[]): StoredGap {
  return gap.toSeq === null && isOwnRecord(gap, own) ? { ...gap, toSeq: gap.seq - 1 } : gap;
}

/**
 * The numbers that came, without those that lie further above the others than anybody can lose at once: one message with such a number
 * would make holes of all below it.
 */
export function withoutLeaps(came: readonly SeqRange[]): {
  readonly came: readonly SeqRange[];
  readonly leaps: readonly SeqRange[];
} {
  const leap = came.findIndex(([from], index) => from - (came[index - 1]?.[1] ?? 0) > MAX_LOST_AT_ONCE);
  return leap < 0 ? { came, leaps: [] } : { came: came.slice(0, leap), leaps: came.slice(leap) };
}

/** More of the epoch, or a gap record about its end, shows what is missing. */
export function unknownEndOf(
  { takeover, toMs }: EpochNumbers,
  last: number,
  gaps: readonly StoredGap[],
): UnknownEnd | null {
  if (takeover === undefined || takeover === null || last > takeover.lastSeq) return null;
  if (gaps.some(({ toSeq }) => toSeq === null)) return null;
  return { fromMs: toMs, takenMs: takeover.takenMs };
}

/** Of the epoch that it stands in itself. */
function isOwnRecord({ epoch, ofEpoch, seq }: StoredGap, gapRecords: EpochNumbers['gapRecords']): boolean {
  return epoch === ofEpoch && gapRecords.some(([from, to]) => seq >= from && seq <= to);
}

/**
 * `whole`: every number came, or a record says why not. `faulty`: numbers are missing without a word, or doubled. `unknown`: no fault
 * was found, and something cannot be judged: readings without numbers, what was given before the record began, what may still come.
 */
export type Outcome = 'whole' | 'unknown' | 'faulty';

/** What the numbers in the store prove about the record of a device. */
export interface DeviceVerdict {
  readonly deviceUid: string;
  readonly epochs: readonly EpochVerdict[];
  /** Readings of older agents: they carry no numbers, so what is missing between them cannot be known. */
  readonly unnumbered: number;
  /** What the device says of itself: so many entries wait on it, at that time. */
  readonly buffered: { readonly count: number; readonly toldMs: number | null } | null;
  /** Whether no number is missing without explanation and none is doubled. */
  readonly isWhole: boolean;
  readonly outcome: Outcome;
}

export interface EpochVerdict {
  readonly epoch: string;
  /** The highest number that came or that a gap record speaks of. */
  readonly last: number;
  /** Times of the oldest and newest reading. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** How many numbers came as readings, gap records, or could not be stored as readings, or wait in quarantine. */
  readonly readings: number;
  readonly gapRecords: number;
  readonly rejected: readonly SeqRange[];
  readonly quarantined: readonly SeqRange[];
  /** One number, several times: two devices under one name, or a journal that was copied. */
  readonly doubled: readonly SeqRange[];
  /** Every number of 1..last that did not come. It is the sum of what follows. */
  readonly missing: number;
  readonly explained: Readonly<Partial<Record<GapReason, number>>>;
  /** Numbers that were given before this record began. */
  readonly beforeRecord: readonly SeqRange[];
  /** So many of the newest that are missing may still lie on the device. */
  readonly waiting: number;
  readonly holes: readonly Hole[];
  /** Gap records that cannot be true: kept, and without any weight here. */
  readonly doubted: readonly DoubtedGap[];
  /** Numbers that came and lie too far above the others to be believed; not part of 1..last. */
  readonly leaps: readonly SeqRange[];
  /**
   * The record was taken over from an older state that ends here, and nothing has come of the epoch since: what was stored after that
   * state is lost, and it is not known whether there was any. Null: its end is known.
   */
  readonly unknownEnd: UnknownEnd | null;
}

export interface UnknownEnd {
  /** The newest reading before. */
  readonly fromMs: number | null;
  /** When the older state was made the record. */
  readonly takenMs: number;
}

/** Missing without a word. `count` is less than the ranges hold where gap records speak of some, without saying which. */
export interface Hole {
  readonly missing: readonly SeqRange[];
  readonly count: number;
  /** Times of the nearest readings below and above; absent where there is none. */
  readonly afterMs?: number;
  readonly beforeMs?: number;
}

/** What gap records say about numbers that are missing. */
export interface Explanation {
  /** How many of the missing numbers each reason accounts for. */
  readonly explained: Readonly<Partial<Record<GapReason, number>>>;
  /** Missing, and no gap record speaks of them. */
  readonly unexplained: readonly SeqRange[];
  /** Stretches of which gap records say that some numbers are gone, while more are missing. */
  readonly short: readonly ShortStretch[];
}

/** Of the missing numbers in here, `unexplained` are more than the gap records tell; which ones cannot be known. */
export interface ShortStretch {
  readonly missing: readonly SeqRange[];
  readonly unexplained: number;
}

/**
 * Holds missing numbers against gap records. A record without `to` speaks of everything from `from` on, one without `count`, or
 * whose count fills its stretch, of every number in it. Any other (thinning) says that `count` numbers of its stretch are gone:
 * several of them add up, and the stretches in which they overlap are judged together.
 */
export function explain(missing: readonly SeqRange[], gaps: readonly StoredGap[]): Explanation {
  const explained: Partial<Record<GapReason, number>> = {};
  const add = (reason: GapReason, count: number): void => {
    if (count > 0) explained[reason] = (explained[reason] ?? 0) + count;
  };
  let left = missing;
  for (const [reason, ranges] of wholeStretches(gaps)) {
    add(reason, countOfRanges(intersection(left, ranges)));
    left = difference(left, ranges);
  }
  const short: ShortStretch[] = [];
  const stretches = clusters(gaps.filter((gap) => !isWhole(gap)));
  for (const { stretch, partial } of stretches) {
    const here = within(left, stretch);
    if (here.length === 0) continue;
    const { taken, unexplained } = share(here, partial);
    for (const [reason, count] of taken) add(reason, count);
    if (unexplained > 0) short.push({ missing: here, unexplained });
  }
  const spokenOf = stretches.map(({ stretch }) => stretch);
  return { explained, unexplained: difference(left, spokenOf), short };
}

function isWhole({ fromSeq, toSeq, count }: StoredGap): boolean {
  return toSeq === null || count === null || count >= toSeq - fromSeq + 1;
}

/** What is gone as a whole, by reason. */
function wholeStretches(gaps: readonly StoredGap[]): Map<GapReason, readonly SeqRange[]> {
  const ranges = new Map<GapReason, SeqRange[]>();
  for (const gap of gaps) {
    if (!isWhole(gap)) continue;
    const list = ranges.get(gap.reason) ?? [];
    list.push([gap.fromSeq, gap.toSeq ?? Number.MAX_SAFE_INTEGER - 1]);
    ranges.set(gap.reason, list);
  }
  return new Map([...ranges].map(([reason, list]) => [reason, normaliseRanges(list)]));
}

interface PartialGap {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly reason: GapReason;
}

/** Partial records whose stretches overlap, together with the numbers that they speak of. */
function clusters(
  gaps: readonly StoredGap[],
): readonly { readonly stretch: SeqRange; readonly partial: readonly PartialGap[] }[] {
  const sorted = gaps
    .map(({ fromSeq: from, toSeq, count, reason }) => ({ from, to: toSeq ?? from, count: count ?? 0, reason }))
    .sort((a, b) => a.from - b.from);
  const found: { stretch: [number, number]; partial: PartialGap[] }[] = [];
  for (const gap of sorted) {
    const last = found.at(-1);
    if (last !== undefined && gap.from <= last.stretch[1]) {
      last.partial.push(gap);
      last.stretch[1] = Math.max(last.stretch[1], gap.to);
    } else found.push({ stretch: [gap.from, gap.to], partial: [gap] });
  }
  return found;
}

/**
 * Gives each record as many of the missing numbers as it says are gone, so that as few as possible are left: going up through the
 * numbers, a number goes to the record that ends first.
 */
function share(
  missing: readonly SeqRange[],
  gaps: readonly PartialGap[],
): { readonly taken: readonly [GapReason, number][]; readonly unexplained: number } {
  const open = gaps.map((gap) => ({ ...gap, left: gap.count })).sort((a, b) => a.to - b.to);
  // Between two edges the same records apply to every number.
  const edges = [...new Set(open.flatMap(({ from, to }) => [from, to + 1]))].sort((a, b) => a - b);
  const pieces = edges.slice(0, -1).map((edge, index): SeqRange => [edge, (edges[index + 1] ?? edge) - 1]);
  const taken: [GapReason, number][] = [];
  let unexplained = 0;
  for (const piece of pieces) {
    let count = countOfRanges(within(missing, piece));
    for (const gap of open) {
      if (count === 0) break;
      if (gap.left === 0 || gap.from > piece[0] || gap.to < piece[1]) continue;
      const share = Math.min(count, gap.left);
      gap.left -= share;
      count -= share;
      taken.push([gap.reason, share]);
    }
    unexplained += count;
  }
  return { taken, unexplained };
}
