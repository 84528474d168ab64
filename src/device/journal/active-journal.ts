import type { Clock } from '../../platform/clock.ts';
import type { JournalDirectories } from './directories.ts';
import type { EpochNotes } from './epoch-notes.ts';
import type { FileJournal } from './file-journal.ts';
import { JournalError } from './journal.ts';
import { goneError } from './journal-fs.ts';
import type { JournalLimits } from './retention.ts';

/** How often all files are looked for, not only the one that is written to. */
const LOOK_EVERY_MS = 60_000;

export interface ActiveJournalParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly directories: JournalDirectories;
  readonly notes: Pick<EpochNotes, 'tellLosses' | 'tellMissing' | 'note'>;
  readonly limits: JournalLimits;
  /** Paths that the register of epochs knows. */
  readonly registeredPaths: () => readonly string[];
  /** As the settings have it now. */
  readonly path: () => string;
  /** As the settings have it now. */
  readonly deviceUid: () => string;
  readonly createEpochName: () => string;
}

/** The journal on disk that is written to, as far as the disk lets it; its path and device are those of the settings. */
export class ActiveJournal {
  /** Undefined before the first use of the disk, and while it is away. Changed here only, as the next field. */
  current: FileJournal | undefined;
  /** Files or the lock are not where they were; what is there now has not been looked into yet. */
  isAway = false;
  readonly #parts: ActiveJournalParts;
  #currentPath = '';
  #lookAtMs = 0;

  constructor(parts: ActiveJournalParts) {
    this.#parts = parts;
  }

  /** Its files are gone: they are left alone until the next use. */
  leave(): void {
    this.isAway = true;
    this.#parts.directories.leave();
  }

  /** Now and then, at an append: files that are not written to can be gone, too. @throws JournalError JOURNAL_GONE */
  async checkFiles(): Promise<void> {
    const { clock, directories, path } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (this.isAway || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_EVERY_MS;
    if (!(await directories.areInPlace())) throw goneError(path());
  }

  /** Opens what the settings name, sees that there is room, tells of losses, then does the work. @throws JournalError */
  async use<T>(work: (journal: FileJournal) => Promise<T>): Promise<T> {
    if (this.isAway) await this.#comeBack();
    const journal = await this.#activate();
    try {
      return await this.#withRoom(journal, work);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      if (error.code === 'JOURNAL_NO_SPACE') {
        // Appending needs no space, only another segment does: the oldest makes way for it.
        if (!(await this.#parts.limits.makeRoomOnce(journal, 'drop-oldest'))) throw error;
        return await work(journal);
      }
      if (error.code !== 'JOURNAL_IO') throw error;
      // Damage in one place of the disk: go on in another. If there is none, the first error is the one to tell.
      const another = await this.#beginEpoch().catch(() => Promise.reject(error));
      this.current = another;
      return await this.#withRoom(another, work);
    }
  }

  async #withRoom<T>(journal: FileJournal, work: (journal: FileJournal) => Promise<T>): Promise<T> {
    const { notes, limits } = this.#parts;
    await notes.tellLosses(journal);
    await notes.tellMissing(journal);
    await limits.keep(journal, this.#currentPath);
    await notes.note('open');
    return await work(journal);
  }

  async #comeBack(): Promise<void> {
    await this.#parts.directories.comeBack();
    this.isAway = false;
    this.current = undefined;
  }

  async #activate(): Promise<FileJournal> {
    const { directories, registeredPaths, createEpochName } = this.#parts;
    const path = this.#parts.path();
    const deviceUid = this.#parts.deviceUid();
    if (this.current?.deviceUid === deviceUid && this.#currentPath === path) return this.current;
    const directory = await directories.enter(path, registeredPaths());
    this.current = await directory.activate(deviceUid, createEpochName);
    this.#currentPath = path;
    return this.current;
  }

  async #beginEpoch(): Promise<FileJournal> {
    const { directories, path, deviceUid, createEpochName } = this.#parts;
    const directory = await directories.enter(path(), []);
    return await directory.begin({ deviceUid: deviceUid(), epoch: createEpochName(), entries: [], lastSeq: 0 });
  }
}
