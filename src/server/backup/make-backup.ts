import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { giveToOwnerOf, syncDirectory } from '../../platform/files.ts';
import { copyRecord, examineCopy, recordBytes } from '../store/sqlite/record-copy.ts';
import {
  BACKUP_SUFFIX,
  type Backup,
  BackupError,
  backupName,
  listBackups,
  manifestOf,
  manifestPathOf,
  removeDrafts,
  sha256Of,
  writeManifest,
} from './backup-folder.ts';

export interface BackupRequest {
  /** The database of the record. */
  readonly recordPath: string;
  readonly stateFolder: string | undefined;
  /** Where the backup goes. */
  readonly folder: string;
  /** The folder is the default one: it is made where it is missing. One that a person named is not: its disk may not be mounted. */
  readonly mayMakeFolder: boolean;
  readonly nowMs: number;
  readonly program: string;
  readonly signal: AbortSignal;
  /** Told of each step, in words for a person. */
  readonly onStep: (text: string) => void;
}

/** The database's copy and its compressed form lie there at the same time; readings compress to a third or less. */
const ROOM_FACTOR = 1.5;
const FILE_MODE = 0o600;
const BYTES_PER_MB = 1024 * 1024;

/**
 * Makes one backup while readings come in: a consistent copy, examined, compressed, read back and compared, then its manifest. It counts
 * only once the manifest is there. Never writes over an older one. One at a time per folder.
 * @throws BackupError, StoreError with what went wrong; then no part of it is left. @throws the signal's reason
 */
export async function makeBackup(request: BackupRequest): Promise<Backup> {
  const { recordPath, stateFolder, folder, nowMs, program, signal, onStep } = request;
  await prepareFolder(request);
  const stem = join(folder, backupName(nowMs));
  const path = `${stem}${BACKUP_SUFFIX}`;
  if (existsSync(path))
    throw new BackupError(`${path} is there already; nothing was written over it. Try again in a second.`);
  const draft = `${stem}.db.part`;
  const compressed = `${path}.part`;
  try {
    onStep('copying the record');
    await copyRecord(recordPath, stateFolder, draft);
    signal.throwIfAborted();
    onStep('examining the copy');
    const facts = await examineCopy(draft, nowMs);
    signal.throwIfAborted();
    onStep('compressing it');
    const databaseSha256 = await compress(draft, compressed, signal);
    onStep('reading it back');
    const bytes = (await stat(compressed)).size;
    const sha256 = await sha256Of(compressed, signal);
    if ((await sha256OfContent(compressed, signal)) !== databaseSha256)
      throw new BackupError(
        `What was written to ${folder} reads back differently: the disk is not reliable. The backup was given up.`,
      );
    await rename(compressed, path);
    await syncDirectory(folder);
    const made = new Date(nowMs).toISOString();
    const manifest = manifestOf(facts, { file: basename(path), bytes, sha256, made, program, databaseSha256 });
    await giveToOwnerOf(recordPath, [path]);
    await writeManifest(path, manifest);
    await giveToOwnerOf(recordPath, [manifestPathOf(path)]);
    return { path, madeMs: nowMs, manifest };
  } catch (error) {
    throw explained(error, folder);
  } finally {
    for (const left of [draft, `${draft}.tmp`, compressed]) await rm(left, { force: true }).catch(() => undefined);
  }
}

/** Makes the default folder, clears what an interrupted backup left, and looks whether there is room. */
async function prepareFolder({ folder, mayMakeFolder, recordPath, onStep }: BackupRequest): Promise<void> {
  try {
    if (mayMakeFolder && (await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined)
      await giveToOwnerOf(recordPath, [folder]);
    if (!(await stat(folder)).isDirectory()) throw new BackupError(`${folder} is not a folder.`);
    const drafts = await removeDrafts(folder);
    if (drafts.length > 0) onStep(`removed what an interrupted backup had left: ${drafts.join(', ')}`);
    const need = Math.ceil((await recordBytes(recordPath)) * ROOM_FACTOR);
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= need) return;
    throw new BackupError(
      `There is not enough room in ${folder}: a backup of this record needs ${inMb(need)} MB for a moment, and ` +
        `${inMb(bavail * bsize)} MB are free. Make room, or name another folder ([backup] folder, or --to).`,
    );
  } catch (error) {
    throw explained(error, folder);
  }
}

/** @returns SHA-256 of what was compressed */
async function compress(from: string, to: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const passed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(
    createReadStream(from),
    passed,
    createGzip(),
    createWriteStream(to, { mode: FILE_MODE, flags: 'wx' }),
    { signal },
  );
  const file = await open(to, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** SHA-256 of what a compressed file holds. @throws what zlib throws where it is damaged */
export async function sha256OfContent(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), createGunzip(), hash, { signal });
  return hash.digest('hex');
}

/** Proves a backup by reading all of it. @returns what is wrong with it; undefined: nothing */
export async function proveBackup({ path, manifest }: Backup, signal: AbortSignal): Promise<string | undefined> {
  try {
    if ((await sha256Of(path, signal)) !== manifest.sha256)
      return 'the file is not the one that was written: its checksum differs';
    if ((await sha256OfContent(path, signal)) !== manifest.database.sha256)
      return 'what it holds is not what was backed up';
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return (error as Error).message;
  }
}

/** Whether a disk that held backups is there: a folder below an empty mount point looks like a new one. @returns what is odd */
export async function missingDisk(folder: string, newestKnown: string | undefined): Promise<string | undefined> {
  if (newestKnown === undefined || dirname(newestKnown) !== folder || existsSync(newestKnown)) return undefined;
  const { backups } = await listBackups(folder);
  if (backups.length > 0) return undefined;
  return (
    `${folder} holds no backup, though ${basename(newestKnown)} was written there. Is its disk mounted? To begin there again: ` +
    'techtemp-server backup --new-folder'
  );
}

function explained(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const words = code === undefined ? undefined : FILE_ERRORS[code];
  return words === undefined ? error : new BackupError(words(folder), { cause: error });
}

const FILE_ERRORS: Readonly<Record<string, (folder: string) => string>> = {
  ENOENT: (folder) =>
    `The folder ${folder} is not there. Mount its disk, make the folder, or name another one ([backup] folder, or --to).`,
  EACCES: (folder) =>
    `The user that makes the backup may not write to ${folder}. Give it the right, or name another folder.`,
  EROFS: (folder) =>
    `${folder} cannot be written to: its file system is read-only, or the service may not write there (systemd: ReadWritePaths=${folder}).`,
  ENOSPC: (folder) => `The disk of ${folder} is full. Make room; the backup was given up, and no part of it is left.`,
  EIO: (folder) => `The disk of ${folder} does not work (input/output error). The backup was given up.`,
};

function inMb(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_MB);
}
