import type { GapReason } from '../../contract/reading.ts';
import { countOfRanges, normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type { DeviceNumbers, EpochNumbers } from '../store/audit-store.ts';
import type { Device } from '../store/stored.ts';
import { explain } from './explain.ts';
import { complement, lowest } from './seq-sets.ts';

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
}

export interface EpochVerdict {
  readonly epoch: string;
  /** The highest number that came or that a gap record speaks of. */
  readonly last: number;
  /** Times of the oldest and newest reading. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** How many numbers came as readings, gap records, or could not be stored as readings. */
  readonly readings: number;
  readonly gapRecords: number;
  readonly rejected: readonly SeqRange[];
  /** One number, several times: two devices under one name, or a journal that was copied. */
  readonly doubled: readonly SeqRange[];
  /** Every number of 1..last that did not come. It is the sum of what follows. */
  readonly missing: number;
  readonly explained: Readonly<Partial<Record<GapReason, number>>>;
  /** Numbers that were given before this server first heard of the device. */
  readonly beforeRecord: readonly SeqRange[];
  /** So many of the newest that are missing may still lie on the device. */
  readonly waiting: number;
  readonly holes: readonly Hole[];
}

/** Missing without a word. `count` is less than the ranges hold where gap records speak of some, without saying which. */
export interface Hole {
  readonly missing: readonly SeqRange[];
  readonly count: number;
}

export interface VerdictOptions {
  /** Numbers before the first one that came are holes, too. */
  readonly strict: boolean;
}

/** The first readings come this much after the device was registered, at most. */
const FIRST_CONTACT_MS = 600_000;
const MS_PER_SECOND = 1000;

/**
 * Judges the record of one device. Pure.
 *
 * What is missing is explained, in this order: by gap records; as still on the device, where its status says that entries wait
 * (the newest of what is missing, since a backlog is delivered oldest first, with the gap records at its end); as given before
 * this server knew the device (the lowest numbers of an epoch, unless its first reading was measured when the device had long been
 * known). The rest are holes.
 */
export function verdictOf(device: Device, numbers: DeviceNumbers, options: VerdictOptions): DeviceVerdict {
  const buffered = bufferedOn(device);
  const first = firstHeard(numbers.epochs);
  const judged = numbers.epochs.map(judge);
  const waited = withWaiting(judged, mayCome(device, judged), device.status?.journal?.epoch);
  const epochs = waited.map((verdict, index) => {
    const epoch = numbers.epochs[index];
    const isLate = epoch === undefined || !(epoch === first || beganBefore(epoch, device));
    return options.strict || isLate ? verdict : withBeginning(verdict, epoch);
  });
  return {
    deviceUid: device.uid,
    epochs,
    unnumbered: numbers.unnumbered,
    buffered,
    isWhole: epochs.every(({ holes, doubled }) => holes.length === 0 && doubled.length === 0),
  };
}

function judge(numbers: EpochNumbers): EpochVerdict {
  const { epoch, readings, gapRecords, rejected, quarantined, doubled, gaps, fromMs, toMs } = numbers;
  const came = normaliseRanges([...readings, ...gapRecords, ...rejected, ...quarantined]);
  const last = gaps.reduce((highest, { toSeq }) => Math.max(highest, toSeq ?? 0), came.at(-1)?.[1] ?? 0);
  const missing = complement(came, last);
  const { explained, unexplained, short } = explain(missing, gaps);
  return {
    epoch,
    last,
    fromMs,
    toMs,
    readings: countOfRanges(readings),
    gapRecords: countOfRanges(gapRecords),
    rejected,
    doubled,
    missing: countOfRanges(missing),
    explained,
    beforeRecord: [],
    waiting: 0,
    holes: [
      ...unexplained.map((range): Hole => ({ missing: [range], count: range[1] - range[0] + 1 })),
      ...short.map((stretch): Hole => ({ missing: stretch.missing, count: stretch.unexplained })),
    ].sort((a, b) => (a.missing[0]?.[0] ?? 0) - (b.missing[0]?.[0] ?? 0)),
  };
}

/** Takes the lowest numbers out of the holes: they were given before this server knew the device. */
function withBeginning(verdict: EpochVerdict, { readings, gapRecords, rejected }: EpochNumbers): EpochVerdict {
  const firstCame = Math.min(...[readings, gapRecords, rejected].map((ranges) => ranges[0]?.[0] ?? Infinity));
  const isBefore = ({ missing, count }: Hole): boolean =>
    (missing.at(-1)?.[1] ?? Infinity) < firstCame && countOfRanges(missing) === count;
  return {
    ...verdict,
    beforeRecord: verdict.holes.filter(isBefore).flatMap(({ missing }) => missing),
    holes: verdict.holes.filter((hole) => !isBefore(hole)),
  };
}

/** Takes what may still lie on the device out of the holes: the newest numbers, of the epoch in use first. */
function withWaiting(
  epochs: readonly EpochVerdict[],
  count: number,
  inUse: string | undefined,
): readonly EpochVerdict[] {
  let left = count;
  const newestFirst = [...epochs].reverse().sort((a, b) => Number(b.epoch === inUse) - Number(a.epoch === inUse));
  const changed = new Map<string, EpochVerdict>();
  for (const epoch of newestFirst) {
    const holes: Hole[] = [];
    let waiting = 0;
    for (const hole of [...epoch.holes].reverse()) {
      const taken = Math.min(left, hole.count);
      left -= taken;
      waiting += taken;
      if (taken < hole.count) holes.unshift(smaller(hole, hole.count - taken));
    }
    changed.set(epoch.epoch, { ...epoch, waiting, holes });
  }
  return epochs.map((epoch) => changed.get(epoch.epoch) ?? epoch);
}

function smaller({ missing, count: before }: Hole, count: number): Hole {
  const isExact = countOfRanges(missing) === before;
  return { missing: isExact ? lowest(missing, count) : missing, count };
}

/** How many missing numbers may come yet: what waits on the device, and what it gave up and has not told. */
function mayCome({ status }: Device, epochs: readonly EpochVerdict[]): number {
  const { buffered = 0, dropped = 0 } = status?.journal ?? {};
  if (buffered === 0) return 0;
  const told = epochs.flatMap(({ explained }) => Object.values(explained)).reduce((sum, count) => sum + count, 0);
  return buffered + Math.max(0, dropped - told);
}

function bufferedOn({ status, statusMs }: Device): DeviceVerdict['buffered'] {
  const count = status?.journal?.buffered;
  return count === undefined ? null : { count, toldMs: statusMs };
}

/** The epoch with the oldest reading: nobody can know whether this server should have got what came before it. */
function firstHeard(epochs: readonly EpochNumbers[]): EpochNumbers | undefined {
  const withReadings = epochs.filter(({ fromMs }) => fromMs !== null);
  return [...withReadings].sort((a, b) => (a.fromMs ?? 0) - (b.fromMs ?? 0))[0];
}

function beganBefore({ fromMs }: EpochNumbers, { createdMs, status }: Device): boolean {
  const patienceMs = Math.max(FIRST_CONTACT_MS, 2 * (status?.interval_s ?? 0) * MS_PER_SECOND);
  return fromMs === null || fromMs <= createdMs + patienceMs;
}
