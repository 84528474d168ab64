import { closeSync, fstatSync, lstatSync, openSync, type Stats, statSync } from 'node:fs';
import { StoreError } from '../../store.ts';
import { findMark, type Mark, readHeader, readMark } from './database-file.ts';
import { LogLook, logBytes, readLogHeader } from './log-file.ts';

/** Which part of the record is not where the next start would look for it. */
export type LostPart = 'database' | 'log' | 'index';

/** What was written is not where the next start looks for it. */
export class PlaceLostError extends StoreError {
  declare readonly code: 'STORE_MISSING' | 'STORE_REPLACED';
  readonly part: LostPart;
  /** Whether what is open is whole still, although its name is gone: then it can be saved. */
  readonly isWhole: boolean;
  /** All of it lies in the database file again: only the connection is no longer good. */
  readonly isCuredByRestart: boolean;

  constructor(
    code: 'STORE_MISSING' | 'STORE_REPLACED',
    what: { readonly part: LostPart; readonly isWhole: boolean; readonly isCuredByRestart?: boolean },
    message: string,
  ) {
    super(code, message);
    this.part = what.part;
    this.isWhole = what.isWhole;
    this.isCuredByRestart = what.isCuredByRestart ?? false;
  }
}

export interface PlaceFacts {
  readonly id: string;
  /** Of the table `record`. */
  readonly markPage: number;
  readonly pageSize: number;
  /** How many pages the database has, as its connection sees it. */
  readonly pages: () => number;
}

const NAMES: Readonly<Record<LostPart, string>> = {
  database: 'The record',
  log: 'The log of the record',
  index: 'The index of the log of the record',
};
/** Another process may be in the middle of a change. */
const LOG_LOOKS = 3;

interface OpenFile {
  readonly part: LostPart;
  readonly path: string;
  readonly file: number;
  readonly dev: number;
  readonly ino: number;
}

/**
 * The files of an open record, held against what lies at their paths. A look costs a few microseconds: three stats and two small
 * reads, and more only when the database file was written to, which happens when the log is written back.
 *
 * To be closed after every connection of this process to the database: closing a file ends the process's locks on it
 * (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export class RecordPlace {
  readonly #path: string;
  readonly #facts: PlaceFacts;
  readonly #files: readonly OpenFile[];
  readonly #database: OpenFile;
  readonly #log: OpenFile;
  readonly #index: OpenFile;
  #markPage: number;
  #sizeBytes = 0;
  #changedMs = -1;
  #least: Mark;
  readonly #look = new LogLook();
  #last: { readonly firstSalt: number; readonly frame: number } | undefined;
  #logBytesSeen = 0;

  /** `path` as it is configured, `realPath` as SQLite opened it. Its log must have been begun. @throws PlaceLostError */
  constructor(path: string, realPath: string, facts: PlaceFacts, least: Mark) {
    this.#path = path;
    this.#facts = facts;
    this.#markPage = facts.markPage;
    this.#least = least;
    const opened: OpenFile[] = [];
    try {
      for (const [part, name] of [
        ['database', realPath],
        ['log', `${realPath}-wal`],
        ['index', `${realPath}-shm`],
      ] as const) {
        const file = openSync(name, 'r');
        const { dev, ino } = fstatSync(file);
        opened.push({ part, path: name, file, dev, ino });
      }
    } catch (error) {
      for (const { file } of opened) closeSync(file);
      throw error;
    }
    this.#files = opened;
    [this.#database, this.#log, this.#index] = opened as [OpenFile, OpenFile, OpenFile];
  }

  /** Of the log as it is; undefined where it is empty. */
  logSalts(): string | undefined {
    return readLogHeader(this.#log.file)?.salts;
  }

  /** Another one each time that the log begins again; of the last proof. Undefined while nothing is in it. */
  firstSalt(): number | undefined {
    return this.#last?.firstSalt;
  }

  logBytes(): number {
    return fstatSync(this.#log.file).size;
  }

  /** The database file without its log. */
  fileState(): { readonly mark: Mark; readonly changeCounter: number; readonly page: number } | undefined {
    const header = readHeader(this.#database.file);
    if (header === undefined) return undefined;
    const { changeCounter } = header;
    const { file } = this.#database;
    const { pageSize } = this.#facts;
    const mark = readMark(file, this.#markPage, pageSize);
    if (mark !== undefined) return { mark, changeCounter, page: this.#markPage };
    const found = findMark(file, pageSize);
    if (found === undefined) return undefined;
    this.#markPage = found.page;
    return { ...found, changeCounter };
  }

  /** From now on the database file has at least this generation. */
  atLeast(mark: Mark): void {
    this.#least = mark;
  }

  /** That the files at their paths are the open ones, and that they were not cut or changed. @throws PlaceLostError */
  prove(): void {
    for (const open of this.#files) this.#proveName(open);
    this.#proveDatabase();
    this.#proveLog();
  }

  /** Before a change: that the log was not cut, so that nothing is written behind a hole. @throws PlaceLostError */
  proveLogLength(): void {
    if (fstatSync(this.#log.file).size < this.#logBytesSeen) this.#proveLog();
  }

  close(): void {
    for (const { file } of this.#files) closeSync(file);
  }

  #proveName({ part, path, dev, ino }: OpenFile): void {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (isSame(found, dev, ino)) {
      if (part !== 'database' || path === this.#path) return;
      // The configured path is a link, or leads through one.
      if (isSame(statSync(this.#path, { throwIfNoEntry: false }), dev, ino)) return;
    }
    const gone = found === undefined;
    const name = NAMES[part];
    throw new PlaceLostError(
      gone ? 'STORE_MISSING' : 'STORE_REPLACED',
      { part, isWhole: true },
      gone
        ? `${name} ${path} was removed or moved away while the server runs`
        : `${name} ${path} is not the file that the server writes to: it was replaced while the server runs`,
    );
  }

  #proveDatabase(): void {
    const { size, mtimeMs } = fstatSync(this.#database.file);
    if (size < this.#sizeBytes && size < this.#facts.pages() * this.#facts.pageSize) {
      throw this.#damaged('database', `was cut off from ${this.#sizeBytes} to ${size} bytes`);
    }
    this.#sizeBytes = size;
    if (mtimeMs === this.#changedMs) return;
    const state = this.fileState();
    if (state === undefined) throw this.#damaged('database', 'was overwritten');
    if (state.mark.id !== this.#least.id) throw this.#damaged('database', 'was overwritten with another record');
    if (state.mark.generation < this.#least.generation) {
      throw this.#damaged('database', 'was overwritten with an older copy');
    }
    this.#changedMs = mtimeMs;
  }

  /** The log is as long as SQLite takes it for, belongs together, and has no hole where it ended at the look before. */
  #proveLog(): void {
    for (let look = 1; ; look += 1) {
      const { size } = fstatSync(this.#log.file);
      this.#logBytesSeen = size;
      const problem = this.#look.readIndex(this.#index.file)
        ? this.#logProblem(size)
        : 'is being changed by another program';
      if (problem === undefined) return;
      if (look === LOG_LOOKS) throw this.#damaged('log', problem);
    }
  }

  #logProblem(size: number): string | undefined {
    const look = this.#look;
    const { file } = this.#log;
    const { pageSize } = this.#facts;
    const before = this.#last;
    this.#last = undefined;
    const lastFrame = look.lastFrame();
    if (lastFrame === 0) return undefined;
    const firstSalt = look.firstSalt();
    if (size < logBytes(lastFrame, pageSize)) return `was cut off to ${size} bytes`;
    if (!look.isOfHeader(file)) return 'was emptied or overwritten';
    const isSameLog = before !== undefined && before.firstSalt === firstSalt && before.frame <= lastFrame;
    if (isSameLog && !look.isOfFrame(file, before.frame, pageSize)) return 'was cut off';
    this.#last = { firstSalt, frame: lastFrame };
    return undefined;
  }

  #damaged(part: LostPart, what: string): PlaceLostError {
    const path = part === 'database' ? this.#path : this.#log.path;
    return new PlaceLostError(
      'STORE_REPLACED',
      { part, isWhole: false },
      `${NAMES[part]} ${path} ${what} while the server runs`,
    );
  }
}

function isSame(found: Stats | undefined, dev: number, ino: number): boolean {
  return found?.ino === ino && found.dev === dev;
}
