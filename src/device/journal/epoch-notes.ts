import type { Gap } from '../../contract/reading.ts';
import type { Clock } from '../../platform/clock.ts';
import type { JournalDirectories } from './directories.ts';
import { type EpochRegister, gapOfMissing, type RegisteredEpoch } from './epoch-register.ts';
import type { FileJournal } from './file-journal.ts';
import type { OnJournalEvent } from './journal.ts';
import type { MemoryFallback } from './memory-journal.ts';

export interface EpochNotesParts {
  readonly register: EpochRegister | undefined;
  readonly directories: JournalDirectories;
  readonly memoryFallback: MemoryFallback;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** The journal on disk that is written to. */
  readonly active: () => FileJournal | undefined;
  /** Where the settings want the journal. */
  readonly path: () => string;
  readonly onEvent: OnJournalEvent;
  readonly onFault: (error: unknown) => void;
}

/** What is written of epochs beside their entries: gap records for what is lost or missing, and the register of all epochs. */
export class EpochNotes {
  readonly #parts: EpochNotesParts;
  #recalls = 0;

  constructor(parts: EpochNotesParts) {
    this.#parts = parts;
  }

  /** Released entries wait again: the register has to say so. */
  recalled(): void {
    this.#recalls += 1;
  }

  /** Puts a gap record into `journal` for each loss that none tells of yet. @throws JournalError */
  async tellLosses(journal: FileJournal): Promise<void> {
    for (const damaged of this.#parts.directories.journals()) {
      for (const loss of damaged.losses()) {
        await journal.tellGap(loss, this.#parts.clock.nowMs(), 0);
        damaged.upkeep.lossTold(loss);
        const message = `readings ${numbersOf(loss)} of epoch ${loss.ofEpoch} are lost through damage; a gap record says so`;
        this.#parts.onEvent({ level: 'warn', message, path: damaged.place.directory });
      }
    }
  }

  /** Epochs of an earlier run that are not there any more: removed while the agent was stopped. @throws JournalError */
  async tellMissing(journal: FileJournal): Promise<void> {
    const { register, directories, clock, onEvent } = this.#parts;
    if (register === undefined) return;
    const missingEpochs = register.missing(
      () => this.#epochs('open'),
      (path) => directories.isOpen(path),
    );
    for (const missing of missingEpochs) {
      const gap = gapOfMissing(missing);
      if (gap !== undefined && !this.#isTold(gap)) {
        await journal.tellGap(gap, clock.nowMs(), 0);
        const where = missing.place === 'memory' ? 'were in memory when the agent was ended' : 'are not there any more';
        const message = `readings ${numbersOf(gap)} of epoch ${gap.ofEpoch} ${where}; a gap record says so`;
        onEvent({ level: 'error', message, path: missing.path });
      }
      register.settled(missing);
    }
  }

  /** @returns whether the register has all epochs, without `leaving` */
  async note(state: 'open' | 'closed', leaving?: FileJournal): Promise<boolean> {
    const { register, directories, memoryFallback, active, onFault } = this.#parts;
    if (register === undefined) return true;
    const staying = directories.journals().filter((journal) => journal !== leaving);
    const files = staying.map((journal) => [journal.epoch, ...journal.segments().map(({ index }) => index)].join(':'));
    const inMemory = memoryFallback.withoutCopy().map(({ epoch }) => epoch);
    const change = [state, active()?.epoch, this.#recalls, ...files, 'memory', ...inMemory].join(' ');
    try {
      return await register.note(change, () => this.#epochs(state).filter(({ epoch }) => epoch !== leaving?.epoch));
    } catch (error) {
      onFault(error);
      return false;
    }
  }

  /** By a start that ended before the register knew. */
  #isTold({ ofEpoch, from }: Gap): boolean {
    const gaps = this.#parts.directories
      .journals()
      .flatMap((journal) => journal.segments().flatMap((segment) => segment.gaps));
    return gaps.some(({ gap }) => gap.ofEpoch === ofEpoch && gap.from === from);
  }

  #epochs(state: 'open' | 'closed'): readonly RegisteredEpoch[] {
    const { directories, memoryFallback, active, path: settingsPath } = this.#parts;
    const inFiles = directories.placed().map(({ path, journal }): RegisteredEpoch => {
      const { deviceUid, epoch } = journal;
      const { lastSeq, unreleased } = journal.stats;
      const isOver = state === 'closed' || journal !== active();
      const end = { ...(isOver && { lastSeq }), ...(state === 'closed' && { unreleased }) };
      return { deviceUid, epoch, path, place: 'disk', releasedTo: journal.upkeep.releasedTo(), ...end };
    });
    const ofLaterVersion = directories.newer().map(({ deviceUid, epoch }): RegisteredEpoch => {
      return { deviceUid, epoch, path: settingsPath(), place: 'disk', releasedTo: 0 };
    });
    const inMemory = memoryFallback.withoutCopy().map((journal): RegisteredEpoch => {
      const { deviceUid, epoch } = journal;
      const { lastSeq, unreleased } = journal.stats;
      const end = state === 'closed' ? { lastSeq, unreleased } : {};
      return { deviceUid, epoch, path: settingsPath(), place: 'memory', releasedTo: 0, ...end };
    });
    return [...inFiles, ...ofLaterVersion, ...inMemory];
  }
}

function numbersOf({ from, to }: Gap): string {
  return to === undefined ? `from ${from} on` : `${from} to ${to}`;
}
