import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { StoreError } from '../../store.ts';
import { findMark, MAGIC, type Mark, readHeader, readMark } from './database-file.ts';
import { type Identity, readIdentity } from './identity-file.ts';
import { type LogContent, readLog } from './log-file.ts';

/** What lies where the record should be. */
export type RecordLook =
  /** Nothing, and nothing says that there ever was a record: a first start. */
  | { readonly state: 'first' }
  /** A database that may be opened. Without an identity: none was kept beside it, so no more is known about it. */
  | { readonly state: 'present'; readonly identity?: Identity; readonly unreadableIdentity?: string };

/** The log is the record's own, and does not hold all that was stored. As far as it goes it may be used. */
export class ShortLogError extends StoreError {
  constructor(path: string) {
    const what = `The log ${path}-wal was cut short, or it is an older copy: what was stored last is not there`;
    super('STORE_REPLACED', replaced(what).message);
  }
}

/** A log begins again each time with the first salt one higher; more than this between two notes of it is not possible. */
const MAX_UNNOTED_LOGS = 1_000;
const SALT_DIGITS = 8;
/** What an earlier record leaves beside it: a copy before a migration, one that was saved when the file had gone, or was set aside. */
const LEFT_BEHIND = /^\.(before-v\d+|(rescued|set-aside)-.*Z)$/;

export const NEW_RECORD_REMEDY =
  'Put the record back, or a backup of it; or begin a new record: techtemp-server init --new-record (it deletes nothing, and sets ' +
  'aside what lies there)';
export const ACCEPT_REMEDY =
  'Put back the record that belongs there; or, if the database that lies there is to be the record from now on: ' +
  'techtemp-server init --accept';

/**
 * Looks at a record before SQLite opens it: SQLite makes a database that is missing, and empties a log that it cannot use.
 * Changes nothing. @throws StoreError MISSING, REPLACED, DAMAGED where the record must not be opened
 */
export function lookBeforeOpening(path: string, stateFolder: string | undefined): RecordLook {
  const kept = readIdentity(path, stateFolder);
  const identity = kept.state === 'read' ? kept.identity : undefined;
  const real = realPathOf(path);
  const size = real === undefined ? undefined : statSync(real).size;
  if (real === undefined || size === undefined || size === 0) {
    return lookWhereNothingIs(path, {
      isEmpty: size === 0,
      kept: kept.state === 'absent' ? undefined : kept.path,
      identity,
    });
  }
  const file = openSync(real, 'r');
  try {
    const header = readHeader(file);
    if (header === undefined) throw notADatabase(path, file);
    if (kept.state === 'unreadable') return { state: 'present', unreadableIdentity: kept.path };
    if (identity === undefined) return { state: 'present' };
    if (identity.file !== null) {
      const { pageSize } = header;
      const { page } = identity.file;
      const noted = readMark(file, page, pageSize);
      const found = noted === undefined ? findMark(file, pageSize) : { mark: noted, page };
      const log = readLog(`${real}-wal`, found?.page ?? page);
      // With a log the rest may be in it.
      if (log === undefined && size < header.pages * pageSize) throw cutOff(path, size, header.pages * pageSize);
      judge(path, identity, { mark: found?.mark, changeCounter: header.changeCounter }, log);
    }
    return { state: 'present', identity };
  } finally {
    closeSync(file);
  }
}

/** The database file that SQLite opens for this path; undefined where there is none. @throws StoreError for a link to nowhere */
export function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const link = lstatSync(path, { throwIfNoEntry: false });
    if (link === undefined) return undefined;
    throw missing(`The record ${path} is a link to a file that is not there`, NEW_RECORD_REMEDY);
  }
}

function lookWhereNothingIs(
  path: string,
  known: { readonly isEmpty: boolean; readonly kept: string | undefined; readonly identity: Identity | undefined },
): RecordLook {
  const { isEmpty, kept, identity } = known;
  const what = isEmpty ? `The record ${path} is an empty file` : `There is no record at ${path}`;
  if (kept !== undefined) {
    const which = identity === undefined ? '' : ` (made ${new Date(identity.createdMs).toISOString().slice(0, 10)})`;
    throw missing(`${what}, although there was one${which}: ${kept} says so`, NEW_RECORD_REMEDY);
  }
  const logSize = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (logSize > 0) {
    throw missing(
      `${what}, but its log ${path}-wal (${logSize} bytes) lies there: it is a part of a record`,
      NEW_RECORD_REMEDY,
    );
  }
  const left = leftBehind(path);
  if (left !== undefined) {
    const remedy = left.includes('.rescued-')
      ? `To go on with it: techtemp-server init --from ${left}`
      : NEW_RECORD_REMEDY;
    throw missing(`${what}, but ${left} shows that there was one`, remedy);
  }
  if (isEmpty)
    throw missing(
      `${what}. This server never makes an empty file, so this may be what is left of a record`,
      NEW_RECORD_REMEDY,
    );
  return { state: 'first' };
}

/** What an earlier record left beside the place of a record: what was saved last, else something else; undefined: nothing. */
export function leftBehind(path: string): string | undefined {
  const base = basename(path);
  try {
    // The one that was saved last comes last.
    const name = readdirSync(dirname(path))
      .filter((each) => each.startsWith(base) && LEFT_BEHIND.test(each.slice(base.length)))
      .sort()
      .findLast((each, _, all) => each.includes('.rescued-') || !all.some((other) => other.includes('.rescued-')));
    return name === undefined ? undefined : resolve(dirname(path), name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether the database file and its log are the ones that were left there, or a later state of them. @throws StoreError REPLACED */
function judge(
  path: string,
  identity: Identity,
  found: { readonly mark: Mark | undefined; readonly changeCounter: number },
  log: LogContent | undefined,
): void {
  const { mark, changeCounter } = found;
  const kept = identity.file;
  if (kept === null) return;
  if (mark === undefined || mark.id !== identity.id) {
    const which = mark === undefined ? 'a database without an identity' : `another record (${mark.id})`;
    throw replaced(`${path} is ${which}, not the one that was there (${identity.id})`);
  }
  if (mark.generation < kept.generation || changeCounter < kept.changeCounter) {
    throw replaced(
      log === undefined
        ? `${path} is an older copy of the record, or one that was made by another program: what was stored since is missing`
        : `${path} is an older copy of the record, and its log ${path}-wal does not belong to it: together they would be damaged`,
    );
  }
  if (log !== undefined && !isOurLog(log.salts, identity.log)) {
    throw replaced(`The log ${path}-wal does not belong to the record ${path}: together they would be damaged`);
  }
  const generation = log?.mark?.generation ?? mark.generation;
  if (generation >= identity.generation) return;
  if (log !== undefined) throw new ShortLogError(path);
  throw replaced(
    `The log ${path}-wal is missing, or ${path} is an older copy of the record: what was stored last is not there`,
  );
}

function isOurLog(salts: string, noted: string): boolean {
  if (noted === 'any' || noted === salts) return true;
  if (noted === 'none') return false;
  const ahead = (firstSalt(salts) - firstSalt(noted) + 2 ** 32) % 2 ** 32;
  return ahead > 0 && ahead <= MAX_UNNOTED_LOGS;
}

function firstSalt(salts: string): number {
  return Number.parseInt(salts.slice(0, SALT_DIGITS), 16);
}

/** SQLite would only notice at the first query, and may leave files beside it. */
function notADatabase(path: string, file: number): StoreError {
  const bytes = Buffer.alloc(MAGIC.length);
  const head = bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  const what =
    head === MAGIC
      ? `${path} is cut off after ${fstatSync(file).size} bytes`
      : `${path} is no SQLite database (it begins with ${JSON.stringify(head)})`;
  return new StoreError(
    'STORE_DAMAGED',
    `${what}. It was left as it is. Set another path for the database, or put a backup in its place.`,
  );
}

function cutOff(path: string, size: number, whole: number): StoreError {
  return new StoreError(
    'STORE_DAMAGED',
    `${path} is cut off: it has ${size} of ${whole} bytes. It was left as it is. Keep it, and put a backup in its place: ` +
      'techtemp-server init --from FILE.',
  );
}

function missing(what: string, remedy: string): StoreError {
  return new StoreError('STORE_MISSING', `${what}. Nothing was changed. ${remedy}.`);
}

export function replaced(what: string): StoreError {
  return new StoreError('STORE_REPLACED', `${what}. Nothing was changed. ${ACCEPT_REMEDY}.`);
}
