/** Sets of sequence numbers as sorted, disjoint, inclusive ranges. Pure. */

/** Inclusive: `[from, to]`. */
export type SeqRange = readonly [from: number, to: number];

/** Sorted, merged copy; touching ranges become one. */
export function normaliseRanges(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const merged: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The ranges that hold exactly these numbers, in any order. */
export function rangesOf(seqs: Iterable<number>): readonly SeqRange[] {
  return normaliseRanges(Array.from(seqs, (seq) => [seq, seq] as const));
}

/** Whether normalised ranges hold a number; binary search. */
export function rangesInclude(ranges: readonly SeqRange[], seq: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (seq < range[0]) high = middle - 1;
    else if (seq > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many numbers the ranges hold. */
export function countOfRanges(ranges: readonly SeqRange[]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

/** What is left of normalised ranges when the numbers of others are taken out; normalised. One pass over both. */
export function subtractRanges(ranges: readonly SeqRange[], taken: readonly SeqRange[]): readonly SeqRange[] {
  const out = normaliseRanges(taken);
  const left: SeqRange[] = [];
  let index = 0;
  for (const [first, last] of ranges) {
    let from = first;
    for (let range = out[index]; range !== undefined && range[0] <= last; range = out[index]) {
      if (range[0] > from) left.push([from, range[0] - 1]);
      from = Math.max(from, range[1] + 1);
      // This one may reach into the next range, too.
      if (range[1] > last) break;
      index += 1;
    }
    if (from <= last) left.push([from, last]);
  }
  return left;
}
