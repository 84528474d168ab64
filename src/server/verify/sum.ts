import { countOfRanges } from '../../contract/seq-ranges.ts';
import type { DeviceVerdict, EpochVerdict, Outcome } from './explain.ts';

/** What all verdicts come to. */
export interface Sum {
  readonly nowMs: number;
  readonly devices: number;
  readonly readings: number;
  readonly unnumbered: number;
  readonly missing: number;
  readonly explained: number;
  readonly before: number;
  readonly waiting: number;
  /** Numbers in holes. */
  readonly holes: number;
  readonly doubled: number;
  readonly rejected: number;
  readonly quarantined: number;
  /** Gap records that are not believed, those apart that a person dismissed. */
  readonly doubted: number;
  /** Numbers that lie too far above the others to be believed. */
  readonly leaps: number;
  /** Epochs whose end cannot be known, since an older state of the record was taken over. */
  readonly unknownEnds: number;
  /** Devices with a hole or a doubled number. */
  readonly faulty: number;
  readonly outcome: Outcome;
}

const RANK: readonly Outcome[] = ['whole', 'unknown', 'faulty'];

export function emptySum(nowMs: number): Sum {
  const nothing = { devices: 0, readings: 0, unnumbered: 0, missing: 0, explained: 0, before: 0, waiting: 0 };
  const none = { holes: 0, doubled: 0, rejected: 0, quarantined: 0, doubted: 0, leaps: 0, unknownEnds: 0, faulty: 0 };
  return { nowMs, ...nothing, ...none, outcome: 'whole' };
}

export function withVerdict(sum: Sum, { epochs, unnumbered, isWhole, outcome }: DeviceVerdict): Sum {
  const total = (count: (epoch: EpochVerdict) => number): number =>
    epochs.reduce((subtotal, epoch) => subtotal + count(epoch), 0);
  return {
    nowMs: sum.nowMs,
    devices: sum.devices + 1,
    readings: sum.readings + unnumbered + total(({ readings }) => readings),
    unnumbered: sum.unnumbered + unnumbered,
    missing: sum.missing + total(({ missing }) => missing),
    explained: sum.explained + total(toldBy),
    before: sum.before + total(({ beforeRecord }) => countOfRanges(beforeRecord)),
    waiting: sum.waiting + total(({ waiting }) => waiting),
    holes: sum.holes + total(goneWithoutAWord),
    doubled: sum.doubled + total(({ doubled }) => countOfRanges(doubled)),
    rejected: sum.rejected + total(({ rejected }) => countOfRanges(rejected)),
    quarantined: sum.quarantined + total(({ quarantined }) => countOfRanges(quarantined)),
    doubted: sum.doubted + total(({ doubted }) => doubted.filter(({ doubt }) => doubt !== 'dismissed').length),
    leaps: sum.leaps + total(({ leaps }) => countOfRanges(leaps)),
    unknownEnds: sum.unknownEnds + total(({ unknownEnd }) => (unknownEnd === null ? 0 : 1)),
    faulty: sum.faulty + (isWhole ? 0 : 1),
    outcome: worse(sum.outcome, outcome),
  };
}

export function worse(one: Outcome, other: Outcome): Outcome {
  return RANK.indexOf(one) >= RANK.indexOf(other) ? one : other;
}

/** Of an epoch: numbers that gap records account for. */
export function toldBy({ explained }: EpochVerdict): number {
  return Object.values(explained).reduce((sum, count) => sum + count, 0);
}

/** Of an epoch: numbers that are missing without a word. */
export function goneWithoutAWord({ holes }: EpochVerdict): number {
  return holes.reduce((sum, { count }) => sum + count, 0);
}
