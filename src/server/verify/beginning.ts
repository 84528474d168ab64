import type { EpochNumbers } from '../store/audit-store.ts';
import type { Device } from '../store/stored.ts';

export interface BeginningFacts {
  /** When the record began, by this server's clock; null: nobody knows. */
  readonly recordBeganMs: number | null;
  /** When this record first heard of the device. */
  readonly deviceHeardMs: number;
}

/** Between the making of a record and the first reading that can reach it: the broker has to be found first. */
const CONTACT_MS = 10_000;
/** Where nobody knows how often the device measures, its first reading comes this much after the record began, at most. */
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
  // Nothing of it came at all: only gap records of other epochs speak of it.
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
