import { countOfRanges } from '../../contract/seq-ranges.ts';
import type { JudgedDevice, RecordVerdict } from '../verify/current-verdict.ts';
import type { DeviceVerdict, EpochVerdict, Hole, Outcome, UnknownEnd } from '../verify/explain.ts';
import { goneWithoutAWord, toldBy, worse } from '../verify/sum.ts';
import { isoTime, isoTimeOrNull, type TimeRange } from './query.ts';
import type { Verdict, VerdictDevice } from './schemas/record.ts';

export interface VerdictQuestion {
  /** Absent: all devices. */
  readonly deviceUid?: string;
  /** Absent: all of the record. */
  readonly range?: TimeRange;
}

/** Of each device; all are counted. */
const MAX_HOLES = 100;
const MAX_DOUBTED = 100;
const NOTHING = {
  missing: 0,
  explained: 0,
  waiting: 0,
  before_record: 0,
  unnumbered: 0,
  unknown_ends: 0,
  doubled: 0,
  rejected: 0,
  quarantined: 0,
};
type Counts = typeof NOTHING;

/** The verdict as the API gives it: about one device or all, and about a stretch of time or all. Pure. */
export function verdictAnswer(record: RecordVerdict | undefined, question: VerdictQuestion, nowMs: number): Verdict {
  if (record === undefined) {
    return { outcome: 'not-checked', checked_at: null, age_s: null, record_began_at: null, ...NOTHING, devices: [] };
  }
  const { deviceUid, range } = question;
  const asked = record.devices.filter((device) => deviceUid === undefined || device.deviceUid === deviceUid);
  const devices = asked.map((device) => deviceAnswer(device, range, record.recordBeganMs));
  const sum: Counts = { ...NOTHING };
  for (const device of devices) for (const key of Object.keys(sum) as (keyof Counts)[]) sum[key] += device[key];
  // A device that was heard of since the verdict is not in it.
  const isMissed = deviceUid !== undefined && asked.length === 0;
  return {
    outcome: isMissed ? 'not-checked' : devices.map(({ outcome }) => outcome as Outcome).reduce(worse, 'whole'),
    checked_at: isoTime(record.checkedMs),
    age_s: Math.max(0, Math.round((nowMs - record.checkedMs) / 1000)),
    record_began_at: isoTimeOrNull(record.recordBeganMs),
    ...sum,
    devices,
  };
}

function deviceAnswer(
  { deviceUid, verdict, unnumberedTimes }: JudgedDevice,
  range: TimeRange | undefined,
  recordBeganMs: number | null,
): VerdictDevice {
  if (verdict === undefined) {
    return {
      device_id: deviceUid,
      outcome: 'unknown',
      ...NOTHING,
      holes: [],
      has_more_holes: false,
      gaps_not_believed: [],
    };
  }
  const epochs = verdict.epochs.filter((epoch) => range === undefined || mayTouch(epoch, range));
  const holes = epochs.flatMap(({ epoch, holes: found }) =>
    found.filter((hole) => range === undefined || touches(hole, range)).map((hole) => ({ epoch, hole })),
  );
  const total = (count: (epoch: EpochVerdict) => number): number =>
    epochs.reduce((sum, epoch) => sum + count(epoch), 0);
  const reachesBack = range === undefined || recordBeganMs === null || range.fromMs < recordBeganMs;
  const hasUnnumbered =
    range === undefined || unnumberedTimes.some(([fromMs, toMs]) => fromMs < range.toMs && toMs >= range.fromMs);
  const counts: Counts = {
    missing: holes.reduce((sum, { hole }) => sum + hole.count, 0),
    explained: total(toldBy),
    waiting: total(({ waiting }) => waiting),
    before_record: reachesBack ? total(({ beforeRecord }) => countOfRanges(beforeRecord)) : 0,
    unnumbered: hasUnnumbered ? verdict.unnumbered : 0,
    unknown_ends: verdict.epochs.filter(
      ({ unknownEnd }) => unknownEnd !== null && (range === undefined || isWithin(unknownEnd, range)),
    ).length,
    doubled: total(({ doubled }) => countOfRanges(doubled)),
    rejected: total(({ rejected }) => countOfRanges(rejected)),
    quarantined: total(({ quarantined }) => countOfRanges(quarantined)),
  };
  return {
    device_id: deviceUid,
    outcome: range === undefined ? verdict.outcome : outcomeOf(counts, epochs),
    ...counts,
    holes: holes.slice(0, MAX_HOLES).map(({ epoch, hole }) => ({
      epoch,
      from_seq: hole.missing[0]?.[0] ?? 0,
      to_seq: hole.missing.at(-1)?.[1] ?? 0,
      count: hole.count,
      after: isoTimeOrNull(hole.afterMs ?? null),
      before: isoTimeOrNull(hole.beforeMs ?? null),
    })),
    has_more_holes: holes.length > MAX_HOLES,
    gaps_not_believed: doubtedOf(verdict).slice(0, MAX_DOUBTED),
  };
}

function outcomeOf(counts: Counts, epochs: readonly EpochVerdict[]): Outcome {
  if (counts.missing > 0 || counts.doubled > 0) return 'faulty';
  const isOpen = counts.waiting + counts.before_record + counts.unnumbered + counts.unknown_ends > 0;
  return isOpen || epochs.some(({ leaps }) => leaps.length > 0) ? 'unknown' : 'whole';
}

function doubtedOf({ epochs }: DeviceVerdict): VerdictDevice['gaps_not_believed'] {
  return epochs
    .flatMap(({ doubted }) => doubted)
    .map(({ gap, doubt }) => ({
      record: { epoch: gap.epoch, seq: gap.seq },
      epoch: gap.ofEpoch,
      from_seq: gap.fromSeq,
      to_seq: gap.toSeq,
      count: gap.count,
      why: doubt,
    }));
}

/** Where one end is not known, it may be anywhere. */
function touches({ afterMs, beforeMs }: Hole, { fromMs, toMs }: TimeRange): boolean {
  return (afterMs === undefined || afterMs < toMs) && (beforeMs === undefined || beforeMs >= fromMs);
}

/** What is lost was taken after the newest reading that is there, and before the older state was made the record. */
function isWithin({ fromMs, takenMs }: UnknownEnd, range: TimeRange): boolean {
  return (fromMs === null || fromMs < range.toMs) && takenMs >= range.fromMs;
}

/** An epoch with holes counts where one of them does; what is missing at its ends has no time. */
function mayTouch(epoch: EpochVerdict, range: TimeRange): boolean {
  if (epoch.fromMs === null || epoch.toMs === null) return true;
  const isBetween = epoch.fromMs < range.toMs && epoch.toMs >= range.fromMs;
  return isBetween || (goneWithoutAWord(epoch) > 0 && epoch.holes.some((hole) => touches(hole, range)));
}
