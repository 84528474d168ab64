import { countOfRanges, normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type { DeviceNumbers, EpochNumbers, TimeRange } from '../store/audit-store.ts';
import type { Device } from '../store/stored.ts';
import { type BeginningFacts, lastBefore } from './beginning.ts';
import type { DeviceVerdict, EpochVerdict, Hole } from './device-verdict.ts';
import { explain } from './explain.ts';
import { cutToItsTime, type DoubtedGap, doubtOf, withoutLeaps } from './gap-doubts.ts';
import { complement } from './seq-sets.ts';
import { withWaiting } from './waiting.ts';

export interface VerdictOptions {
  /** Numbers before the first one that came are holes, too. */
  readonly strict: boolean;
  /** When the record began; absent: when it first heard of the device. */
  readonly recordBeganMs?: number | null;
}

/**
 * Judges the record of one device. Pure.
 *
 * What is missing is explained, in this order: by gap records that can be true; as still on the device, while there is a reason to
 * believe it; as given before this record began (the lowest numbers of an epoch). The rest are holes.
 */
export function verdictOf(device: Device, numbers: DeviceNumbers, options: VerdictOptions): DeviceVerdict {
  const heard = numbers.epochs.flatMap(({ heardMs }) => (typeof heardMs === 'number' ? [heardMs] : []));
  const facts: BeginningFacts = {
    recordBeganMs: options.recordBeganMs === undefined ? device.createdMs : options.recordBeganMs,
    deviceHeardMs: Math.min(device.createdMs, ...heard),
  };
  const waited = withWaiting(numbers.epochs.map(judge), device);
  const epochs = waited.map((verdict, index) => {
    const epoch = numbers.epochs[index];
    return options.strict || epoch === undefined ? verdict : withBeginning(verdict, lastBefore(epoch, device, facts));
  });
  const { status, statusMs } = device;
  const count = status?.journal?.buffered;
  const isWhole = epochs.every(({ holes, doubled }) => holes.length === 0 && doubled.length === 0);
  return {
    deviceUid: device.uid,
    epochs,
    unnumbered: numbers.unnumbered,
    buffered: count === undefined ? null : { count, toldMs: statusMs },
    isWhole,
    outcome: !isWhole ? 'faulty' : isKnown(epochs, numbers.unnumbered) ? 'whole' : 'unknown',
  };
}

/** Whether nothing was left open. */
function isKnown(epochs: readonly EpochVerdict[], unnumbered: number): boolean {
  return (
    unnumbered === 0 &&
    epochs.every(({ beforeRecord, waiting, leaps }) => beforeRecord.length + waiting + leaps.length === 0)
  );
}

function judge(numbers: EpochNumbers): EpochVerdict {
  const { epoch, readings, gapRecords, rejected, quarantined, doubled, fromMs, toMs } = numbers;
  const { came, leaps } = withoutLeaps(normaliseRanges([...readings, ...gapRecords, ...rejected, ...quarantined]));
  const highest = came.at(-1)?.[1] ?? 0;
  const doubted: DoubtedGap[] = [];
  const gaps = numbers.gaps.flatMap((gap) => {
    const doubt = doubtOf(gap, highest, gapRecords);
    if (doubt === undefined) return [cutToItsTime(gap, gapRecords)];
    doubted.push({ gap, doubt });
    return [];
  });
  const last = gaps.reduce((most, { toSeq }) => Math.max(most, toSeq ?? 0), highest);
  const missing = complement(came, last);
  const { explained, unexplained, short } = explain(missing, gaps);
  const holes = [
    ...unexplained.map((range) => ({ missing: [range], count: range[1] - range[0] + 1 })),
    ...short.map((stretch) => ({ missing: stretch.missing, count: stretch.unexplained })),
  ].sort((a, b) => (a.missing[0]?.[0] ?? 0) - (b.missing[0]?.[0] ?? 0));
  return {
    epoch,
    last,
    fromMs,
    toMs,
    readings: countOfRanges(readings),
    gapRecords: countOfRanges(gapRecords),
    rejected,
    quarantined,
    doubled,
    missing: countOfRanges(missing),
    explained,
    beforeRecord: [],
    waiting: 0,
    holes: holes.map((hole): Hole => ({ ...hole, ...timesAround(numbers, hole.missing) })),
    doubted,
    leaps,
  };
}

/** When the readings next to missing numbers were taken. */
function timesAround(
  { readings, readingTimes }: EpochNumbers,
  missing: readonly SeqRange[],
): Pick<Hole, 'afterMs' | 'beforeMs'> {
  if (readingTimes === undefined) return {};
  const [first, last] = [missing[0]?.[0] ?? 1, missing.at(-1)?.[1] ?? 1];
  const below = firstAbove(readings, first) - 1;
  const afterMs: TimeRange[1] | undefined = readingTimes[below]?.[1];
  const beforeMs = readingTimes[firstAbove(readings, last)]?.[0];
  return { ...(afterMs !== undefined && { afterMs }), ...(beforeMs !== undefined && { beforeMs }) };
}

/** Index of the first range that begins above a number. */
function firstAbove(ranges: readonly SeqRange[], seq: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.[0] ?? Number.POSITIVE_INFINITY) <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes the numbers up to `last` out of the holes: they were given before this record began. */
function withBeginning(verdict: EpochVerdict, last: number): EpochVerdict {
  if (last === 0) return verdict;
  const before: SeqRange[] = [];
  const holes = verdict.holes.flatMap((hole): readonly Hole[] => {
    const [range] = hole.missing;
    if (range === undefined || range[0] > last) return [hole];
    // Which ones of a thinned stretch are missing without a word nobody knows.
    if (countOfRanges(hole.missing) !== hole.count) return [hole];
    before.push(
      ...hole.missing.flatMap(([from, to]): readonly SeqRange[] => (from > last ? [] : [[from, Math.min(to, last)]])),
    );
    const rest = hole.missing.flatMap(([from, to]): readonly SeqRange[] =>
      to <= last ? [] : [[Math.max(from, last + 1), to]],
    );
    return rest.length === 0 ? [] : [{ ...hole, missing: rest, count: countOfRanges(rest) }];
  });
  return { ...verdict, beforeRecord: before, holes };
}
