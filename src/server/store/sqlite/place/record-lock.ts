import { chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreError } from '../../store.ts';
import { loadSqlite } from '../database.ts';
import { sqliteCodeOf, storeErrorOf } from '../errors.ts';

/** Held while a server uses a record. */
export interface RecordLock {
  release(): void;
}

/**
 * Only one server may use a record: two would each answer for half of it. The lock is one of SQLite's own, on a small file of its
 * own beside the database: it holds between containers that share the folder and between users, and the kernel ends it with the
 * process, however that ends. Commands do not take it: they work beside the server.
 * @throws StoreError BUSY where another server has it
 */
export async function lockRecord(path: string): Promise<RecordLock> {
  const sqlite = await loadSqlite();
  const file = `${path}.lock`;
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
    } catch (error) {
      db.close();
      throw error;
    }
    return { release: () => void db.close() };
  } catch (error) {
    if (sqliteCodeOf(error)?.startsWith('SQLITE_BUSY') !== true) throw storeErrorOf(error, file);
    throw new StoreError(
      'STORE_BUSY',
      `Another techtemp-server uses the record ${path}; two on one record are not allowed. Stop the other one ` +
        '(systemctl status "techtemp-server*", docker ps, ps -C node show it), or give this one another path in section [store]',
      { cause: error },
    );
  }
}

/** A lock that root's command made must not keep out the server, which is another user. */
function letTheOwnerIn(file: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(path, { throwIfNoEntry: false }) ?? statSync(dirname(path));
  chownSync(file, uid, gid);
}
