import { renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, Sqlite } from '../database.ts';
import { verifiedVersionOf } from '../migrate.ts';
import { syncPath } from './identity-file.ts';

/** How a record that has lost its name is saved: SQLite still has its files open. */

/** @returns whether all of the log is in the database file now */
export function writeBack(db: Database): boolean {
  const [said] = db.pragma('wal_checkpoint(FULL)') as readonly { busy: number; log: number; checkpointed: number }[];
  return said?.busy === 0 && said.log === said.checkpointed;
}

/** On a connection that only reads. Under its name only when it is whole and on the disk. @throws what SQLite throws */
export function saveCopy(sqlite: Sqlite, db: Database, target: string): void {
  const draft = `${target}.tmp`;
  rmSync(draft, { force: true });
  try {
    // The copy is another file; nothing is written to this database.
    db.pragma('query_only = OFF');
    try {
      db.prepare('VACUUM INTO ?').run(draft);
    } finally {
      db.pragma('query_only = ON');
    }
    verifiedVersionOf(sqlite, draft);
    syncPath(draft);
    renameSync(draft, target);
    syncPath(dirname(target));
  } finally {
    rmSync(draft, { force: true });
  }
}
