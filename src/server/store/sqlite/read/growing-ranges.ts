import type { SeqRange } from '../../../../contract/seq-ranges.ts';

/** A set of numbers that come nearly in order: as ranges, sorted and without neighbours, from the first number on. */
export interface GrowingRanges {
  /** Whether the number is new. */
  add(seq: number): boolean;
  readonly ranges: readonly SeqRange[];
}

/** A number behind the last one is added at once, any other one by binary search. */
export function createGrowingRanges(): GrowingRanges {
  const ranges: [from: number, to: number][] = [];

  /** Index of the last range that begins at or before the number; -1 where there is none. */
  const find = (seq: number): number => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.[0] ?? Number.POSITIVE_INFINITY) <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  const insert = (seq: number): boolean => {
    const index = find(seq);
    const [before, behind] = [ranges[index], ranges[index + 1]];
    if (before !== undefined && seq <= before[1]) return false;
    const touchesBefore = before !== undefined && before[1] + 1 === seq;
    const touchesBehind = behind !== undefined && seq + 1 === behind[0];
    if (touchesBefore && touchesBehind) {
      before[1] = behind[1];
      ranges.splice(index + 1, 1);
    } else if (touchesBefore) before[1] = seq;
    else if (touchesBehind) behind[0] = seq;
    else ranges.splice(index + 1, 0, [seq, seq]);
    return true;
  };

  return {
    add(seq) {
      const last = ranges.at(-1);
      if (last !== undefined && seq === last[1] + 1) {
        last[1] = seq;
        return true;
      }
      return insert(seq);
    },
    ranges,
  };
}
