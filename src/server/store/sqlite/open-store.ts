import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { Store } from '../store.ts';
import type { Caller } from './caller.ts';
import { loadSqlite } from './database.ts';
import { createInProcessCaller } from './in-process.ts';
import { createHealth } from './inspect.ts';
import type { Migrated } from './migrate.ts';
import type { OpenedBy, RecordFacts, RecordOptions } from './place/open-record.ts';
import { withRescue } from './place/with-rescue.ts';
import { openReaderSide, openWriterSide } from './sides.ts';
import { openWorkerCaller } from './worker-caller.ts';

/** `threads` for the service: no call ever blocks the event loop. `in-process` for commands and tests, which may wait. */
export type StoreEngine = 'threads' | 'in-process';

export interface SqliteStoreOptions {
  readonly path: string;
  /** Default `in-process`. */
  readonly engine?: StoreEngine;
  /** Default `server`: makes the record where there never was one. A `command` uses what is there. */
  readonly openedBy?: OpenedBy;
  /** Where the identity is kept, too, when the database lies in another folder. */
  readonly stateFolder?: string;
  readonly clock: Clock;
  /** Told of migrations, and of threads that ended. */
  readonly log?: Log;
  /** The built store-worker; default: the one beside the program. */
  readonly workerUrl?: URL;
}

const HOUR_MS = 3_600_000;
const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Opens the record in an SQLite file: makes it where there never was one, migrates it where it is older (after a copy beside it).
 * @throws StoreError NEWER_SCHEMA, DAMAGED, MISSING, REPLACED (the files are left as they are), UNAVAILABLE, FULL, BUSY
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, clock, log = SILENT, stateFolder } = options;
  const {
    writer: plain,
    reader,
    migrated,
    record,
  } = await (options.engine === 'threads' ? openThreads(options) : openHere(options));
  if (migrated !== undefined && migrated.fromVersion !== migrated.toVersion) {
    log.info({ path, ...migrated }, migrated.fromVersion === 0 ? 'Made a new database' : 'Migrated the database');
  }
  const writer = withRescue(plain, { reader, path, stateFolder, clock, log });
  return storeOf(writer, reader, record, createHealth({ writer, reader, clock, freeBytes: () => freeBytesAt(path) }));
}

interface Ends {
  readonly writer: Caller<'writer'>;
  readonly reader: Caller<'reader'>;
  readonly migrated?: Migrated | undefined;
  readonly record: RecordFacts;
}

async function openHere(options: SqliteStoreOptions): Promise<Ends> {
  const sqlite = await loadSqlite();
  const asked = recordOptionsOf(options);
  const writerSide = openWriterSide(sqlite, asked, options.clock);
  const { migrated } = writerSide;
  const writer = createInProcessCaller(writerSide);
  try {
    const record = knownRecord(writerSide.record);
    const reader = createInProcessCaller(openReaderSide(sqlite, { ...asked, mustBe: record.id }));
    return { writer, reader, migrated, record };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

async function openThreads(options: SqliteStoreOptions): Promise<Ends> {
  const { clock, log = SILENT, workerUrl = new URL('techtemp-store-worker.js', import.meta.url) } = options;
  const asked = recordOptionsOf(options);
  const common = { clock, log, workerUrl };
  // The reader finds the file migrated.
  const writer = await openWorkerCaller({ ...common, role: 'writer', record: asked });
  try {
    const record = knownRecord(writer.record);
    const reader = await openWorkerCaller({ ...common, role: 'reader', record: { ...asked, mustBe: record.id } });
    return { writer, reader, migrated: writer.migrated, record };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

function recordOptionsOf({ path, openedBy = 'server', stateFolder }: SqliteStoreOptions): RecordOptions {
  return { path, openedBy, ...(stateFolder !== undefined && { stateFolder }) };
}

function knownRecord(record: RecordFacts | undefined): RecordFacts {
  if (record === undefined) throw new Error('The writing end of the store did not say which record it opened');
  return record;
}

function storeOf(
  writer: Caller<'writer'>,
  reader: Caller<'reader'>,
  record: RecordFacts,
  health: Store['health'],
): Store {
  /** By id of the token: the hour whose use was handed on. */
  const notedHours = new Map<string, number>();
  const noteUse = (id: string, nowMs: number): void => {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (notedHours.get(id) === hour) return;
    notedHours.set(id, hour);
    // Not awaited; where it fails, the next use notes it.
    writer.call('noteTokenUse', id, nowMs).catch(() => notedHours.delete(id));
  };
  return {
    record,
    commit: (batch) => writer.call('commit', batch),
    devices: (filter) => reader.call('devices', filter),
    device: (uid) => reader.call('device', uid),
    addDevices: (devices, nowMs) => writer.call('addDevices', devices, nowMs),
    updateDevice: (uid, change, nowMs) => writer.call('updateDevice', uid, change, nowMs),
    removeDevice: (uid, readings, nowMs) => writer.call('removeDevice', uid, readings, nowMs),
    placements: (deviceUid) => reader.call('placements', deviceUid),
    rooms: () => reader.call('rooms'),
    room: (uid) => reader.call('room', uid),
    addRoom: (room) => writer.call('addRoom', room),
    updateRoom: (uid, change) => writer.call('updateRoom', uid, change),
    removeRoom: (uid) => writer.call('removeRoom', uid),
    latest: (filter) => reader.call('latest', filter),
    readings: (query) => reader.call('readings', query),
    buckets: (scope, edgesMs) => reader.call('buckets', scope, edgesMs),
    expected: (deviceUid, edgesMs, nowMs) => reader.call('expected', deviceUid, edgesMs, nowMs),
    extent: (scope) => reader.call('extent', scope),
    rejected: (query) => reader.call('rejected', query),
    gaps: (query) => reader.call('gaps', query),
    numbers: (deviceUid) => reader.call('numbers', deviceUid),
    integrity: (deviceUid) => reader.call('integrity', deviceUid),
    recordIntegrity: () => reader.call('recordIntegrity'),
    quarantine: (query) => reader.call('quarantine', query),
    quarantineSummary: () => reader.call('quarantineSummary'),
    quarantineDrops: (limit) => reader.call('quarantineDrops', limit),
    judgeQuarantine: (step) => writer.call('judgeQuarantine', step),
    releaseQuarantine: (step) => writer.call('releaseQuarantine', step),
    dropQuarantine: (drop) => writer.call('dropQuarantine', drop),
    numbersPart: (deviceUid, stretch) => reader.call('numbersPart', deviceUid, stretch),
    recordBegan: () => reader.call('recordBegan'),
    dismissGap: (place, reason, nowMs) => writer.call('dismissGap', place, reason, nowMs),
    addToken: (token) => writer.call('addToken', token),
    tokens: () => reader.call('tokens'),
    async tokenByHash(hash, nowMs) {
      const token = await reader.call('tokenByHash', hash, nowMs);
      if (token !== undefined) noteUse(token.id, nowMs);
      return token;
    },
    revokeToken: (id, nowMs) => writer.call('revokeToken', id, nowMs),
    health,
    trimLog: () => writer.call('trimLog'),
    async close() {
      // The last connection to close empties the log into the file.
      await reader.close();
      await writer.close();
    },
  };
}

async function freeBytesAt(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(dirname(path));
    return bavail * bsize;
  } catch {
    return null;
  }
}
