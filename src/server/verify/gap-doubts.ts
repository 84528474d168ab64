import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { EpochNumbers } from '../store/audit-store.ts';
import type { StoredGap } from '../store/stored.ts';

/** Why a gap record is kept and not believed. */
export type GapDoubt = 'dismissed' | 'counts-too-many' | 'not-given-yet' | 'never-heard-of';

export interface DoubtedGap {
  readonly gap: StoredGap;
  readonly doubt: GapDoubt;
}

/** A journal holds 50 million readings at most (journal.max_readings), so nobody loses more than that at once. */
export const MAX_LOST_AT_ONCE = 50_000_000;
/** Of what was only thinned the rest has come, nearly always before the record that tells of it. */
const MAX_THINNED_UNHEARD = 10_000;

/**
 * Whether a gap record can be true, from what was heard of its epoch; undefined where it can. One that cannot must neither explain
 * losses nor make holes: a single message would do so for ever.
 *
 * @param highest the highest number that came of the epoch; 0 where none did
 */
export function doubtOf(gap: StoredGap, highest: number, own: readonly SeqRange[]): GapDoubt | undefined {
  const { fromSeq, toSeq, count, seq } = gap;
  if (gap.dismissal !== undefined && gap.dismissal !== null) return 'dismissed';
  const isOwn = isOwnRecord(gap, own);
  // It took its number after all those that it speaks of.
  if (isOwn && (toSeq ?? fromSeq) >= seq) return 'not-given-yet';
  const size = toSeq === null ? null : toSeq - fromSeq + 1;
  if (size !== null && count !== null && count > size) return 'counts-too-many';
  const unheard = (toSeq ?? fromSeq) - Math.max(highest, fromSeq - 1);
  const beyond = fromSeq - 1 - highest;
  if (beyond > MAX_LOST_AT_ONCE || unheard > MAX_LOST_AT_ONCE) return 'never-heard-of';
  if (size !== null && count !== null && count < size && unheard > MAX_THINNED_UNHEARD) return 'never-heard-of';
  return undefined;
}

/** What a believed record speaks of: of its own epoch nothing that was given later. */
export function cutToItsTime(gap: StoredGap, own: readonly SeqRange[]): StoredGap {
  return gap.toSeq === null && isOwnRecord(gap, own) ? { ...gap, toSeq: gap.seq - 1 } : gap;
}

/**
 * The numbers that came, without those that lie further above the others than anybody can lose at once: one message with such a number
 * would make holes of all below it.
 */
export function withoutLeaps(came: readonly SeqRange[]): {
  readonly came: readonly SeqRange[];
  readonly leaps: readonly SeqRange[];
} {
  const leap = came.findIndex(([from], index) => from - (came[index - 1]?.[1] ?? 0) > MAX_LOST_AT_ONCE);
  return leap < 0 ? { came, leaps: [] } : { came: came.slice(0, leap), leaps: came.slice(leap) };
}

/** Of the epoch that it stands in itself. */
function isOwnRecord({ epoch, ofEpoch, seq }: StoredGap, gapRecords: EpochNumbers['gapRecords']): boolean {
  return epoch === ofEpoch && gapRecords.some(([from, to]) => seq >= from && seq <= to);
}
