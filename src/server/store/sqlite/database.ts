import type BetterSqlite3 from 'better-sqlite3';
import { StoreError } from '../store.ts';
import { translated } from './errors.ts';

export type Database = BetterSqlite3.Database;
export type Sqlite = typeof BetterSqlite3;

/** How long a call waits for another process; long enough for its commit, short enough to say so soon. */
const BUSY_TIMEOUT_MS = 1_000;
/** Fewer, longer checkpoints: 1.5 times the rate of the default of 1,000 pages; 32 MB of log at most between two. */
const CHECKPOINT_PAGES = 8_000;
/** What a log is cut back to once nothing keeps it longer (a reader did). */
const LOG_KEPT_BYTES = 40 * 1024 * 1024;
const WRITER_CACHE_KIB = 64 * 1024;
const READER_CACHE_KIB = 16 * 1024;

/**
 * better-sqlite3 is native and optional, and no version of it runs on every Node.js that we do: 13 needs Node-API 10 (Node.js 22.14)
 * and comes for 64 bits alone, while 12 aborts the process from Node.js 24.19 on, whenever memory is cleaned up outside of a call
 * (https://github.com/WiseLibs/better-sqlite3/issues/1514 and 1515). @throws StoreError where the one that fits does not load
 */
export async function loadSqlite(): Promise<Sqlite> {
  const { napi, node } = process.versions;
  let napiProblem: unknown;
  if (Number(napi) >= 10) {
    try {
      return usable((await import('better-sqlite3-napi')).default);
    } catch (error) {
      napiProblem = error;
    }
  }
  try {
    if (Number.parseInt(node, 10) >= 24) throw napiProblem;
    return usable((await import('better-sqlite3')).default);
  } catch (cause) {
    throw new StoreError(
      'STORE_UNAVAILABLE',
      `The package better-sqlite3, which the store needs, does not load: ${(cause as Error).message.split('\n')[0]}. ` +
        'Run `npm install` (or, after a change of Node.js, `npm rebuild better-sqlite3`) in the folder of TechTemp.',
      { cause },
    );
  }
}

/** The native part is loaded by the first database, not by the import. */
function usable(sqlite: Sqlite): Sqlite {
  new sqlite(':memory:').close();
  return sqlite;
}

/**
 * The connection that writes; the file must be there. The caller has looked at it (place/look.ts), migrates it, then calls
 * `prepareForWriting`. @throws StoreError
 */
export function connectWriter(sqlite: Sqlite, path: string): Database {
  return translated(path, () => {
    const db = new sqlite(path, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
    // better-sqlite3 is compiled with NORMAL, which in a write-ahead log may lose the last commits at a power cut.
    return orClosed(db, () => db.pragma('synchronous = FULL'));
  });
}

/** Write-ahead log with long checkpoints, and memory for them. */
export function prepareForWriting(db: Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('foreign_keys = ON');
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${LOG_KEPT_BYTES}`);
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
}

/** A connection that only asks; the file must be there and migrated. @throws StoreError */
export function connectReader(sqlite: Sqlite, path: string): Database {
  return translated(path, () => {
    const db = new sqlite(path, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
    return orClosed(db, () => {
      // Not opened read-only: the first reader after a crash has to be able to recover the log.
      db.pragma('query_only = ON');
      db.pragma(`cache_size = -${READER_CACHE_KIB}`);
    });
  });
}

/** The connection once it is set up; closed where that fails (the disk may be full already). */
function orClosed(db: Database, setUp: () => void): Database {
  try {
    setUp();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
