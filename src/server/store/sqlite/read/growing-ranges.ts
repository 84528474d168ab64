import type { SeqRange } from '../../../../contract/seq-ranges.ts';
import type { TimeRange } from '../../audit-store.ts';

/** A set of numbers that come nearly in order: as ranges, sorted and without neighbours, from the first number on. */
export interface GrowingRanges {
  /** Whether the number is new. */
  add(seq: number, tsMs?: number): boolean;
  readonly ranges: readonly SeqRange[];
  /** Of each range, the times that were given with its lowest and its highest number. */
  readonly times: readonly TimeRange[];
}

/** A number behind the last one is added at once, any other one by binary search. */
export function createGrowingRanges(): GrowingRanges {
  const ranges: [from: number, to: number][] = [];
  const times: [fromMs: number, toMs: number][] = [];

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
  const insert = (seq: number, tsMs: number): boolean => {
    const index = find(seq);
    const [before, behind] = [ranges[index], ranges[index + 1]];
    const [timesBefore, timesBehind] = [times[index], times[index + 1]];
    if (before !== undefined && seq <= before[1]) return false;
    const touchesBefore = before !== undefined && before[1] + 1 === seq;
    const touchesBehind = behind !== undefined && seq + 1 === behind[0];
    if (touchesBefore && touchesBehind) {
      before[1] = behind[1];
      if (timesBefore !== undefined) timesBefore[1] = timesBehind?.[1] ?? tsMs;
      ranges.splice(index + 1, 1);
      times.splice(index + 1, 1);
    } else if (touchesBefore) {
      before[1] = seq;
      if (timesBefore !== undefined) timesBefore[1] = tsMs;
    } else if (touchesBehind) {
      behind[0] = seq;
      if (timesBehind !== undefined) timesBehind[0] = tsMs;
    } else {
      ranges.splice(index + 1, 0, [seq, seq]);
      times.splice(index + 1, 0, [tsMs, tsMs]);
    }
    return true;
  };

  return {
    add(seq, tsMs = 0) {
      const last = ranges.at(-1);
      const lastTimes = times.at(-1);
      if (last !== undefined && lastTimes !== undefined && seq === last[1] + 1) {
        last[1] = seq;
        lastTimes[1] = tsMs;
        return true;
      }
      return insert(seq, tsMs);
    },
    ranges,
    times,
  };
}
