import type { CatalogueStore } from '../catalogue-store.ts';
import { createDeviceRows } from './catalogue/device-rows.ts';
import { createRoomRows } from './catalogue/room-rows.ts';
import { connectReader, connectWriter, type Database, prepareForWriting, type Sqlite } from './database.ts';
import { translated } from './errors.ts';
import { type Migrated, migrate } from './migrate.ts';
import { createSqliteReader } from './read/sqlite-reader.ts';
import type { SqliteReader, Sync } from './sync.ts';
import { createSqliteWriter, type SqliteWriter } from './writer.ts';

/** The two ends of a store, each with a connection of its own, each usable on a thread of its own. */
export type Role = 'writer' | 'reader';

export interface WriterSide extends SqliteWriter {
  /** Whether it could write now. @throws StoreError */
  probe(): void;
}

type CatalogueReads = Pick<CatalogueStore, 'devices' | 'device' | 'placements' | 'rooms' | 'room'>;

export interface ReaderSide extends SqliteReader, Sync<CatalogueReads> {
  facts(): { readonly schemaVersion: number; readonly sizeBytes: number };
}

export interface SideOf {
  readonly writer: WriterSide;
  readonly reader: ReaderSide;
}

export interface OpenSide<R extends Role> {
  readonly side: SideOf[R];
  /** What was done to the file on opening; the reader does nothing. */
  readonly migrated?: Migrated;
  close(): void;
}

/** Opens the file for writing: migrates it first where that is needed. @throws StoreError */
export function openWriterSide(sqlite: Sqlite, path: string): OpenSide<'writer'> {
  const db = connectWriter(sqlite, path);
  try {
    const migrated = migrate(sqlite, db);
    return translated(path, () => {
      prepareForWriting(db);
      const probe = db.transaction(() => undefined);
      const side = { ...createSqliteWriter(db), probe: () => translated(path, () => probe.immediate()) };
      return { side, migrated, close: () => db.close() };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens the file for questions; it must have been opened for writing before. @throws StoreError */
export function openReaderSide(sqlite: Sqlite, path: string): OpenSide<'reader'> {
  const db = connectReader(sqlite, path);
  try {
    return translated(path, () => ({ side: translatedSide(path, readerSideOf(db)), close: () => db.close() }));
  } catch (error) {
    db.close();
    throw error;
  }
}

function readerSideOf(db: Database): ReaderSide {
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
