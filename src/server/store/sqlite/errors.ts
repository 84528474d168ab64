import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreError } from '../store.ts';

/** Less than this left and an I/O error means a full disk: the shared-memory file grows by 32 KiB, the log by pages. */
const FULL_BELOW_BYTES = 1024 * 1024;

const REMEDIES = {
  STORE_BUSY: 'Another process holds it; try again.',
  STORE_FULL: 'Free some space there; nothing that was stored is lost.',
  STORE_UNAVAILABLE: 'Check the disk, and who may write to the file and its folder.',
  STORE_DAMAGED:
    'Stop the server, keep the file, and restore a backup; `sqlite3 FILE ".recover"` saves what is left of the damaged one.',
} as const;

/** By family of SQLite's code (https://www.sqlite.org/rescode.html); what is not here is a bug of ours. */
const STORE_CODES: ReadonlyMap<string, keyof typeof REMEDIES> = new Map([
  ['BUSY', 'STORE_BUSY'],
  ['LOCKED', 'STORE_BUSY'],
  ['FULL', 'STORE_FULL'],
  ['CORRUPT', 'STORE_DAMAGED'],
  ['NOTADB', 'STORE_DAMAGED'],
  ['READONLY', 'STORE_UNAVAILABLE'],
  ['CANTOPEN', 'STORE_UNAVAILABLE'],
  ['PERM', 'STORE_UNAVAILABLE'],
  ['NOMEM', 'STORE_UNAVAILABLE'],
  ['PROTOCOL', 'STORE_UNAVAILABLE'],
  ['INTERRUPT', 'STORE_UNAVAILABLE'],
]);

/** What SQLite (or the file system) threw, as the callers of the store know it; what is not SQLite's weather (a bug) stays as it is. */
export function storeErrorOf(error: unknown, path: string): unknown {
  if (error instanceof StoreError) return error;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const code = 'syscall' in error ? fileCodeOf(error.code) : storeCodeOf(error.code, path);
  if (code === undefined) return error;
  const message = `The database ${path} failed: ${error.message} (${error.code}). ${REMEDIES[code]}`;
  return new StoreError(code, message, { cause: error });
}

/** Runs what uses a database. @throws StoreError instead of what SQLite throws */
export function translated<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeErrorOf(error, path);
  }
}

/** `SQLITE_…` with its extension, where the error is one of SQLite's. */
export function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && error.code.startsWith('SQLITE_') ? error.code : undefined;
}

function storeCodeOf(code: string, path: string): keyof typeof REMEDIES | undefined {
  // SQLITE_IOERR_SHMSIZE is of the family of SQLITE_IOERR.
  const [prefix, family = ''] = code.split('_');
  if (prefix !== 'SQLITE') return undefined;
  if (family === 'IOERR') return isDiskFull(path) ? 'STORE_FULL' : 'STORE_UNAVAILABLE';
  return STORE_CODES.get(family);
}

/** What the file system threw while the file or its copy was made ready. */
function fileCodeOf(code: string): keyof typeof REMEDIES {
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'STORE_FULL' : 'STORE_UNAVAILABLE';
}

function isDiskFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}
