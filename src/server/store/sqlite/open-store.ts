import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import type { Store } from '../store.ts';
import { type Async, type Client, createInProcessClient, mapCalls } from './calls.ts';
import { loadSqlite } from './database.ts';
import { createHealth } from './inspect.ts';
import type { Migrated } from './migrate.ts';
import type { OpenedBy, RecordOptions } from './place/marked-record.ts';
import type { RecordFacts } from './place/open-record.ts';
import type { RecordLock } from './place/record-lock.ts';
import { createRescue } from './place/rescue.ts';
import { bucketsInSteps } from './read/buckets.ts';
import { openReader, type ReaderCalls } from './reader.ts';
import { openStoreThread } from './store-thread.ts';
import { openWriter, type WriterCalls } from './writer.ts';

/** `threads` for the service: no call ever blocks the event loop. `in-process` for commands and tests, which may wait. */
export type StoreEngine = 'threads' | 'in-process';

export interface SqliteStoreOptions {
  readonly path: string;
  /** Default `in-process`. */
  readonly engine?: StoreEngine;
  /** Default `server`: makes the record where there never was one. A `command` uses what is there. */
  readonly openedBy?: OpenedBy;
  /** The server's; each change is confirmed only while it is held. */
  readonly lock?: Pick<RecordLock, 'keep'>;
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
  const { path, clock, log = SILENT, lock, stateFolder } = options;
  const { writer, reader, migrated, record } = await (options.engine === 'threads'
    ? openThreads(options)
    : openInProcess(options));
  if (migrated !== undefined && migrated.fromVersion !== migrated.toVersion) {
    log.info({ path, ...migrated }, migrated.fromVersion === 0 ? 'Made a new database' : 'Migrated the database');
  }
  const reads = reader.calls;
  const { saveCopy } = reads;
  const { writeBack } = writer.calls;
  const rescued = createRescue({ saveCopy, writeBack, path, stateFolder, clock, log });
  const writes = mapCalls(writer.calls, async (call) => {
    const result = await rescued(call);
    // Afterwards: where the record itself is lost, that is what people must hear of, and its lock is not made again.
    lock?.keep();
    return result;
  });
  const health = createHealth({ facts: reads.facts, probe: writes.probe, freeBytes: () => freeBytesAt(path), clock });
  const close = async (): Promise<void> => {
    // The last connection to close empties the log into the file.
    await reader.close();
    await writer.close();
  };
  return storeOf({ reads, writes, record, health, close });
}

/** The two connections; the writer's calls are not yet guarded against the loss of the record. */
interface Connections {
  readonly writer: Client<WriterCalls>;
  readonly reader: Client<ReaderCalls>;
  readonly migrated: Migrated | undefined;
  readonly record: RecordFacts;
}

async function openInProcess(options: SqliteStoreOptions): Promise<Connections> {
  const sqlite = await loadSqlite();
  const asked = recordOptionsOf(options);
  const connection = openWriter(sqlite, asked, options.clock);
  const { migrated, record } = connection;
  const writer = createInProcessClient(connection);
  return await withReader({ writer, migrated, record }, (mustBe) =>
    createInProcessClient(openReader(sqlite, { ...asked, mustBe })),
  );
}

async function openThreads(options: SqliteStoreOptions): Promise<Connections> {
  const { clock, log = SILENT, workerUrl = new URL('techtemp-store-worker.js', import.meta.url) } = options;
  const asked = recordOptionsOf(options);
  const common = { clock, log, workerUrl };
  const writer = await openStoreThread({ ...common, role: 'writer', record: asked });
  const { migrated, record } = writer;
  if (record === undefined) throw new Error('The writing thread of the store did not say which record it opened');
  return await withReader({ writer, migrated, record }, async (mustBe) =>
    openStoreThread({ ...common, role: 'reader', record: { ...asked, mustBe } }),
  );
}

/** The reader comes second: it finds the file migrated. */
async function withReader(
  opened: Omit<Connections, 'reader'>,
  open: (mustBe: string) => Client<ReaderCalls> | Promise<Client<ReaderCalls>>,
): Promise<Connections> {
  try {
    return { ...opened, reader: await open(opened.record.id) };
  } catch (error) {
    await opened.writer.close();
    throw error;
  }
}

function recordOptionsOf({ path, openedBy = 'server', stateFolder }: SqliteStoreOptions): RecordOptions {
  return { path, openedBy, ...(stateFolder !== undefined && { stateFolder }) };
}

/** Each call of the store is the call of the same name of the reader or the writer; only what differs is written down here. */
function storeOf({
  reads,
  writes,
  ...own
}: {
  readonly reads: Async<ReaderCalls>;
  readonly writes: Async<WriterCalls>;
  readonly record: RecordFacts;
  readonly health: Store['health'];
  readonly close: () => Promise<void>;
}): Store {
  /** By id of the token: the hour whose use was handed on. */
  const notedHours = new Map<string, number>();
  const noteUse = (id: string, nowMs: number): void => {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (notedHours.get(id) === hour) return;
    notedHours.set(id, hour);
    // Not awaited; where it fails, the next use notes it.
    writes.noteTokenUse(id, nowMs).catch(() => notedHours.delete(id));
  };
  return {
    ...reads,
    ...writes,
    ...own,
    buckets: (scope, edgesMs) => bucketsInSteps((place) => reads.bucketStep(scope, edgesMs, place), edgesMs),
    async tokenByHash(hash, nowMs) {
      const token = await reads.tokenByHash(hash, nowMs);
      if (token !== undefined) noteUse(token.id, nowMs);
      return token;
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
