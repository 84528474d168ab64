import type { GapReason } from '../../contract/reading.ts';
import { countOfRanges, normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type { StoredGap } from '../store/stored.ts';
import { difference, intersection, within } from './seq-sets.ts';

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
