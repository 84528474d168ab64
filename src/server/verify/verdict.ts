import {
  complement,
  countOfRanges,
  lowest,
  normaliseRanges,
  type SeqRange,
  within,
} from '../../contract/seq-ranges.ts';
import type { DeviceNumbers, EpochNumbers, TimeRange } from '../store/audit-store.ts';
import type { Device } from '../store/stored.ts';
import {
  cutToItsTime,
  type DeviceVerdict,
  type DoubtedGap,
  doubtOf,
  type EpochVerdict,
  explain,
  type Hole,
  unknownEndOf,
  withoutLeaps,
} from './explain.ts';

export interface BeginningFacts {
  /** When the record began, by this server's clock; null: not known. */
  readonly recordBeganMs: number | null;
  /** When this record first heard of the device. */
  readonly deviceHeardMs: number;
}

/** Between the making of a record and the first reading that can reach it: the broker has to be found first. */
const CONTACT_MS = 10_000;
/** Where it is not known how often the device measures, its first reading comes this much after the record began, at most. */
const FIRST_CONTACT_MS = 600_000;
/** An epoch of which we hear so much later than of its device, and that claims to be older than that, has a wrong clock. */
const BELIEVED_LATE_MS = 86_400_000;
const MS_PER_SECOND = 1000;

/**
 * The highest number of an epoch that may have been given before this record began; 0: none. What was given later had to come, also
 * when it is the beginning of its epoch. Times of numbers that did not come are reckoned back from the lowest reading, by the
 * interval at which the device measures. Pure.
 */
export function lastBefore(numbers: EpochNumbers, device: Device, facts: BeginningFacts): number {
  const lowestCame = Math.min(
    ...[numbers.readings, numbers.gapRecords, numbers.rejected, numbers.quarantined].map(
      (ranges) => ranges[0]?.[0] ?? Number.POSITIVE_INFINITY,
    ),
  );
  const { recordBeganMs, deviceHeardMs } = facts;
  if (lowestCame === 1 || recordBeganMs === null) return 0;
  // None of it arrived: only gap records of other epochs mention it.
  if (!Number.isFinite(lowestCame)) return 0;
  const known = lowestKnown(numbers, lowestCame, deviceHeardMs);
  if (known === undefined) return 0;
  const [lowest, lowestMs] = known;
  if (lowestMs <= recordBeganMs) return lowestCame - 1;
  const intervalMs = intervalOf(numbers, device);
  if (intervalMs === undefined) {
    const isFirst = numbers.heardMs === undefined || numbers.heardMs === null || numbers.heardMs <= deviceHeardMs;
    return isFirst && lowestMs <= recordBeganMs + FIRST_CONTACT_MS ? lowestCame - 1 : 0;
  }
  const beganMs = lowestMs - (lowest - 1) * intervalMs;
  if (beganMs >= recordBeganMs) return 0;
  const contactMs = recordBeganMs + CONTACT_MS + 2 * intervalMs;
  const inTime = Math.floor(lowest - (lowestMs - contactMs) / intervalMs);
  return Math.max(0, Math.min(lowestCame - 1, inTime));
}

/**
 * The lowest number whose time is known: a reading by its own time where that can be believed, else the lowest that came, which was
 * given when the epoch was heard of, at the latest.
 */
function lowestKnown(
  numbers: EpochNumbers,
  lowestCame: number,
  deviceHeardMs: number,
): readonly [seq: number, tsMs: number] | undefined {
  const heardMs = numbers.heardMs ?? null;
  const lowest = numbers.readings[0]?.[0];
  const saidMs = numbers.readingTimes?.[0]?.[0] ?? numbers.fromMs;
  const isLate = heardMs !== null && heardMs > deviceHeardMs + BELIEVED_LATE_MS;
  const isCredible = saidMs !== null && numbers.isLowestUnsynced !== true && !(isLate && saidMs < deviceHeardMs);
  if (lowest !== undefined && isCredible) return [lowest, saidMs];
  return heardMs === null ? undefined : [lowestCame, heardMs];
}

/** By the device's word, else by the numbers and times of its readings. */
function intervalOf({ readings, fromMs, toMs }: EpochNumbers, { status }: Device): number | undefined {
  const said = status?.interval_s;
  if (said !== undefined && said > 0) return said * MS_PER_SECOND;
  const [first, last] = [readings[0]?.[0] ?? 0, readings.at(-1)?.[1] ?? 0];
  if (fromMs === null || toMs === null || toMs <= fromMs || last <= first) return undefined;
  return (toMs - fromMs) / (last - first);
}

/**
 * A device says every five minutes what waits on it (mqtt.status_interval_seconds). Where it has been heard of this much later and has
 * said nothing new, its old word is not believed any more.
 */
const WORD_HOLDS_MS = 3_600_000;

/** What the device says that it still holds. */
interface Waiting {
  /** Entries. */
  readonly count: number;
  /** Numbers that it gave up and has not told of yet: their gap records are among the entries. */
  readonly untold: number;
  /** The epoch that it writes to. */
  readonly inUse: string | undefined;
  /** The oldest entry; what lies below it is not there any more. Older agents do not say it. */
  readonly oldest: { readonly epoch: string; readonly seq: number } | undefined;
}

/**
 * Takes what may still lie on the device out of the holes, as far as there is a reason to believe it: the newest of what is missing, of
 * the epoch in use first, since a backlog is delivered oldest first, with the gap records at its end. Pure.
 */
export function withWaiting(epochs: readonly EpochVerdict[], device: Device): readonly EpochVerdict[] {
  const waiting = waitingOn(device, epochs);
  if (waiting === undefined) return epochs;
  const { inUse, oldest } = waiting;
  const oldestIndex = oldest === undefined ? -1 : epochs.findIndex(({ epoch }) => epoch === oldest.epoch);
  let { count, untold } = waiting;
  const changed = new Map<string, EpochVerdict>();
  const newestFirst = [...epochs].reverse().sort((a, b) => Number(b.epoch === inUse) - Number(a.epoch === inUse));
  for (const epoch of newestFirst) {
    const index = epochs.indexOf(epoch);
    const isOlder = index < oldestIndex && epoch.epoch !== inUse;
    const from = oldest?.epoch === epoch.epoch ? oldest.seq : isOlder ? Number.POSITIVE_INFINITY : 1;
    const holes: Hole[] = [];
    let taken = 0;
    for (const hole of [...epoch.holes].reverse()) {
      const there = Math.min(count, mayLieThere(hole, from));
      count -= there;
      const told = Math.min(untold, hole.count - there);
      untold -= told;
      taken += there + told;
      if (there + told < hole.count) holes.unshift(smaller(hole, hole.count - there - told));
    }
    changed.set(epoch.epoch, { ...epoch, waiting: taken, holes });
  }
  return epochs.map((epoch) => changed.get(epoch.epoch) ?? epoch);
}

/** Undefined where nothing waits, or nothing that was said about it can be believed. */
function waitingOn({ status, statusMs, lastSeenMs }: Device, epochs: readonly EpochVerdict[]): Waiting | undefined {
  const { buffered = 0, dropped = 0, epoch: inUse, oldest } = status?.journal ?? {};
  if (buffered === 0) return undefined;
  // A silent device may hold it for as long as it is away: that is told, with the time of its word, and never called whole.
  if (statusMs !== null && lastSeenMs !== null && lastSeenMs > statusMs + WORD_HOLDS_MS) return undefined;
  const told = epochs.flatMap(({ explained }) => Object.values(explained)).reduce((sum, count) => sum + count, 0);
  return { count: buffered, untold: Math.max(0, dropped - told), inUse, oldest };
}

/** How many of a hole's numbers are not below the oldest that the device holds. */
function mayLieThere({ missing, count }: Hole, from: number): number {
  if (from === 1) return count;
  return Math.min(count, countOfRanges(within(missing, [from, Number.MAX_SAFE_INTEGER])));
}

function smaller(hole: Hole, count: number): Hole {
  const { missing, count: before } = hole;
  const isExact = countOfRanges(missing) === before;
  return { ...hole, missing: isExact ? lowest(missing, count) : missing, count };
}

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
    epochs.every(
      ({ beforeRecord, waiting, leaps, unknownEnd }) =>
        beforeRecord.length + waiting + leaps.length === 0 && unknownEnd === null,
    )
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
  // A record without an end says that all from its beginning on is gone, so what lies before was given.
  const last = gaps.reduce((most, { fromSeq, toSeq }) => Math.max(most, toSeq ?? fromSeq - 1), highest);
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
    unknownEnd: unknownEndOf(numbers, last, gaps),
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
    // It is not known which ones of a thinned stretch are missing without a record.
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
