import { emptySum, type Sum, withVerdict } from '../../verify/sum.ts';
import { verdictOf } from '../../verify/verdict.ts';
import { StoreError } from '../store.ts';
import { connectReader, type Database, loadSqlite, type Sqlite } from './database.ts';
import { translated } from './errors.ts';
import { APPLICATION_ID, migrateCopy, SCHEMA_VERSION } from './migrate.ts';
import { lookBeforeOpening } from './place/look.ts';
import { saveCopyOf } from './place/rescue.ts';
import { createSqliteReader } from './reader.ts';

/** What a copy of a record holds, as found in the copy itself. */
export interface CopyFacts {
  readonly record: {
    readonly id: string;
    readonly createdMs: number;
    /** Grows while a server uses the record: of two copies, the one with the higher number is newer. */
    readonly generation: number;
    /** Ids that it had before it was taken over from a copy, oldest first. */
    readonly formerIds: readonly string[];
  };
  /** Of the file as it was found. */
  readonly schemaVersion: number;
  readonly sizeBytes: number;
  /** Rows of each table. */
  readonly tables: Readonly<Record<string, number>>;
  /** Times of the oldest and newest reading; null where there is none. */
  readonly readings: { readonly fromMs: number; readonly toMs: number } | null;
  readonly verdict: Sum;
}

/**
 * Writes a consistent copy of the record while a server uses it: one look at the record, as it is at this moment. The copy is whole and
 * on the disk when this returns. Blocks the process for as long as it takes. @throws StoreError
 */
export async function copyRecord(path: string, stateFolder: string | undefined, target: string): Promise<void> {
  const sqlite = await loadSqlite();
  if (lookBeforeOpening(path, stateFolder).state === 'first')
    throw new StoreError('STORE_MISSING', `There is no record at ${path}, so there is nothing to back up.`);
  const db = connectReader(sqlite, path);
  try {
    translated(path, () => saveCopyOf(sqlite, db, target));
  } finally {
    db.close();
  }
}

/** Size of the record's database, with what stands in its log. @throws StoreError */
export async function recordBytes(path: string): Promise<number> {
  const db = connectReader(await loadSqlite(), path);
  try {
    return translated(path, () =>
      Number(db.prepare('SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()').pluck().get()),
    );
  } finally {
    db.close();
  }
}

/**
 * Looks through a copy: is every page right, how much is in it, is a reading missing. Brings the file to the present schema first, so
 * give it a copy of its own. Blocks the process for as long as it takes.
 * @throws StoreError DAMAGED, NEWER_SCHEMA, where it is not a whole record that this program knows
 */
export async function examineCopy(path: string, nowMs: number): Promise<CopyFacts> {
  const sqlite = await loadSqlite();
  return translated(path, () => {
    const db = openWhole(sqlite, path);
    try {
      const schemaVersion = db.pragma('user_version', { simple: true }) as number;
      if (schemaVersion !== SCHEMA_VERSION) migrateCopy(db);
      return factsOf(db, schemaVersion, nowMs);
    } finally {
      db.close();
    }
  });
}

/** @throws StoreError where the file is not ours, or not whole */
function openWhole(sqlite: Sqlite, path: string): Database {
  const db = new sqlite(path, { fileMustExist: true });
  try {
    if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID)
      throw new StoreError('STORE_DAMAGED', `${path} is not a record of a TechTemp server.`);
    const found = db.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') throw new StoreError('STORE_DAMAGED', `${path} is damaged: ${String(found)}.`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function factsOf(db: Database, schemaVersion: number, nowMs: number): CopyFacts {
  const reader = createSqliteReader(db);
  const { id, createdMs, generation, formerIds } = reader.recordIntegrity();
  const judging = { strict: false, recordBeganMs: reader.recordBegan() };
  const verdict = reader
    .devices({ withRemoved: true })
    .reduce((sum, device) => withVerdict(sum, verdictOf(device, reader.numbers(device.uid), judging)), emptySum(nowMs));
  const names = db
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .pluck()
    .all();
  const tables = Object.fromEntries(
    names.map((name) => [name, db.prepare(`SELECT count(*) FROM "${name}"`).pluck().get() as number]),
  );
  const sizeBytes = db
    .prepare('SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()')
    .pluck()
    .get() as number;
  return {
    record: { id, createdMs, generation, formerIds },
    schemaVersion,
    sizeBytes,
    tables,
    readings: reader.extent('all') ?? null,
    verdict,
  };
}
