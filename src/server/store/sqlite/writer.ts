import type { Clock } from '../../../platform/clock.ts';
import type { AuditWrites } from '../audit-store.ts';
import type { IngestStore } from '../ingest-store.ts';
import type { CatalogueStore } from '../store.ts';
import { type Connection, mapCalls, type Sync } from './calls.ts';
import { createDeviceWrites } from './catalogue/device-writes.ts';
import { createDeviceRows } from './catalogue/devices.ts';
import { createPlacing, createRoomBook, createRoomWrites, type Placing, type RoomBook } from './catalogue/rooms.ts';
import type { Database, Sqlite } from './database.ts';
import { translated } from './errors.ts';
import type { Migrated } from './migrate.ts';
import type { RecordOptions } from './place/marked-record.ts';
import { openRecord, type RecordFacts } from './place/open-record.ts';
import { writeLogBack } from './place/rescue.ts';
import { createTokenWriter, type TokenWriter } from './tokens.ts';
import { createCommit } from './write/commit.ts';
import { createKnownDevices, createRegistry, type KnownDevices } from './write/devices.ts';
import { createLatestWriter } from './write/latest.ts';
import { createQuarantine } from './write/quarantine.ts';
import { createQuarantineWrites, type QuarantineWrites } from './write/quarantine-release.ts';
import { createReadingWriter } from './write/readings.ts';
import { createGapDismissal, createRejectedRanges, createRejects } from './write/rejects.ts';
import { createRollups, type Rollups } from './write/rollups.ts';
import { createStatusWriter } from './write/status.ts';
import { createWriteTransaction } from './write/transaction.ts';

type CatalogueWrites = Pick<
  CatalogueStore,
  'addDevices' | 'updateDevice' | 'removeDevice' | 'addRoom' | 'updateRoom' | 'removeRoom'
>;

/** Everything that changes the record. */
export type SqliteWriter = Sync<IngestStore & CatalogueWrites & AuditWrites> & TokenWriter & QuarantineWrites;

/** What the writing connection answers: the store's calls, and what the store itself asks. */
export interface WriterCalls extends SqliteWriter {
  /** Whether it could write now, and the record is where the next start looks for it. @throws StoreError */
  probe(): { readonly logBytes: number };
  /** Cuts the log back where nothing needs it; waits for nothing. */
  trimLog(): void;
  /** For a record whose log has lost its name: writes all of the log into the database. @returns whether all of it is there */
  writeBack(): boolean;
}

export interface OpenWriter extends Connection<WriterCalls> {
  /** What was done to the file on opening. */
  readonly migrated: Migrated;
  readonly record: RecordFacts;
}

/** Opens the record for writing: looks at it, makes it, migrates it first where that is needed. @throws StoreError */
export function openWriter(sqlite: Sqlite, options: RecordOptions, clock: Clock): OpenWriter {
  const { path } = options;
  const record = openRecord(sqlite, options, clock);
  const { db, beforeWrite, afterWrite, logBytes, migrated, facts, close } = record;
  try {
    return translated(path, () => {
      const probe = db.transaction(() => undefined);
      // Each change is proved to be where it should be; without that it is not confirmed.
      const writes = mapCalls(createSqliteWriter(db), (call) => {
        translated(path, beforeWrite);
        const result = call();
        translated(path, afterWrite);
        return result;
      });
      const upkeep: Pick<WriterCalls, 'probe' | 'trimLog' | 'writeBack'> = {
        probe() {
          afterWrite();
          probe.immediate();
          return { logBytes: logBytes() };
        },
        trimLog() {
          beforeWrite();
          trimLog(db);
        },
        writeBack: () => writeLogBack(db),
      };
      const calls = { ...writes, ...mapCalls(upkeep, (call) => translated(path, call)) };
      return { calls, migrated, record: facts, close };
    });
  } catch (error) {
    close();
    throw error;
  }
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

/** The writing end on a connection that is migrated and prepared. Each call is one transaction. @throws StoreError */
export function createSqliteWriter(db: Database): SqliteWriter {
  const known = createKnownDevices(db);
  const rooms = createRoomBook(db);
  const placing = createPlacing(db);
  const devices = createDeviceWrites(db, { rows: createDeviceRows(db), rooms, placing });
  const roomWrites = createRoomWrites(db, { book: rooms, homeIdOf: (uid) => known.homeId(uid) });
  const tokens = createTokenWriter(db);

  /** One transaction, after which nothing is remembered of the devices. */
  const alone = <A extends readonly unknown[], R>(work: (...args: A) => R): ((...args: A) => R) => {
    const transaction = db.transaction((args: A) => work(...args));
    return (...args) => {
      try {
        return translated(db.name, () => transaction.immediate(args));
      } finally {
        known.forget();
      }
    };
  };
  return {
    ...createRecordWrites(db, { known, rooms, placing, rollups: createRollups(db) }),
    addDevices: alone(devices.addDevices),
    updateDevice: alone(devices.updateDevice),
    removeDevice: alone(devices.removeDevice),
    addRoom: alone(roomWrites.addRoom),
    updateRoom: alone(roomWrites.updateRoom),
    removeRoom: alone(roomWrites.removeRoom),
    dismissGap: alone(createGapDismissal(db)),
    addToken: (token) => translated(db.name, () => tokens.addToken(token)),
    revokeToken: (id, nowMs) => translated(db.name, () => tokens.revokeToken(id, nowMs)),
    noteTokenUse: (id, usedMs) => translated(db.name, () => tokens.noteTokenUse(id, usedMs)),
  };
}

export interface RecordParts {
  readonly known: KnownDevices;
  readonly rooms: RoomBook;
  readonly placing: Placing;
  readonly rollups: Rollups;
}

/** What takes readings in: from messages, and out of quarantine. */
export function createRecordWrites(
  db: Database,
  { known, rooms, placing, rollups }: RecordParts,
): Sync<IngestStore> & QuarantineWrites {
  const newest = createLatestWriter(db);
  const rejects = createRejects(db);
  const ranges = createRejectedRanges(db);
  const quarantine = createQuarantine(db, known, ranges);
  const registry = createRegistry(db, known, rooms, placing);
  const transaction = createWriteTransaction(db, { known, rollups, newest, memories: [rejects, ranges, quarantine] });
  const { keepItems, keepOne } = createReadingWriter(db, {
    known,
    registry,
    rollups,
    rejects,
    newest,
    quarantine,
    ranges,
  });
  const keepStatus = createStatusWriter(db, { known, registry, placing, rejects });
  const releases = createQuarantineWrites(db, {
    transaction,
    keepOne,
    known,
    ranges,
    forget: () => quarantine.forget(),
  });
  return {
    commit: createCommit(db, { transaction, keepItems, keepStatus, rejects, registry }),
    judgeQuarantine: (step) => translated(db.name, () => releases.judgeQuarantine(step)),
    releaseQuarantine: (step) => translated(db.name, () => releases.releaseQuarantine(step)),
    dropQuarantine: (choice) => translated(db.name, () => releases.dropQuarantine(choice)),
  };
}
