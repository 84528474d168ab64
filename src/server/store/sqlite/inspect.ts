import { stat } from 'node:fs/promises';
import type { Clock } from '../../../platform/clock.ts';
import { sleepInPieces } from '../../../platform/tasks.ts';
import { type Store, StoreError, type StoreHealth } from '../store.ts';
import type { Async } from './calls.ts';
import { connectReader, type Database, loadSqlite } from './database.ts';
import { translated } from './errors.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './migrate.ts';
import { lookBeforeOpening } from './place/look.ts';
import { PlaceLostError } from './place/place.ts';
import type { ReaderCalls } from './reader.ts';
import type { WriterCalls } from './writer.ts';

/** Asks both ends within a limit; says which one does not answer, or what it says. */
export function createHealth({
  facts: askFacts,
  probe: askProbe,
  clock,
  freeBytes,
}: {
  readonly facts: Async<ReaderCalls>['facts'];
  readonly probe: Async<WriterCalls>['probe'];
  readonly clock: Clock;
  readonly freeBytes: () => Promise<number | null>;
}): Store['health'] {
  let sizeBytes = 0;
  return async (limitMs) => {
    const end = new AbortController();
    const problems: string[] = [];
    const lost: PlaceLostError[] = [];
    const within = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
      const late = sleepInPieces(clock, limitMs, end.signal).then(
        () => problems.push(`${what} has not answered for ${limitMs} ms`),
        () => undefined,
      );
      try {
        return await Promise.race([work, late.then(() => undefined)]);
      } catch (error) {
        problems.push((error as Error).message);
        if (error instanceof PlaceLostError) lost.push(error);
        return undefined;
      }
    };
    const [facts, probe, free] = await Promise.all([
      within('The reading end of the database', askFacts()),
      within('The writing end of the database', askProbe()),
      within('The disk', freeBytes()),
    ]);
    end.abort();
    sizeBytes = facts?.sizeBytes ?? sizeBytes;
    const health: StoreHealth = {
      isOk: problems.length === 0,
      schemaVersion: facts?.schemaVersion ?? SCHEMA_VERSION,
      sizeBytes,
      logBytes: probe?.logBytes ?? null,
      freeBytes: free ?? null,
    };
    if (problems.length === 0) return health;
    const isLost = lost.some(({ isCuredByRestart }) => !isCuredByRestart);
    return { ...health, problem: problems.join('; '), ...(isLost && { isLost }) };
  };
}

/** What a look at a database shows that changes nothing: it is neither made nor migrated. */
export interface StoreInspection {
  readonly state: 'present' | 'older' | 'newer' | 'foreign' | 'damaged' | 'missing' | 'replaced';
  /** What is wrong, for people; not when `present`, `older` or `newer`. */
  readonly problem: string;
  readonly version: number;
  readonly knownVersion: number;
  readonly sizeBytes: number;
  /** Of the write-ahead log. */
  readonly logBytes: number;
  /** When the newest reading was measured; null where there is none, or it is not known. */
  readonly newestMs: number | null;
  readonly devices: number;
}

/** So many faults say enough. */
const MAX_FAULTS = 3;
/** A check of a larger file would take minutes on a Pi; what it would find shows in use, too. */
const MAX_CHECKED_BYTES = 2 * 1024 * 1024 * 1024;

/** Version of SQLite, where the package works. @throws StoreError where it does not */
export async function sqliteVersion(): Promise<string> {
  const sqlite = await loadSqlite();
  try {
    // The native part is loaded by the first database, not by the import.
    const db = new sqlite(':memory:');
    try {
      return db.prepare('SELECT sqlite_version()').pluck().get() as string;
    } finally {
      db.close();
    }
  } catch (cause) {
    throw new StoreError('STORE_UNAVAILABLE', (cause as Error).message.split('\n')[0] ?? 'unknown', { cause });
  }
}

/**
 * Looks into the file beside the program that writes to it; undefined where there never was one.
 * @throws StoreError where it can't be read at all
 */
export async function inspectStore(
  path: string,
  stateFolder: string | undefined,
): Promise<StoreInspection | undefined> {
  const nothing = { version: 0, knownVersion: SCHEMA_VERSION, sizeBytes: 0, logBytes: 0, newestMs: null, devices: 0 };
  try {
    if (lookBeforeOpening(path, stateFolder).state === 'first') return undefined;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    // Not opened: SQLite could change what lies there.
    if (error.code === 'STORE_MISSING') return { ...nothing, state: 'missing', problem: error.message };
    if (error.code === 'STORE_REPLACED') return { ...nothing, state: 'replaced', problem: error.message };
    return { ...nothing, state: 'damaged', problem: error.message };
  }
  return await inspectFile(path);
}

async function inspectFile(path: string): Promise<StoreInspection> {
  const sqlite = await loadSqlite();
  const sizeBytes = (await stat(path)).size;
  const logBytes = await stat(`${path}-wal`).then(
    ({ size }) => size,
    () => 0,
  );
  const found = { version: 0, knownVersion: SCHEMA_VERSION, sizeBytes, logBytes, newestMs: null, devices: 0 };
  try {
    const db = connectReader(sqlite, path);
    try {
      return translated(path, () => ({ ...found, ...look(db, sizeBytes) }));
    } finally {
      db.close();
    }
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'STORE_DAMAGED')) throw error;
    return { ...found, state: 'damaged', problem: error.message };
  }
}

function look(
  db: Database,
  sizeBytes: number,
): Pick<StoreInspection, 'state' | 'problem' | 'version'> & Partial<StoreInspection> {
  const application = db.pragma('application_id', { simple: true }) as number;
  const version = db.pragma('user_version', { simple: true }) as number;
  const isEmpty = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
  if (application !== APPLICATION_ID && !isEmpty) {
    return { state: 'foreign', version, problem: `${db.name} is an SQLite database, but not one of this server` };
  }
  if (version > SCHEMA_VERSION) return { state: 'newer', version, problem: '' };
  const faults = sizeBytes > MAX_CHECKED_BYTES ? [] : faultsOf(db);
  if (faults.length > 0) return { state: 'damaged', version, problem: faults.join('; ') };
  if (version < SCHEMA_VERSION) return { state: 'older', version, problem: '' };
  return {
    state: 'present',
    version,
    problem: '',
    newestMs: db.prepare<[], number | null>('SELECT max(ts_ms) FROM latest').pluck().get() ?? null,
    devices: db.prepare<[], number>("SELECT count(*) FROM devices WHERE state <> 'removed'").pluck().get() ?? 0,
  };
}

function faultsOf(db: Database): readonly string[] {
  const said = db.pragma(`quick_check(${MAX_FAULTS})`) as readonly { readonly quick_check: string }[];
  return said.map(({ quick_check: fault }) => fault).filter((fault) => fault !== 'ok');
}
