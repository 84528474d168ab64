import { chownSync, copyFileSync, existsSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Clock } from '../../../../platform/clock.ts';
import { StoreError } from '../../store.ts';
import { connectWriter, type Database, loadSqlite, type Sqlite } from '../database.ts';
import { translated } from '../errors.ts';
import { APPLICATION_ID, migrate, verifiedVersionOf } from '../migrate.ts';
import { makeDatabase } from './database-file.ts';
import { identityPathsOf, readIdentity, syncPath } from './identity-file.ts';
import { leftBehind, lookBeforeOpening, ShortLogError } from './look.ts';
import { openRecord, type RecordFacts } from './open-record.ts';

/** What a person decides about the place of a record; the caller holds its lock. */

export interface SetAside {
  readonly from: string;
  readonly to: string;
}

export interface NewRecord {
  readonly record: RecordFacts;
  /** The files that lay there, under their new names. */
  readonly setAside: readonly SetAside[];
  /** It is, or may be, an older state of the record: it has a new identity, so that devices give again what they still have. */
  readonly isOlder: boolean;
}

/** The parts of a record that SQLite and we keep; not the lock, which the caller holds. */
const PARTS = ['', '-wal', '-shm', '-journal'] as const;
const IDENTITY_SUFFIX = '.identity';
const BUSY_TIMEOUT_MS = 5_000;

/** Where a record is to be. */
export interface RecordSite {
  readonly path: string;
  readonly stateFolder: string | undefined;
  readonly clock: Clock;
}

/** Sets aside whatever lies there, and makes a new record. Deletes nothing. @throws StoreError */
export async function beginNewRecord(site: RecordSite): Promise<NewRecord> {
  const sqlite = await loadSqlite();
  return translated(site.path, () => {
    const setAside = [...putAside(site, PARTS), ...putIdentityAside(site)];
    // Made here: what was set aside, or saved earlier, keeps a start from making one by itself.
    makeDatabase(sqlite, site.path);
    return { record: opened(sqlite, site), setAside, isOlder: false };
  });
}

/** Makes the database that lies there the record. @throws StoreError where there is none, or it is not one of ours */
export async function acceptRecord(site: RecordSite): Promise<NewRecord> {
  const sqlite = await loadSqlite();
  return translated(site.path, () => {
    if (!existsSync(site.path) || statSync(site.path).size === 0) {
      throw new StoreError(
        'STORE_MISSING',
        `There is no database at ${site.path} that could be accepted. Nothing was changed.`,
      );
    }
    const found = lookAt(site);
    // Together with a log that is not its own it would be damaged. What is left of its own one is taken.
    const setAside = found === 'wrong' ? putAside(site, ['-wal', '-shm', '-journal']) : [];
    return withMore(setAside, adopt(sqlite, site, found !== 'right'));
  });
}

/** Puts a copy of the record (a backup, or one that was saved) where the record should be. The copy stays. @throws StoreError */
export async function takeFrom(site: RecordSite, file: string): Promise<NewRecord> {
  const { path } = site;
  const sqlite = await loadSqlite();
  return translated(path, () => {
    if (resolve(file) === resolve(path))
      throw new StoreError('INVALID', `${file} is the record itself; --accept takes it as it is.`);
    const draft = `${path}.from.tmp`;
    const part = `${path}.from.part.tmp`;
    const removePart = (): void => PARTS.forEach((suffix) => rmSync(part + suffix, { force: true }));
    rmSync(draft, { force: true });
    try {
      // SQLite writes beside a database that it reads, and the copy may lie where writing is not allowed, or must not change.
      copyParts(file, part);
      const source = openCopy(sqlite, part, file);
      try {
        source.prepare('VACUUM INTO ?').run(draft);
      } finally {
        source.close();
      }
    } finally {
      removePart();
    }
    verifiedVersionOf(sqlite, draft);
    return putInPlace(sqlite, site, draft, file);
  });
}

/**
 * Makes a file beside the record, which was examined and is nothing but a scratch file, the record. What lay there is set aside.
 * @throws StoreError
 */
export async function takeScratch(site: RecordSite, scratch: string): Promise<NewRecord> {
  const sqlite = await loadSqlite();
  return translated(site.path, () => putInPlace(sqlite, site, scratch, scratch));
}

/** @param origin the file that a person named */
function putInPlace(sqlite: Sqlite, site: RecordSite, draft: string, origin: string): NewRecord {
  const { path } = site;
  syncPath(draft);
  const setAside = putAside(site, PARTS);
  renameSync(draft, path);
  syncPath(dirname(path));
  return withMore(setAside, adopt(sqlite, site, !isNewest(site, origin)));
}

/** The database and, where it has one, its log. @throws StoreError */
function copyParts(file: string, to: string): void {
  if (!existsSync(file)) throw new StoreError('NOT_FOUND', `There is no file ${file}. Nothing was changed.`);
  try {
    for (const suffix of ['', '-wal']) if (existsSync(file + suffix)) copyFileSync(file + suffix, to + suffix);
  } catch (error) {
    const { message } = error as Error;
    throw new StoreError('STORE_UNAVAILABLE', `${file} could not be copied (${message}). Nothing was changed.`);
  }
}

/** Opens `part`, a copy of `file`. @throws StoreError where it is not one of ours */
function openCopy(sqlite: Sqlite, part: string, file: string): Database {
  const db = new sqlite(part, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  if (db.pragma('application_id', { simple: true }) === APPLICATION_ID) return db;
  db.close();
  throw new StoreError('STORE_DAMAGED', `${file} is not a record of a TechTemp server. Nothing was changed.`);
}

/**
 * Whether what lies there now, a copy of `file`, is known to hold all that was stored. Without an identity to compare it with, only
 * what the server itself saved here last is; anything else may be an older copy.
 */
function isNewest(site: RecordSite, file: string): boolean {
  const { path, stateFolder } = site;
  const isCompared = readIdentity(path, stateFolder).state === 'read';
  const isSaved = file.includes('.rescued-') && resolve(file) === leftBehind(path);
  return (isCompared || isSaved) && lookAt(site) === 'right';
}

/** `short`: the record and its own log, which does not hold all that was stored. */
function lookAt({ path, stateFolder }: RecordSite): 'right' | 'short' | 'wrong' {
  try {
    return lookBeforeOpening(path, stateFolder).state === 'present' ? 'right' : 'wrong';
  } catch (error) {
    if (error instanceof ShortLogError) return 'short';
    if (error instanceof StoreError && (error.code === 'STORE_REPLACED' || error.code === 'STORE_MISSING'))
      return 'wrong';
    throw error;
  }
}

function withMore(setAside: readonly SetAside[], made: NewRecord): NewRecord {
  return { ...made, setAside: [...setAside, ...made.setAside] };
}

/** What receipts were given for is not in an older one: then it is another record for the devices, and says so. */
function adopt(sqlite: Sqlite, site: RecordSite, isOlder: boolean): NewRecord {
  if (!isOlder) return { record: opened(sqlite, site), setAside: [], isOlder };
  const setAside = putIdentityAside(site);
  const db = connectWriter(sqlite, site.path);
  try {
    migrate(sqlite, db);
    const takeOver = db.transaction(() => {
      noteEnds(db, site.clock.nowMs());
      db.prepare(`
        UPDATE record SET
          former_ids = json_insert(former_ids, '$[#]', id),
          id = lower(hex(randomblob(16))),
          generation = printf('%012d', CAST(generation AS INTEGER) + 1)`).run();
    });
    takeOver.immediate();
  } finally {
    db.close();
  }
  return { record: opened(sqlite, site), setAside, isOlder };
}

/**
 * Notes how far the newest epoch of each device goes. A device that goes on with it shows what is missing. Of one that begins another
 * epoch it cannot be known. An epoch that went on after an earlier takeover counts from now on.
 */
function noteEnds(db: Database, nowMs: number): void {
  db.prepare(`
    WITH newest AS (SELECT max(id) AS id FROM epochs GROUP BY device_id),
    numbers AS (
      SELECT epoch_id, seq FROM readings UNION ALL SELECT epoch_id, seq FROM gaps UNION ALL SELECT epoch_id, seq FROM quarantine
      UNION ALL SELECT epoch_id, to_seq FROM rejected_ranges
    )
    INSERT INTO takeovers (epoch_id, last_seq, taken_ms)
    SELECT newest.id, coalesce(max(numbers.seq), 0), ?
    FROM newest LEFT JOIN numbers ON numbers.epoch_id = newest.id
    GROUP BY newest.id
    ON CONFLICT (epoch_id) DO UPDATE SET last_seq = excluded.last_seq, taken_ms = excluded.taken_ms`).run(nowMs);
}

/** Opens it once as a server does, which writes its identity. */
function opened(sqlite: Sqlite, { path, stateFolder, clock }: RecordSite): RecordFacts {
  letTheOwnerIn(path);
  const record = openRecord(sqlite, { path, openedBy: 'server', stateFolder }, clock);
  record.close();
  const { id, createdMs } = record.facts;
  return { id, createdMs };
}

/** What root makes must be the server's, who is another user: the owner of the folder. */
function letTheOwnerIn(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  for (const part of PARTS) if (existsSync(`${path}${part}`)) chownSync(`${path}${part}`, uid, gid);
}

/** The log keeps the name of its database, so that the two still belong together. */
function putAside({ path, clock }: RecordSite, parts: readonly string[]): readonly SetAside[] {
  return parts
    .map((part) => ({ from: `${path}${part}`, to: `${asideOf(path, clock)}${part}` }))
    .filter(({ from }) => lstatSync(from, { throwIfNoEntry: false }) !== undefined)
    .map(renamed);
}

function putIdentityAside({ path, stateFolder, clock }: RecordSite): readonly SetAside[] {
  return identityPathsOf(path, stateFolder)
    .filter((from) => existsSync(from))
    .map((from) =>
      renamed({ from, to: `${asideOf(from.slice(0, -IDENTITY_SUFFIX.length), clock)}${IDENTITY_SUFFIX}` }),
    );
}

function renamed(names: SetAside): SetAside {
  renameSync(names.from, names.to);
  syncPath(dirname(names.to));
  return names;
}

/** A name that is free, and says when. */
function asideOf(path: string, clock: Clock): string {
  const time = new Date(clock.nowMs()).toISOString().slice(0, 19).replaceAll(':', '-');
  return `${path}.set-aside-${time}Z`;
}
