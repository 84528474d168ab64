import { chownSync, mkdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '../../../../platform/log.ts';
import { StoreError } from '../../store.ts';
import { type Database, loadSqlite, type Sqlite } from '../database.ts';
import { sqliteCodeOf, storeErrorOf } from '../errors.ts';

/** Held while a server uses a record. */
export interface RecordLock {
  /**
   * To be called after each change, before it is confirmed to anybody. Costs one stat while the file of the lock is at its path;
   * else the lock is taken again there. @throws StoreError BUSY where another server has it by now
   */
  keep(): void;
  release(): void;
}

export interface LockOptions {
  /** The record was looked at and may be opened: then no other server may have it open, even if the file of the lock is gone. */
  readonly isThere?: boolean;
  /** Told when the lock had to be taken again. */
  readonly log?: Log;
}

const REMEDY =
  '(systemctl status "techtemp-server*", docker ps, ps -C node show it), or give this one another path in section [store]';
/** For commands that have the record open and end soon. */
const OTHERS_END_MS = 5_000;

/**
 * Only one server may use a record: two would each answer for half of it. The lock is one of SQLite's own, on a small file of its
 * own beside the database: it holds between containers that share the folder and between users, and the kernel ends it with the
 * process, however that ends. Commands do not take it: they work beside the server.
 *
 * Its file can be removed. Then the server that runs takes the lock again at its next look (`keep`), and a server that is started
 * before this look finds the record open. @throws StoreError BUSY where another server uses the record
 */
export async function lockRecord(path: string, { isThere = false, log }: LockOptions = {}): Promise<RecordLock> {
  const sqlite = await loadSqlite();
  const file = `${realPathOr(path)}.lock`;
  const wasThere = statOf(file) !== undefined;
  let held = take(sqlite, file, path, 'two on one record are not allowed. Stop the other one');
  try {
    if (isThere && !wasThere) mustBeOpenNowhere(sqlite, path);
  } catch (error) {
    held.db.close();
    throw error;
  }
  return {
    keep() {
      if (isSame(statOf(file), held)) return;
      const old = held;
      held = take(
        sqlite,
        file,
        path,
        `${file} was removed or replaced while this server runs. Nothing more is taken here until only one of them runs: stop one`,
      );
      old.db.close();
      log?.warn(
        { path: file },
        `the lock of the record was removed or replaced and was made again: ${file}. Leave this file there`,
      );
    },
    release: () => void held.db.close(),
  };
}

interface HeldFile {
  readonly db: Database;
  readonly dev: number;
  readonly ino: number;
}

/** @throws StoreError BUSY with these words where another process has it */
function take(sqlite: Sqlite, file: string, path: string, words: string): HeldFile {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const db = new sqlite(file, { timeout: 0 });
    try {
      // Nothing is ever written to it, so a journal would only be another file.
      db.pragma('journal_mode = MEMORY');
      db.exec('BEGIN EXCLUSIVE');
      // On a file that may only be read, the line above would be content with less. This one is not; it is never committed.
      db.pragma('user_version = 1');
      letTheOwnerIn(file, path);
      const { dev, ino } = statSync(file);
      return { db, dev, ino };
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    if (!isBusy(error)) throw storeErrorOf(error, file);
    throw inUse(path, words, error);
  }
}

/**
 * Every program that has the record open holds a lock of SQLite's on the database file itself, and no program can remove that one. This
 * asks for the exclusive one: it is granted only while no other program has the record open. @throws StoreError BUSY
 */
function mustBeOpenNowhere(sqlite: Sqlite, path: string): void {
  try {
    const db = new sqlite(path, { timeout: OTHERS_END_MS, fileMustExist: true });
    try {
      db.pragma('locking_mode = EXCLUSIVE');
      db.prepare('SELECT count(*) FROM sqlite_schema').get();
    } finally {
      db.close();
    }
  } catch (error) {
    if (!isBusy(error)) throw storeErrorOf(error, path);
    throw inUse(path, `its lock ${path}.lock was removed, but another program has the record open. Stop it`, error);
  }
}

function inUse(path: string, words: string, cause: unknown): StoreError {
  return new StoreError('STORE_BUSY', `Another techtemp-server uses the record ${path}; ${words} ${REMEDY}`, { cause });
}

function isBusy(error: unknown): boolean {
  return sqliteCodeOf(error)?.startsWith('SQLITE_BUSY') === true;
}

/** One record has one lock, whichever link leads to it. */
function realPathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function statOf(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false });
}

function isSame(found: Stats | undefined, { dev, ino }: HeldFile): boolean {
  return found?.ino === ino && found.dev === dev;
}

/** A lock that root's command made must not keep out the server, which is another user. */
function letTheOwnerIn(file: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(path, { throwIfNoEntry: false }) ?? statSync(dirname(path));
  chownSync(file, uid, gid);
}
