import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Sqlite } from '../database.ts';
import { migrate } from '../migrate.ts';
import { syncPath } from './identity-file.ts';

/**
 * Makes a database that is whole from the beginning: under another name, which it gives up only then. Where another process was
 * faster, its database stays. @throws what SQLite and the file system throw
 */
export function makeDatabase(sqlite: Sqlite, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    const db = new sqlite(draft);
    try {
      db.pragma('synchronous = FULL');
      migrate(sqlite, db);
    } finally {
      db.close();
    }
    giveName(draft, path);
    syncPath(dirname(path));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Never over a file that is there. */
function giveName(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // No hard links on this file system.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EMLINK') throw error;
    if (!existsSync(path)) renameSync(draft, path);
  }
}
