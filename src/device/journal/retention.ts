import type { Gap } from '../../contract/reading.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { JournalSection } from '../config.ts';
import type { FileJournal } from './file-journal.ts';
import type { OnJournalEvent } from './journal.ts';
import type { JournalFs } from './journal-fs.ts';
import { countUnreleasedReadings, type Segment } from './segment.ts';

/** A segment holds an eighth of what the journal may: that much is thinned or dropped at a time. */
const SEGMENTS_PER_JOURNAL = 8;
const MIN_SLOTS = 64;
/** 260 KiB: makes a new segment rare enough to vanish beside the appends (performance goal: 1.15 times them). */
const MAX_SLOTS = 4096;
/** Each round makes room for dozens of readings at least; one is what it takes, more follow a limit that was lowered. */
const MAX_ROUNDS = 10_000;
/** A full journal is said once, and then again after so long with what went meanwhile. */
const SAY_EVERY_MS = 3_600_000;

export interface JournalLimitsParts {
  readonly settings: Live<JournalSection>;
  readonly fs: Pick<JournalFs, 'freeBytes'>;
  /** The wall clock for the gap records, the monotonic one for what is said. */
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  /** All journals that count, oldest first. */
  readonly journals: () => readonly FileJournal[];
  readonly onEvent: OnJournalEvent;
}

/** Keeps the journals on disk within what the settings allow; what goes is told in the one that is written to. */
export class JournalLimits {
  readonly #parts: JournalLimitsParts;
  #sayAgainAtMs = Number.NEGATIVE_INFINITY;
  #goneUnsaid = 0;

  constructor(parts: JournalLimitsParts) {
    this.#parts = parts;
  }

  /** Before one more reading goes into `written`. @throws JournalError */
  async keep(written: FileJournal, path: string): Promise<void> {
    const { maxReadings, whenFull } = this.#parts.settings.current;
    for (let round = 0; round < MAX_ROUNDS && this.#sum('unreleased') >= maxReadings; round += 1) {
      if (!(await this.makeRoomOnce(written, whenFull))) break;
    }
    const grows = written.bytesToGrow();
    if (grows > 0) await this.#keepDiskFree(written, path, grows);
  }

  /** @returns false when there is nothing that could go. @throws JournalError */
  async makeRoomOnce(written: FileJournal, whenFull: JournalSection['whenFull']): Promise<boolean> {
    const others = this.#parts.journals().filter((other) => other !== written);
    const goneBefore = this.#sum('dropped');
    const madeRoom = await makeRoom([...others, written], whenFull, async (gap, level) => {
      await written.tellGap(gap, this.#parts.clock.nowMs(), level);
    });
    this.#say(this.#sum('dropped') - goneBefore, written);
    return madeRoom;
  }

  #say(gone: number, written: FileJournal): void {
    this.#goneUnsaid += gone;
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#goneUnsaid === 0 || nowMs < this.#sayAgainAtMs) return;
    const message = `the journal is full: ${this.#goneUnsaid} readings had to go; gap records tell which`;
    this.#parts.onEvent({ level: 'warn', what: 'full', message, path: written.place.directory });
    this.#sayAgainAtMs = nowMs + SAY_EVERY_MS;
    this.#goneUnsaid = 0;
  }

  /** When little is free the journal does not grow any more: each new segment takes the place of older readings. */
  async #keepDiskFree(written: FileJournal, path: string, grows: number): Promise<void> {
    const { minFreeBytes, whenFull } = this.#parts.settings.current;
    const bytesBefore = this.#sum('bytesOnDisk');
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const freeBytes = await this.#parts.fs.freeBytes(path).catch(() => Infinity);
      const hasMadeRoom = bytesBefore - this.#sum('bytesOnDisk') >= grows;
      if (freeBytes - grows >= minFreeBytes || hasMadeRoom) return;
      // Thinning writes the thinner file beside the old one first.
      if (!(await this.makeRoomOnce(written, freeBytes < 2 * grows ? 'drop-oldest' : whenFull))) return;
    }
  }

  #sum(key: 'unreleased' | 'dropped' | 'bytesOnDisk'): number {
    return this.#parts.journals().reduce((sum, journal) => sum + journal.stats[key], 0);
  }
}

/** Records in a new segment: a multiple of a disk block's. */
export function slotsPerSegment(maxReadings: number): number {
  const share = Math.ceil(maxReadings / SEGMENTS_PER_JOURNAL / MIN_SLOTS) * MIN_SLOTS;
  return Math.min(MAX_SLOTS, Math.max(MIN_SLOTS, share));
}

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
  const removal = await journal.upkeep.planThinning(segment);
  if (removal === undefined) return;
  if (removal.gap !== undefined) await tell(removal.gap, level);
  await journal.upkeep.thin(segment, level, removal);
}

async function drop({ journal, segment }: Candidate, tell: TellGap): Promise<void> {
  const removal = await journal.upkeep.planDrop(segment);
  for (const entry of removal.carried) await tell(entry.gap, 0);
  if (removal.gap !== undefined) await tell(removal.gap, 0);
  await journal.upkeep.drop(segment, removal);
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
  const journal = journals.find((candidate) => candidate.stats.unreleased > 0);
  if (journal === undefined) return false;
  await journal.rollOver();
  return true;
}
