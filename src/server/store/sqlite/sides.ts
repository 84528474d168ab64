import type { Clock } from '../../../platform/clock.ts';
import type { CatalogueStore } from '../store.ts';
import { createDeviceRows } from './catalogue/devices.ts';
import { createRoomRows } from './catalogue/rooms.ts';
import { connectReader, type Database, type Sqlite } from './database.ts';
import { translated } from './errors.ts';
import type { Migrated } from './migrate.ts';
import { replaced } from './place/look.ts';
import { type OpenRecord, openRecord, type RecordFacts, type RecordOptions } from './place/open-record.ts';
import { saveCopy, writeBack } from './place/rescue.ts';
import { createSqliteReader } from './read/sqlite-reader.ts';
import type { SqliteReader, Sync } from './sync.ts';
import { createSqliteWriter, type SqliteWriter } from './writer.ts';

/** The two ends of a store, each with a connection of its own, each usable on a thread of its own. */
export type Role = 'writer' | 'reader';

export interface WriterSide extends SqliteWriter {
  /** Whether it could write now, and the record is where the next start looks for it. @throws StoreError */
  probe(): { readonly logBytes: number };
  /** Cuts the log back where nothing needs it; waits for nothing. */
  trimLog(): void;
  /** Of a record whose log has lost its name: writes all of the log into the database. @returns whether all of it is there */
  writeBack(): boolean;
}

type CatalogueReads = Pick<CatalogueStore, 'devices' | 'device' | 'placements' | 'rooms' | 'room'>;

export interface ReaderSide extends SqliteReader, Sync<CatalogueReads> {
  facts(): { readonly schemaVersion: number; readonly sizeBytes: number };
  /** A whole copy of the record as it is open, checked and on the disk, also where its file has lost its name. @throws StoreError */
  saveCopy(target: string): void;
}

export interface SideOf {
  readonly writer: WriterSide;
  readonly reader: ReaderSide;
}

export interface OpenSide<R extends Role> {
  readonly side: SideOf[R];
  /** What was done to the file on opening; the reader does nothing. */
  readonly migrated?: Migrated;
  /** Of the record; the reader does not say. */
  readonly record?: RecordFacts;
  close(): void;
}

/** Opens the record for writing: looks at it, makes it, migrates it first where that is needed. @throws StoreError */
export function openWriterSide(sqlite: Sqlite, options: RecordOptions, clock: Clock): OpenSide<'writer'> {
  const { path } = options;
  const record = openRecord(sqlite, options, clock);
  const { db } = record;
  try {
    return translated(path, () => {
      const probe = db.transaction(() => undefined);
      const side: WriterSide = {
        ...provedSide(path, record, createSqliteWriter(db)),
        probe: () =>
          translated(path, () => {
            record.afterWrite();
            probe.immediate();
            return { logBytes: record.logBytes() };
          }),
        trimLog: () =>
          translated(path, () => {
            record.beforeWrite();
            trimLog(db);
          }),
        writeBack: () => translated(path, () => writeBack(db)),
      };
      return { side, migrated: record.migrated, record: record.facts, close: record.close };
    });
  } catch (error) {
    record.close();
    throw error;
  }
}

/** Every change with the proof that it is where it should be: without it the change is not confirmed. */
function provedSide(path: string, record: OpenRecord, side: SqliteWriter): SqliteWriter {
  const calls = Object.entries(side).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
    name,
    (...args: unknown[]) => {
      translated(path, record.beforeWrite);
      const result = call(...args);
      translated(path, record.afterWrite);
      return result;
    },
  ]);
  return Object.fromEntries(calls) as SqliteWriter;
}

/** Without waiting for readers: those that are there now are short, and the next look comes. */
function trimLog(db: Database): void {
  const timeoutMs = db.pragma('busy_timeout', { simple: true }) as number;
  db.pragma('busy_timeout = 0');
  try {
    db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    db.pragma(`busy_timeout = ${timeoutMs}`);
  }
}

/** Opens the file for questions; it must have been opened for writing before. @throws StoreError */
export function openReaderSide(
  sqlite: Sqlite,
  { path, mustBe }: Pick<RecordOptions, 'path' | 'mustBe'>,
): OpenSide<'reader'> {
  const db = connectReader(sqlite, path);
  try {
    return translated(path, () => {
      const id = db.prepare('SELECT id FROM record').pluck().get();
      if (mustBe !== undefined && id !== mustBe) throw replaced(`${path} is not the record ${mustBe} that was opened`);
      const side = { ...readerSideOf(db), saveCopy: (target: string) => saveCopy(sqlite, db, target) };
      return { side: translatedSide(path, side), close: () => db.close() };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

function readerSideOf(db: Database): Omit<ReaderSide, 'saveCopy'> {
  const devices = createDeviceRows(db);
  const selectSize = db.prepare('SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()').pluck();
  return {
    ...createSqliteReader(db),
    ...createRoomRows(db),
    devices: (filter) => devices.all(filter),
    device: (uid) => devices.one(uid),
    placements: (deviceUid) => devices.placements(deviceUid),
    facts: () => ({
      schemaVersion: db.pragma('user_version', { simple: true }) as number,
      sizeBytes: selectSize.get() as number,
    }),
  };
}

/** Every call of a side with SQLite's errors in the store's words. */
function translatedSide(path: string, side: ReaderSide): ReaderSide {
  const calls = Object.entries(side).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
    name,
    (...args: unknown[]) => translated(path, () => call(...args)),
  ]);
  return Object.fromEntries(calls) as ReaderSide;
}
