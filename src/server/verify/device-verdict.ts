import type { GapReason } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { DoubtedGap } from './gap-doubts.ts';

/**
 * `whole`: every number came, or a record says why not. `faulty`: numbers are missing without a word, or doubled. `unknown`: no fault
 * was found, and something cannot be judged: readings without numbers, what was given before the record began, what may still come.
 */
export type Outcome = 'whole' | 'unknown' | 'faulty';

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
  readonly outcome: Outcome;
}

export interface EpochVerdict {
  readonly epoch: string;
  /** The highest number that came or that a gap record speaks of. */
  readonly last: number;
  /** Times of the oldest and newest reading. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** How many numbers came as readings, gap records, or could not be stored as readings, or wait in quarantine. */
  readonly readings: number;
  readonly gapRecords: number;
  readonly rejected: readonly SeqRange[];
  readonly quarantined: readonly SeqRange[];
  /** One number, several times: two devices under one name, or a journal that was copied. */
  readonly doubled: readonly SeqRange[];
  /** Every number of 1..last that did not come. It is the sum of what follows. */
  readonly missing: number;
  readonly explained: Readonly<Partial<Record<GapReason, number>>>;
  /** Numbers that were given before this record began. */
  readonly beforeRecord: readonly SeqRange[];
  /** So many of the newest that are missing may still lie on the device. */
  readonly waiting: number;
  readonly holes: readonly Hole[];
  /** Gap records that cannot be true: kept, and without any weight here. */
  readonly doubted: readonly DoubtedGap[];
  /** Numbers that came and lie too far above the others to be believed; not part of 1..last. */
  readonly leaps: readonly SeqRange[];
}

/** Missing without a word. `count` is less than the ranges hold where gap records speak of some, without saying which. */
export interface Hole {
  readonly missing: readonly SeqRange[];
  readonly count: number;
  /** Times of the nearest readings below and above; absent where there is none. */
  readonly afterMs?: number;
  readonly beforeMs?: number;
}
