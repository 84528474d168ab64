import type { EpochPlace } from './epoch-scan.ts';
import type { FileJournal } from './file-journal.ts';
import type { OnJournalEvent } from './journal-event.ts';
import { goneError } from './journal-fs.ts';
import { type JournalHome, type JournalHomeParts, openJournalHome } from './journal-home.ts';

/** The journal paths in use: the configured one, and earlier ones until what they hold has been released. */
export class JournalHomes {
  readonly #parts: JournalHomeParts;
  readonly #onEvent: OnJournalEvent;
  /** The current one is the last. */
  #homes: JournalHome[] = [];
  /** Earlier paths that could not be opened, such as a disk that is not there: not forgotten. */
  #unopened: readonly string[] = [];

  constructor(parts: JournalHomeParts, onEvent: OnJournalEvent) {
    this.#parts = parts;
    this.#onEvent = onEvent;
  }

  /** All journals on disk, earlier paths first. */
  journals(): readonly FileJournal[] {
    return this.#homes.flatMap((home) => home.journals());
  }

  /** With the path of each. */
  placed(): readonly { readonly path: string; readonly journal: FileJournal }[] {
    return this.#homes.flatMap((home) => home.journals().map((journal) => ({ path: home.path, journal })));
  }

  /** Epochs of a later version, which are left alone. */
  newer(): readonly EpochPlace[] {
    return this.#homes.flatMap((home) => home.newer);
  }

  isOpen(path: string): boolean {
    return this.#homes.some((home) => home.path === path);
  }

  /**
   * Makes a path the current one. @param earlierPaths more of them than the path itself remembers
   * @throws JournalError when it cannot be opened; then nothing has changed
   */
  async enter(path: string, earlierPaths: readonly string[]): Promise<JournalHome> {
    const known = this.#homes.find((home) => home.path === path);
    if (known !== undefined) {
      if (known !== this.#homes.at(-1)) await this.#rearrange([...this.#homes.filter((home) => home !== known), known]);
      return known;
    }
    const home = await openJournalHome(this.#parts, path);
    for (const { directory } of home.newer) {
      const message = 'readings that a later version of this program left are kept for it';
      this.#onEvent({ level: 'warn', message, path: directory });
    }
    if (home.lockWeakness !== undefined) this.#onEvent({ level: 'warn', message: home.lockWeakness, path });
    const earlier = await this.#openEarlier([...new Set([...(await home.earlierPaths()), ...earlierPaths])], path);
    await this.#rearrange([...earlier, ...this.#homes, home]);
    return home;
  }

  /**
   * Removes journals of which everything is released, as far as they may go, and leaves paths that hold none any more.
   * @returns how many readings the removed ones had given up on
   */
  async removeEmpty(
    isKept: (journal: FileJournal) => boolean,
    mayGo: (journal: FileJournal) => Promise<boolean>,
  ): Promise<number> {
    let dropped = 0;
    for (const home of this.#homes) {
      const empty = home
        .journals()
        .filter((journal) => !isKept(journal) && journal.losses().length === 0 && journal.stats().unreleased === 0);
      for (const journal of empty) {
        if (!(await mayGo(journal))) continue;
        dropped += journal.stats().dropped;
        await home.remove(journal).catch((err: unknown) => {
          this.#onEvent({ level: 'warn', message: 'released readings could not be removed', err });
        });
      }
    }
    await this.#leaveEmpty();
    return dropped;
  }

  /** Whether all files and locks are where the next start will look for them. @throws JournalError */
  async areInPlace(): Promise<boolean> {
    for (const home of this.#homes) if (!(await home.isInPlace())) return false;
    return true;
  }

  /** Something is gone: the files are left alone until `comeBack`. */
  leave(): void {
    for (const journal of this.journals()) journal.leave();
  }

  /** Makes folders and locks again, and looks what is missing in them. @throws JournalError */
  async comeBack(): Promise<void> {
    for (const home of this.#homes) await home.comeBack();
    await this.#rearrange(this.#homes);
  }

  /** Writes again what could be read of files that are missing. @throws JournalError */
  async putBack(): Promise<void> {
    for (const journal of this.journals()) if (journal.hasToPutBack) await journal.putBack();
  }

  async close(): Promise<void> {
    for (const home of this.#homes) await home.close();
    this.#homes = [];
  }

  async #leaveEmpty(): Promise<void> {
    const empty = this.#homes.slice(0, -1).filter((home) => home.journals().length === 0);
    if (empty.length === 0) return;
    for (const home of empty) await home.close();
    await this.#rearrange(this.#homes.filter((home) => !empty.includes(home)));
  }

  async #openEarlier(paths: readonly string[], current: string): Promise<readonly JournalHome[]> {
    const opened: JournalHome[] = [];
    for (const path of paths.filter((earlier) => earlier !== current)) {
      if (this.#homes.some((home) => home.path === path)) continue;
      try {
        // Another disk that is not there: a folder in its place would only hide it.
        if ((await this.#parts.fs.identify(path)) === undefined) throw goneError(path);
        opened.push(await openJournalHome(this.#parts, path));
      } catch (err) {
        this.#unopened = [...new Set([...this.#unopened, path])];
        const message = 'readings in the journal path used before cannot be reached; tried again at the next start';
        this.#onEvent({ level: 'warn', message, path, err });
      }
    }
    return opened;
  }

  /** The current path remembers the others, so that a restart finds them. */
  async #rearrange(homes: readonly JournalHome[]): Promise<void> {
    this.#homes = [...homes];
    const current = this.#homes.at(-1);
    if (current === undefined) return;
    const earlier = [...this.#homes.slice(0, -1).map(({ path }) => path), ...this.#unopened];
    const remembered = await current.earlierPaths();
    if (earlier.join('\n') === remembered.join('\n')) return;
    await current.setEarlierPaths(earlier).catch((err: unknown) => {
      this.#onEvent({ level: 'warn', message: 'could not note the journal paths used before', err });
    });
  }
}
