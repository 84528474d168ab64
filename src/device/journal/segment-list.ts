import type { Segment } from './segment.ts';

/** Released segments behind one that waits are cut down to what must stay of them when that frees as many records. */
const MIN_SHRINK_SLOTS = 64;

/** Everything up to this number has been released or is told by a gap record. */
export function releasedTo(segments: readonly Segment[], lastSeq: number): number {
  for (const { unreleased } of segments) {
    const lowest = unreleased.min();
    if (lowest !== undefined) return Math.min(lowest - 1, lastSeq);
  }
  return lastSeq;
}

/** Only from the old end: a file that is missing between two others is damage, and is told as such. */
export function removableSegments(
  segments: readonly Segment[],
  isHeld: (segment: Segment) => boolean,
): readonly Segment[] {
  const firstToStay = segments.findIndex(
    (segment) => segment === segments.at(-1) || segment.unreleased.size > 0 || isHeld(segment),
  );
  return segments.slice(0, Math.max(0, firstToStay));
}

/** What lies behind a segment that waits, and holds hardly anything but released readings. */
export function shrinkableSegments(segments: readonly Segment[]): readonly Segment[] {
  return segments.slice(0, -1).filter(({ unreleased, usedSlots, gaps, settlements }) => {
    const removableSlots = usedSlots - gaps.length - settlements.length;
    return unreleased.size === 0 && removableSlots > MIN_SHRINK_SLOTS;
  });
}
