import type { SeqRange } from '../../contract/seq-ranges.ts';

/**
 * Sets of numbers as normalised ranges, each operation in one pass over both: a journal that was thinned twice leaves a range for
 * each reading, and a device may have millions of them. Pure.
 */

/** The numbers of 1..`last` that the ranges do not hold. */
export function complement(ranges: readonly SeqRange[], last: number): readonly SeqRange[] {
  const missing: SeqRange[] = [];
  let next = 1;
  for (const [from, to] of ranges) {
    if (from > last) break;
    if (from > next) missing.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= last) missing.push([next, last]);
  return missing;
}

/** What both hold. */
export function intersection(left: readonly SeqRange[], right: readonly SeqRange[]): readonly SeqRange[] {
  const both: SeqRange[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [left[i], right[j]];
    if (a === undefined || b === undefined) return both;
    const from = Math.max(a[0], b[0]);
    const to = Math.min(a[1], b[1]);
    if (from <= to) both.push([from, to]);
    if (a[1] < b[1]) i += 1;
    else j += 1;
  }
}

/** What the first holds and the second does not. */
export function difference(left: readonly SeqRange[], right: readonly SeqRange[]): readonly SeqRange[] {
  return intersection(left, complement(right, Number.MAX_SAFE_INTEGER));
}

/** What the ranges hold of one stretch; finds its place without a pass. */
export function within(ranges: readonly SeqRange[], [from, to]: SeqRange): readonly SeqRange[] {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as SeqRange)[1] < from) low = middle + 1;
    else high = middle;
  }
  const found: SeqRange[] = [];
  for (let index = low; index < ranges.length; index += 1) {
    const [first, last] = ranges[index] as SeqRange;
    if (first > to) break;
    found.push([Math.max(first, from), Math.min(last, to)]);
  }
  return found;
}

/** The lowest numbers of the ranges, `count` of them or all. */
export function lowest(ranges: readonly SeqRange[], count: number): readonly SeqRange[] {
  const taken: SeqRange[] = [];
  let left = count;
  for (const [from, to] of ranges) {
    if (left <= 0) break;
    taken.push([from, Math.min(to, from + left - 1)]);
    left -= to - from + 1;
  }
  return taken;
}
