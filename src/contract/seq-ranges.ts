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

/** What is left of normalised ranges when the numbers of others are taken out; normalised. */
export function subtractRanges(ranges: readonly SeqRange[], taken: readonly SeqRange[]): readonly SeqRange[] {
  let left = [...ranges];
  for (const [from, to] of taken) {
    left = left.flatMap(([first, last]): SeqRange[] => {
      if (to < first || from > last) return [[first, last]];
      const before: SeqRange[] = first < from ? [[first, from - 1]] : [];
      const after: SeqRange[] = to < last ? [[to + 1, last]] : [];
      return [...before, ...after];
    });
  }
  return left;
}
