import { countOfRanges } from '../../contract/seq-ranges.ts';
import type { Device } from '../store/stored.ts';
import type { EpochVerdict, Hole } from './device-verdict.ts';
import { lowest, within } from './seq-sets.ts';

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
