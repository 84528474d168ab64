import { join } from 'node:path';
import type { DirectoryLock, LockDirectory } from './directory-lock.ts';
import {
  createEpoch,
  type EpochBeginning,
  listEpochs,
  openEpochs,
  removeEpoch,
  removeLeftovers,
} from './epoch-directories.ts';
import type { EpochPlace } from './epoch-scan.ts';
import type { FileJournal, FileJournalOptions } from './file-journal.ts';
import { JournalError } from './journal.ts';
import { type JournalFs, readText, toJournalError, writeText } from './journal-fs.ts';

/** Other paths that still hold readings, one a line: so that they are not forgotten when the path is changed. */
const EARLIER_PATHS_FILE = 'earlier-paths.txt';

export interface JournalDirectoryParts {
  readonly fs: JournalFs;
  readonly lock: LockDirectory;
  readonly journal: Omit<FileJournalOptions, 'fs' | 'scan' | 'losses'>;
}

/** Everything under one journal path, locked: the journals of all devices and epochs in it. One caller at a time. */
export interface JournalDirectory {
  readonly path: string;
  /** By device, oldest first; the list changes as journals come and go. */
  readonly journals: readonly FileJournal[];
  /** Why its lock keeps only some others out, for people. */
  readonly lockWeakness: string | undefined;
  /** Epochs that a later version of this program wrote; they are left alone. */
  readonly newer: readonly EpochPlace[];
  /** The device's newest epoch if numbers can be given in it, else a new one. @throws JournalError */
  activate(deviceUid: string, createEpochName: () => string): Promise<FileJournal>;
  /** Begins another epoch, also with entries. @throws JournalError */
  begin(beginning: Omit<EpochBeginning, 'generation' | 'slots'>): Promise<FileJournal>;
  /** Closes a journal of which everything is released, and removes its files. @throws JournalError */
  remove(journal: FileJournal): Promise<void>;
  earlierPaths(): Promise<readonly string[]>;
  /** @throws JournalError */
  setEarlierPaths(paths: readonly string[]): Promise<void>;
  /** Whether the lock and all files are where the next start will look for them. @throws JournalError */
  isInPlace(): Promise<boolean>;
  /**
   * Something under the path is gone: makes the folder again and locks it, looks what is missing and what is there instead.
   * @throws JournalError
   */
  comeBack(): Promise<void>;
  /** Closes all journals and lets others in. */
  close(): Promise<void>;
}

/** @throws JournalError JOURNAL_LOCKED when another agent has it, else when the disk does not let us look into it */
export async function openJournalDirectory(parts: JournalDirectoryParts, path: string): Promise<JournalDirectory> {
  const { fs } = parts;
  const lock = await enter(parts, path);
  try {
    // A disk that can only be read keeps its leftovers, and can still be drained.
    await removeLeftovers(fs, path).catch(() => undefined);
    const { journals, newer } = await openEpochs(fs, await listEpochs(fs, path), parts.journal);
    return createDirectory(parts, path, [...journals], [...newer], lock);
  } catch (error) {
    await lock.release();
    throw toJournalError(error, 'opening', path);
  }
}

async function enter({ fs, lock }: JournalDirectoryParts, path: string): Promise<DirectoryLock> {
  try {
    await fs.makeDirectory(path);
    return await lock(path);
  } catch (error) {
    throw toJournalError(error, 'opening', path);
  }
}

function createDirectory(
  parts: JournalDirectoryParts,
  path: string,
  journals: FileJournal[],
  newer: EpochPlace[],
  lock: DirectoryLock,
): JournalDirectory {
  const { fs, journal: journalOptions } = parts;
  let held = lock;
  const journalDirectory: JournalDirectory = {
    path,
    newer,
    get lockWeakness() {
      return held.weakness;
    },
    journals,
    activate: async (deviceUid, createEpochName) => {
      const newest = journals.filter((journal) => journal.deviceUid === deviceUid).at(-1);
      if (newest?.givesNumbers === true && newest.place.generation === newestGeneration(deviceUid)) return newest;
      return await journalDirectory.begin({ deviceUid, epoch: createEpochName(), entries: [], lastSeq: 0 });
    },
    begin: async (beginning) => {
      const place = await createEpoch(fs, path, {
        ...beginning,
        generation: newestGeneration(beginning.deviceUid) + 1,
        slots: journalOptions.slotsPerSegment(),
      });
      const [journal] = (await openEpochs(fs, [place], journalOptions)).journals;
      if (journal === undefined)
        throw new JournalError('JOURNAL_IO', `${place.directory} was created and is not there`);
      journals.push(journal);
      return journal;
    },
    remove: async (journal) => {
      await journal.closeForRemoval();
      journals.splice(journals.indexOf(journal), 1);
      await removeEpoch(fs, journal.place);
    },
    earlierPaths: () => readEarlierPaths(fs, path),
    setEarlierPaths: (paths) => writeEarlierPaths(fs, path, paths),
    close: async () => {
      for (const journal of journals) await journal.close();
      await held.release();
    },
    isInPlace: async () => {
      for (const journal of journals) if (!(await journal.isInPlace())) return false;
      return await held.holds();
    },
    comeBack: async () => {
      if (!(await held.holds())) {
        const next = await enter(parts, path);
        await held.release();
        held = next;
      }
      for (const journal of journals) await journal.findMissing();
      await openUnknown();
    },
  };
  return journalDirectory;

  /** Another disk may have been mounted over the path, with readings of its own. */
  async function openUnknown(): Promise<void> {
    try {
      const known = [...journals.map(({ place }) => place), ...newer].map(({ directory }) => directory);
      const places = (await listEpochs(fs, path)).filter(
        (place) =>
          !known.includes(place.directory) &&
          !journals.some(({ deviceUid, epoch }) => deviceUid === place.deviceUid && epoch === place.epoch),
      );
      const opened = await openEpochs(fs, places, journalOptions);
      journals.push(...opened.journals);
      journals.sort((a, b) => (a.deviceUid === b.deviceUid ? a.place.generation - b.place.generation : 0));
      newer.push(...opened.newer);
    } catch (error) {
      throw toJournalError(error, 'opening', path);
    }
  }

  function newestGeneration(deviceUid: string): number {
    const places = [...journals.map(({ place }) => place), ...newer].filter((place) => place.deviceUid === deviceUid);
    return Math.max(0, ...places.map(({ generation }) => generation));
  }
}

async function readEarlierPaths(fs: JournalFs, path: string): Promise<readonly string[]> {
  const text = await readText(fs, join(path, EARLIER_PATHS_FILE)).catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

async function writeEarlierPaths(fs: JournalFs, path: string, paths: readonly string[]): Promise<void> {
  const name = join(path, EARLIER_PATHS_FILE);
  if (paths.length > 0) {
    await writeText(fs, name, paths.map((line) => `${line}\n`).join(''));
    return;
  }
  try {
    await fs.remove(name);
  } catch (error) {
    throw toJournalError(error, 'removing', name);
  }
}
