import type { Clock } from '../../../../platform/clock.ts';
import { StoreError } from '../../store.ts';
import { connectWriter, type Database, prepareForWriting, type Sqlite } from '../database.ts';
import { translated } from '../errors.ts';
import { type Migrated, migrate } from '../migrate.ts';
import { makeDatabase } from './database-file.ts';
import { type Identity, writeIdentity } from './identity-file.ts';
import { lookBeforeOpening, replaced } from './look.ts';
import { MarkedRecord, type RecordOptions, rowOf } from './marked-record.ts';

/** Of an open record; can be handed to another thread. */
export interface RecordFacts {
  readonly id: string;
  readonly createdMs: number;
  /** What was odd about its identity file, for people; the record itself is the right one as far as can be known. */
  readonly note?: string;
}

/** The record, open for writing, and what proves that it is still there. */
export interface OpenRecord {
  readonly db: Database;
  readonly facts: RecordFacts;
  readonly migrated: Migrated;
  /** Before each change: refuses where the record is lost, before anything is written. @throws PlaceLostError */
  readonly beforeWrite: () => void;
  /** After each change, before anybody is told of it. @throws PlaceLostError where the change is not where it should be */
  readonly afterWrite: () => void;
  readonly logBytes: () => number;
  /** After every other connection of this process. */
  readonly close: () => void;
}

/** Opens the record for writing, or makes it where there never was one. @throws StoreError */
export function openRecord(sqlite: Sqlite, options: RecordOptions, clock: Clock): OpenRecord {
  const { path, openedBy, stateFolder, mustBe } = options;
  return translated(path, () => {
    const look = lookBeforeOpening(path, stateFolder);
    if (look.state === 'first') {
      if (openedBy === 'command' || mustBe !== undefined) {
        throw new StoreError(
          'STORE_MISSING',
          `There is no record at ${path}. Nothing was changed. Put it back, or start the server.`,
        );
      }
      makeDatabase(sqlite, path);
    }
    const identity = look.state === 'present' ? look.identity : undefined;
    const unreadable = look.state === 'present' ? look.unreadableIdentity : undefined;
    // What comes next may begin a new log; if we end before we have seen it, it must not count as a stranger's.
    if (identity !== undefined && openedBy === 'server') writeIdentity(path, stateFolder, { ...identity, log: 'any' });
    const db = connectWriter(sqlite, path);
    let record: MarkedRecord | undefined;
    try {
      mustBeTheRecord(db, path, identity?.id ?? mustBe);
      const migrated: Migrated = migrate(sqlite, db);
      prepareForWriting(db);
      record = new MarkedRecord(db, options, clock, identity);
      record.begin();
      const { id, createdMs } = record.row();
      const note = noteOf({
        path,
        wasFirst: look.state === 'first',
        wasOlder: migrated.fromVersion < 3,
        identity,
        unreadable,
      });
      return {
        db,
        facts: { id, createdMs, ...(note !== undefined && { note }) },
        migrated: look.state === 'first' ? { fromVersion: 0, toVersion: migrated.toVersion } : migrated,
        beforeWrite: record.beforeWrite,
        afterWrite: record.afterWrite,
        logBytes: record.logBytes,
        close: record.close,
      };
    } catch (error) {
      if (record === undefined) db.close();
      else record.close();
      throw error;
    }
  });
}

/** Before it is migrated. @throws StoreError REPLACED */
function mustBeTheRecord(db: Database, path: string, id: string | undefined): void {
  if (id === undefined) return;
  const hasRow = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'record'").get() !== undefined;
  const found = hasRow ? rowOf(db).id : undefined;
  if (found === id) return;
  const what = found === undefined ? 'a database without an identity' : `another record (${found})`;
  throw replaced(`${path} is ${what}, not the one that was there (${id})`);
}

function noteOf(found: {
  readonly path: string;
  readonly wasFirst: boolean;
  readonly wasOlder: boolean;
  readonly identity: Identity | undefined;
  readonly unreadable: string | undefined;
}): string | undefined {
  if (found.unreadable !== undefined) {
    return `${found.unreadable} could not be read, so it is not known whether ${found.path} is the record that was there; it is used as it is`;
  }
  if (found.wasFirst || found.wasOlder || found.identity !== undefined) return undefined;
  return `${found.path} had no identity file beside it (it was moved or restored, or the file was removed); it was taken as it is`;
}
