import type { AuditStore, QuarantineStore } from '../audit-store.ts';
import type { CatalogueStore, ReadingStore, TokenStore } from '../store.ts';
import { type Connection, mapCalls, type Sync } from './calls.ts';
import { createDeviceRows } from './catalogue/devices.ts';
import { createRoomRows } from './catalogue/rooms.ts';
import { connectReader, type Database, type Sqlite } from './database.ts';
import { translated } from './errors.ts';
import { replaced } from './place/look.ts';
import type { RecordOptions } from './place/marked-record.ts';
import { saveCopyOf } from './place/rescue.ts';
import { createBucketSteps } from './read/buckets.ts';
import { createGapPages, createRejectedPages } from './read/gaps.ts';
import { createIntegrity } from './read/integrity.ts';
import { createExpected, createNumbers } from './read/numbers.ts';
import { createQuarantineReads } from './read/quarantine.ts';
import { createExtent, createLatest, createReadingPages } from './read/readings.ts';
import { createScopes } from './read/scopes.ts';
import { createTokenReader } from './tokens.ts';

/**
 * The calls of the store that only ask. `tokenByHash` does not note the use: the store does that through the writing connection,
 * without letting the caller wait for it.
 */
export type SqliteReader = Sync<
  Omit<ReadingStore, 'buckets'> &
    AuditStore &
    Pick<CatalogueStore, 'devices' | 'device' | 'placements' | 'rooms' | 'room'> &
    Pick<QuarantineStore, 'quarantine' | 'quarantineSummary' | 'quarantineDrops'> &
    Pick<TokenStore, 'tokens' | 'tokenByHash'>
> & {
  /** A part of `buckets` that takes a short time, whatever is asked for. */
  readonly bucketStep: ReturnType<typeof createBucketSteps>;
};

/** What the reading connection answers: the store's calls, and what the store itself asks. */
export interface ReaderCalls extends SqliteReader {
  facts(): { readonly schemaVersion: number; readonly sizeBytes: number };
  /** A whole copy of the open record, checked and on the disk, also where its file has lost its name. @throws StoreError */
  saveCopy(target: string): void;
}

/** Opens the file for questions; it must have been opened for writing before. @throws StoreError */
export function openReader(
  sqlite: Sqlite,
  { path, mustBe }: Pick<RecordOptions, 'path' | 'mustBe'>,
): Connection<ReaderCalls> {
  const db = connectReader(sqlite, path);
  try {
    return translated(path, () => {
      const id = db.prepare('SELECT id FROM record').pluck().get();
      if (mustBe !== undefined && id !== mustBe) throw replaced(`${path} is not the record ${mustBe} that was opened`);
      const calls: ReaderCalls = {
        ...createSqliteReader(db),
        facts: createFacts(db),
        saveCopy: (target) => saveCopyOf(sqlite, db, target),
      };
      return { calls: mapCalls(calls, (call) => translated(path, call)), close: () => db.close() };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Answers every question about the record on one connection, which may be read-only; the schema must be there. What takes
 * several statements is one read transaction, so that a commit in between does not show in part.
 */
export function createSqliteReader(db: Database): SqliteReader {
  const scopes = createScopes(db);
  const snapshot = <A extends readonly unknown[], R>(ask: (...args: A) => R): ((...args: A) => R) => {
    const inTransaction = db.transaction((args: A) => ask(...args));
    return (...args) => inTransaction(args);
  };
  const devices = createDeviceRows(db);
  const { integrity, recordIntegrity } = createIntegrity(db);
  const quarantine = createQuarantineReads(db);
  const { numbers, numbersPart, recordBegan } = createNumbers(db);
  return {
    integrity: snapshot(integrity),
    recordIntegrity: snapshot(recordIntegrity),
    latest: createLatest(db),
    readings: snapshot(createReadingPages(db, scopes)),
    bucketStep: snapshot(createBucketSteps(db, scopes)),
    expected: createExpected(db),
    extent: snapshot(createExtent(db, scopes)),
    rejected: createRejectedPages(db),
    gaps: createGapPages(db),
    ...quarantine,
    quarantineSummary: snapshot(quarantine.quarantineSummary),
    numbers: snapshot(numbers),
    numbersPart: snapshot(numbersPart),
    recordBegan,
    ...createRoomRows(db),
    devices: (filter) => devices.all(filter),
    device: (uid) => devices.one(uid),
    placements: (deviceUid) => devices.placements(deviceUid),
    ...createTokenReader(db),
  };
}

function createFacts(db: Database): ReaderCalls['facts'] {
  const selectSize = db.prepare('SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()').pluck();
  return () => ({
    schemaVersion: db.pragma('user_version', { simple: true }) as number,
    sizeBytes: selectSize.get() as number,
  });
}
