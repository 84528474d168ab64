import type { Gap } from '../../contract/reading.ts';
import type { FileJournal } from './file-journal.ts';
import { countUnreleasedReadings, type Segment } from './segment.ts';

/** A reading a minute, thinned six times, is a reading an hour; beyond that the oldest go. */
const MAX_LEVEL = 6;
/** A gap record takes a place itself: fewer readings than this are not thinned but dropped in their turn. */
const MIN_READINGS_TO_THIN = 16;

/** Puts a gap record on disk; `level` is the thinning level that the segment reaches. @throws JournalError */
export type TellGap = (gap: Gap, level: number) => Promise<void>;

interface Candidate {
  readonly journal: FileJournal;
  readonly segment: Segment;
}

/**
 * Makes room once, a segment at a time: thins the oldest of the least thinned segments, or drops the oldest one. What goes
 * is on disk as a gap record before it goes.
 * @param journals oldest first
 * @returns false when there is nothing that could go. @throws JournalError when it could not be told
 */
export async function makeRoom(
  journals: readonly FileJournal[],
  whenFull: 'thin' | 'drop-oldest',
  tell: TellGap,
): Promise<boolean> {
  if (oldestFull(journals) === undefined && !(await rollOverOldest(journals))) return false;
  const thinnable = whenFull === 'thin' ? leastThinned(journals) : undefined;
  if (thinnable !== undefined) {
    await thin(thinnable, tell);
    return true;
  }
  const oldest = oldestFull(journals);
  if (oldest === undefined) return false;
  await drop(oldest, tell);
  return true;
}

async function thin({ journal, segment }: Candidate, tell: TellGap): Promise<void> {
  const level = segment.level + 1;
  const removal = await journal.planThinning(segment);
  if (removal === undefined) return;
  if (removal.gap !== undefined) await tell(removal.gap, level);
  await journal.thin(segment, level, removal);
}

async function drop({ journal, segment }: Candidate, tell: TellGap): Promise<void> {
  const removal = await journal.planDrop(segment);
  for (const entry of removal.carried) await tell(entry.gap, 0);
  if (removal.gap !== undefined) await tell(removal.gap, 0);
  await journal.drop(segment, removal);
}

function leastThinned(journals: readonly FileJournal[]): Candidate | undefined {
  return fullSegments(journals)
    .filter(({ segment }) => segment.level < MAX_LEVEL && countUnreleasedReadings(segment) >= MIN_READINGS_TO_THIN)
    .sort((a, b) => a.segment.level - b.segment.level)[0];
}

/** The oldest segment with something in it that waits, and that is not appended to. */
function oldestFull(journals: readonly FileJournal[]): Candidate | undefined {
  return fullSegments(journals)[0];
}

function fullSegments(journals: readonly FileJournal[]): readonly Candidate[] {
  return journals.flatMap((journal) =>
    journal
      .segments()
      .filter((segment) => segment.unreleased.size > 0 && !journal.isTail(segment))
      .map((segment) => ({ journal, segment })),
  );
}

/** Where everything lies in segments that are still appended to: the oldest goes on in a new one. */
async function rollOverOldest(journals: readonly FileJournal[]): Promise<boolean> {
  const journal = journals.find((candidate) => candidate.stats().unreleased > 0);
  if (journal === undefined) return false;
  await journal.rollOver();
  return true;
}
