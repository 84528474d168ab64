import { randomUUID } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreError } from '../store.ts';
import type { Database, Sqlite } from './database.ts';
import { translated } from './errors.ts';
import { RECORD_SQL } from './migrations/001-record.ts';
import { TOKENS_SQL } from './migrations/002-tokens.ts';
import { IDENTITY_SQL } from './migrations/003-identity.ts';
import { QUARANTINE_SQL } from './migrations/004-quarantine.ts';
import { VERDICT_SQL } from './migrations/005-verdict.ts';
import { TAKEOVER_SQL } from './migrations/006-takeover.ts';
import { syncPath } from './place/identity-file.ts';

/**
 * The way from an empty file to the present schema; the n-th brings it to version n. Only ever added to: a database of each
 * version is kept in test/fixtures/store and opened by a test.
 */
export const MIGRATIONS: readonly string[] = [
  RECORD_SQL,
  TOKENS_SQL,
  IDENTITY_SQL,
  QUARANTINE_SQL,
  VERDICT_SQL,
  TAKEOVER_SQL,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** `TTmp` in `PRAGMA application_id`: tells our files from those of other programs. */
export const APPLICATION_ID = 0x5454_6d70;

export interface Migrated {
  /** 0: the file was new. */
  readonly fromVersion: number;
  readonly toVersion: number;
  /** The copy that was made before; absent where nothing had to be done. */
  readonly backupPath?: string;
}

/** Where the database as it was before the migration to a version is kept. */
export function backupPathOf(path: string, version: number): string {
  return `${path}.before-v${version}`;
}

/**
 * Brings a database to the present schema, after a verified copy of it; all steps are one transaction. Safe when several
 * processes do it at once: one migrates, the others find it done. A file that is not ours, or newer than this program, is left
 * as it is. @throws StoreError NEWER_SCHEMA, DAMAGED, and what any call throws
 */
export function migrate(sqlite: Sqlite, db: Database): Migrated {
  return translated(db.name, () => {
    const version = versionOf(db);
    if (version === SCHEMA_VERSION) return { fromVersion: version, toVersion: version };
    const backupPath = version === 0 ? undefined : backUp(sqlite, db, version);
    const found = runMissing(db);
    return {
      fromVersion: found,
      toVersion: SCHEMA_VERSION,
      ...(backupPath !== undefined && found !== SCHEMA_VERSION && { backupPath }),
    };
  });
}

/** Brings a file to the present schema without keeping a copy of it: it is one. @throws StoreError NEWER_SCHEMA, DAMAGED */
export function migrateCopy(db: Database): void {
  translated(db.name, () => {
    versionOf(db);
    runMissing(db);
  });
}

/** Runs what is missing; the version is asked for again under the lock. @returns the version that was found */
function runMissing(db: Database): number {
  const run = db.transaction(() => {
    const version = versionOf(db);
    for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
    return version;
  });
  return run.exclusive();
}

/** The schema's version; 0 for an empty file. @throws StoreError for files that are not ours, or newer */
function versionOf(db: Database): number {
  const version = db.pragma('user_version', { simple: true }) as number;
  const application = db.pragma('application_id', { simple: true }) as number;
  if (application !== APPLICATION_ID && !isEmpty(db)) {
    throw new StoreError(
      'STORE_DAMAGED',
      `${db.name} is an SQLite database, but not one of this server (application id ${application}, not ${APPLICATION_ID}). ` +
        'It was left as it is. Set another path for the database.',
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      'STORE_NEWER_SCHEMA',
      `${db.name} was written by a newer TechTemp: its schema is version ${version}, this program knows up to ${SCHEMA_VERSION}. ` +
        `It was left as it is. Install the newer version again, or put back the copy ${backupPathOf(db.name, version)} ` +
        'that it made (without what was measured since).',
    );
  }
  return version;
}

function isEmpty(db: Database): boolean {
  return db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
}

/** A copy beside the database, under its name only when it is whole and on the disk. */
function backUp(sqlite: Sqlite, db: Database, version: number): string {
  const path = backupPathOf(db.name, SCHEMA_VERSION);
  const draft = `${path}.${randomUUID()}.tmp`;
  rmSync(draft, { force: true });
  try {
    db.prepare('VACUUM INTO ?').run(draft);
    // Another process may have migrated it in the meantime: then its copy is the one to keep.
    if (verifiedVersionOf(sqlite, draft) !== version) return path;
    syncPath(draft);
    renameSync(draft, path);
    syncPath(dirname(path));
    return path;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @throws StoreError DAMAGED where the copy is not whole */
export function verifiedVersionOf(sqlite: Sqlite, path: string): number {
  const copy = new sqlite(path, { readonly: true, fileMustExist: true });
  try {
    const verdict = copy.pragma('integrity_check(1)', { simple: true });
    if (verdict === 'ok') return copy.pragma('user_version', { simple: true }) as number;
    throw new StoreError(
      'STORE_DAMAGED',
      `The copy of the database that was made, ${path}, is damaged (${String(verdict)}), so the database is, too, or the disk. ` +
        'The database was left as it is. Check the disk and restore a backup.',
    );
  } finally {
    copy.close();
  }
}
