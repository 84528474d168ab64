import { type JournalDirectory, type JournalDirectoryParts, openJournalDirectory } from './directory.ts';
import type { EpochPlace } from './epoch-scan.ts';
import type { FileJournal } from './file-journal.ts';
import type { OnJournalEvent } from './journal.ts';
import { goneError } from './journal-fs.ts';

/** The journal paths in use: the configured one, and earlier ones until what they hold has been released. */
export class JournalDirectories {
  /** Whether `putBack` may have something to do. Changed here only. */
  hasToPutBack = false;
  readonly #parts: JournalDirectoryParts;
  readonly #onEvent: OnJournalEvent;
  /** The current one is the last. */
  #directories: JournalDirectory[] = [];
  /** Earlier paths that could not be opened, such as a disk that is not there: not forgotten. */
  #unopened: readonly string[] = [];

  constructor(parts: JournalDirectoryParts, onEvent: OnJournalEvent) {
    this.#parts = parts;
    this.#onEvent = onEvent;
  }

  /** All journals on disk, earlier paths first. */
  journals(): readonly FileJournal[] {
    const [only, ...others] = this.#directories;
    return only === undefined || others.length > 0
      ? this.#directories.flatMap(({ journals }) => journals)
      : only.journals;
  }

  /** With the path of each. */
  placed(): readonly { readonly path: string; readonly journal: FileJournal }[] {
    return this.#directories.flatMap((journalDirectory) =>
      journalDirectory.journals.map((journal) => ({ path: journalDirectory.path, journal })),
    );
  }

  /** Epochs of a later version, which are left alone. */
  newer(): readonly EpochPlace[] {
    return this.#directories.flatMap((journalDirectory) => journalDirectory.newer);
  }

  isOpen(path: string): boolean {
    return this.#directories.some((journalDirectory) => journalDirectory.path === path);
  }

  /**
   * Makes a path the current one. @param earlierPaths more of them than the path itself remembers
   * @throws JournalError when it cannot be opened; then nothing has changed
   */
  async enter(path: string, earlierPaths: readonly string[]): Promise<JournalDirectory> {
    const known = this.#directories.find((journalDirectory) => journalDirectory.path === path);
    if (known !== undefined) {
      if (known !== this.#directories.at(-1))
        await this.#rearrange([...this.#directories.filter((journalDirectory) => journalDirectory !== known), known]);
      return known;
    }
    const journalDirectory = await openJournalDirectory(this.#parts, path);
    for (const { directory } of journalDirectory.newer) {
      const message = 'readings that a later version of this program left are kept for it';
      this.#onEvent({ level: 'warn', message, path: directory });
    }
    if (journalDirectory.lockWeakness !== undefined)
      this.#onEvent({ level: 'warn', message: journalDirectory.lockWeakness, path });
    const earlier = await this.#openEarlier(
      [...new Set([...(await journalDirectory.earlierPaths()), ...earlierPaths])],
      path,
    );
    await this.#rearrange([...earlier, ...this.#directories, journalDirectory]);
    return journalDirectory;
  }

  /**
   * Removes journals of which everything is released, as far as they may go, and leaves paths that hold none any more. Where there
   * is only one, which is the one that is written to, nothing is done.
   * @returns how many readings the removed ones had given up on
   */
  async removeEmpty(
    isKept: (journal: FileJournal) => boolean,
    mayGo: (journal: FileJournal) => Promise<boolean>,
  ): Promise<number> {
    if (this.#directories.length === 1 && this.journals().length === 1) return 0;
    let dropped = 0;
    for (const journalDirectory of this.#directories) {
      const empty = journalDirectory.journals.filter(
        (journal) => !isKept(journal) && journal.losses().length === 0 && journal.stats.unreleased === 0,
      );
      for (const journal of empty) {
        if (!(await mayGo(journal))) continue;
        dropped += journal.stats.dropped;
        await journalDirectory.remove(journal).catch((err: unknown) => {
          this.#onEvent({ level: 'warn', message: 'released readings could not be removed', err });
        });
      }
    }
    await this.#leaveEmpty();
    return dropped;
  }

  /** Whether all files and locks are where the next start will look for them. @throws JournalError */
  async areInPlace(): Promise<boolean> {
    for (const journalDirectory of this.#directories) if (!(await journalDirectory.isInPlace())) return false;
    return true;
  }

  /** Something is gone: the files are left alone until `comeBack`. */
  leave(): void {
    for (const journal of this.journals()) journal.upkeep.leave();
  }

  /** Makes folders and locks again, and looks what is missing in them. @throws JournalError */
  async comeBack(): Promise<void> {
    this.hasToPutBack = true;
    for (const journalDirectory of this.#directories) await journalDirectory.comeBack();
    await this.#rearrange(this.#directories);
  }

  /** Writes again what could be read of files that are missing. @throws JournalError */
  async putBack(): Promise<void> {
    for (const journal of this.journals()) await journal.putBack();
    this.hasToPutBack = false;
  }

  async close(): Promise<void> {
    for (const journalDirectory of this.#directories) await journalDirectory.close();
    this.#directories = [];
  }

  async #leaveEmpty(): Promise<void> {
    const empty = this.#directories.slice(0, -1).filter((journalDirectory) => journalDirectory.journals.length === 0);
    if (empty.length === 0) return;
    for (const journalDirectory of empty) await journalDirectory.close();
    await this.#rearrange(this.#directories.filter((journalDirectory) => !empty.includes(journalDirectory)));
  }

  async #openEarlier(paths: readonly string[], current: string): Promise<readonly JournalDirectory[]> {
    const opened: JournalDirectory[] = [];
    for (const path of paths.filter((earlier) => earlier !== current)) {
      if (this.#directories.some((journalDirectory) => journalDirectory.path === path)) continue;
      try {
        // Another disk that is not there: a folder in its place would only hide it.
        if ((await this.#parts.fs.identify(path)) === undefined) throw goneError(path);
        opened.push(await openJournalDirectory(this.#parts, path));
      } catch (err) {
        this.#unopened = [...new Set([...this.#unopened, path])];
        const message = 'readings in the journal path used before cannot be reached; tried again at the next start';
        this.#onEvent({ level: 'warn', message, path, err });
      }
    }
    return opened;
  }

  /** The current path remembers the others, so that a restart finds them. */
  async #rearrange(directories: readonly JournalDirectory[]): Promise<void> {
    this.#directories = [...directories];
    const current = this.#directories.at(-1);
    if (current === undefined) return;
    const earlier = [...this.#directories.slice(0, -1).map(({ path }) => path), ...this.#unopened];
    const remembered = await current.earlierPaths();
    if (earlier.join('\n') === remembered.join('\n')) return;
    await current.setEarlierPaths(earlier).catch((err: unknown) => {
      this.#onEvent({ level: 'warn', message: 'could not note the journal paths used before', err });
    });
  }
}
