import { randomUUID } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * What is remembered of a record outside of it, in a small file beside the database (and in the state folder, where the database
 * lies elsewhere: a volume that is not mounted takes its files along). It is written at the start, at a clean stop, when the log
 * begins again and every few minutes; never for a reading.
 */
export interface Identity {
  readonly id: string;
  readonly createdMs: number;
  /** The record has at least this one, or it is older. */
  readonly generation: number;
  /** Of the database file without its log; null where that was not known for certain. */
  readonly file: {
    /** Where its mark stands. */
    readonly page: number;
    readonly generation: number;
    readonly changeCounter: number;
  } | null;
  /** The log that belongs to it. `none`: it was closed, all is in the database. `any`: was being begun. Else its salts, in hex. */
  readonly log: string;
}

/** What a look at one identity file shows. */
export type IdentityLook =
  | { readonly state: 'absent' }
  | { readonly state: 'read'; readonly path: string; readonly identity: Identity }
  /** It is there, and does not say what it should. */
  | { readonly state: 'unreadable'; readonly path: string };

const FORMAT = 1;

/** Where the identity of the record at `path` is kept. The first one counts; the second is a memory of it. */
export function identityPathsOf(path: string, stateFolder: string | undefined): readonly string[] {
  const beside = `${path}.identity`;
  if (stateFolder === undefined || resolve(stateFolder) === resolve(dirname(path))) return [beside];
  return [beside, join(stateFolder, `${basename(path)}.identity`)];
}

/** @throws what the file system throws, but for a file that is not there */
export function readIdentity(path: string, stateFolder: string | undefined): IdentityLook {
  let look: IdentityLook = { state: 'absent' };
  for (const file of identityPathsOf(path, stateFolder)) {
    const found = readOne(file, path);
    if (found.state === 'read') return found;
    if (look.state === 'absent') look = found;
  }
  return look;
}

function readOne(file: string, path: string): IdentityLook {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'absent' };
    throw error;
  }
  const said = parsed(text);
  if (said === undefined) return { state: 'unreadable', path: file };
  // The state folder remembers one record at one place. One that was moved by its owner is another matter.
  if (dirname(file) !== dirname(path) && said.database !== resolve(path)) return { state: 'absent' };
  return { state: 'read', path: file, identity: said.identity };
}

/** Replaces the file, or both; on the disk when it returns. It belongs to the owner of the database. @throws what the file system throws */
export function writeIdentity(path: string, stateFolder: string | undefined, identity: Identity): void {
  const { id, createdMs, generation, file, log } = identity;
  const text = `${JSON.stringify({
    techtemp_record: FORMAT,
    id,
    created: new Date(createdMs).toISOString(),
    generation,
    file: file === null ? null : { page: file.page, generation: file.generation, changes: file.changeCounter },
    log,
    database: resolve(path),
  })}\n`;
  const [beside, ...memories] = identityPathsOf(path, stateFolder);
  if (beside !== undefined) replaceFile(beside, text, path);
  for (const target of memories) if (existsSync(dirname(target))) replaceFile(target, text, path);
}

function replaceFile(target: string, text: string, ownerOf: string): void {
  const draft = `${target}.${randomUUID()}.tmp`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, text);
    const { uid, gid, mode } = statSync(ownerOf);
    fchmodSync(file, mode & 0o666);
    // A command that root has run must not keep the server out.
    if (process.getuid?.() === 0) chownSync(draft, uid, gid);
    fsyncSync(file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(draft, target);
  syncPath(dirname(target));
}

/** Makes the content of a file, or the names in a folder, survive a power cut. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function parsed(text: string): { readonly identity: Identity; readonly database: unknown } | undefined {
  try {
    const said = JSON.parse(text) as Record<string, unknown>;
    const { id, created, generation, log, database } = said;
    const createdMs = typeof created === 'string' ? Date.parse(created) : Number.NaN;
    if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id) || !Number.isFinite(createdMs)) return undefined;
    if (!isCount(generation) || typeof log !== 'string') return undefined;
    const file = said['file'] as Record<string, unknown> | null;
    const isFile = file !== null && isCount(file['page']) && isCount(file['generation']) && isCount(file['changes']);
    const known = isFile
      ? { page: Number(file['page']), generation: Number(file['generation']), changeCounter: Number(file['changes']) }
      : null;
    return { identity: { id, createdMs, generation, file: known, log }, database };
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
