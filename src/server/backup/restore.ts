import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type CopyFacts, examineCopy } from '../store/sqlite/record-copy.ts';
import {
  BACKUP_SUFFIX,
  BackupError,
  MANIFEST_SUFFIX,
  type Manifest,
  manifestPathOf,
  readBackup,
  sha256Of,
} from './backup-folder.ts';

/** A backup, unpacked and examined. */
export interface UnpackedBackup {
  /** The database, of the present schema. */
  readonly scratch: string;
  readonly facts: CopyFacts;
  /** Undefined: there is none, so nothing could be compared. */
  readonly manifest: Manifest | undefined;
}

const BYTES_PER_MB = 1024 * 1024;

/**
 * Unpacks a backup to a scratch file and looks through it: checksum, every page, number of rows, verdict; a database of an older version
 * is brought to the present schema there. The backup is not changed. On an error nothing is left of the scratch file.
 *
 * @param file a `.db.gz` of `techtemp-server backup`, its `.json`, or a plain database
 * @param scratch where the database is to lie for the time being
 * @throws BackupError, StoreError DAMAGED, NEWER_SCHEMA; the signal's reason
 */
export async function unpackBackup(
  file: string,
  scratch: string,
  {
    nowMs,
    signal,
    onStep,
  }: { readonly nowMs: number; readonly signal: AbortSignal; readonly onStep: (text: string) => void },
): Promise<UnpackedBackup> {
  const { path, manifest } = await findBackup(file);
  await removeScratch(scratch);
  try {
    await mustHaveRoom(path, scratch, manifest);
    if (manifest !== undefined) {
      onStep('comparing the checksum');
      if ((await sha256Of(path, signal)) !== manifest.sha256)
        throw new BackupError(
          `${path} is not the file that was written: its checksum differs from the one in its manifest. Take another backup.`,
        );
    }
    onStep('unpacking it');
    await unpack(path, scratch, signal);
    if (manifest !== undefined && (await sha256Of(scratch, signal)) !== manifest.database.sha256)
      throw new BackupError(`What ${path} holds is not what was backed up. Take another backup.`);
    onStep('examining it');
    const facts = await examineCopy(scratch, nowMs);
    if (manifest !== undefined) mustAgree(path, facts, manifest);
    return { scratch, facts, manifest };
  } catch (error) {
    await removeScratch(scratch);
    throw error;
  }
}

/** Removes a scratch file with what SQLite may have left beside it. */
export async function removeScratch(scratch: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(scratch + suffix, { force: true });
}

async function findBackup(file: string): Promise<{ readonly path: string; readonly manifest: Manifest | undefined }> {
  const manifestPath = file.endsWith(MANIFEST_SUFFIX)
    ? file
    : file.endsWith(BACKUP_SUFFIX)
      ? manifestPathOf(file)
      : undefined;
  if (manifestPath !== undefined && (await exists(manifestPath))) {
    const found = await readBackup(manifestPath);
    if (typeof found === 'string') throw new BackupError(`${manifestPath}: ${found}. Take another backup.`);
    return { path: found.path, manifest: found.manifest };
  }
  if (!(await exists(file)) || file.endsWith(MANIFEST_SUFFIX)) throw new BackupError(`There is no backup ${file}.`);
  return { path: file, manifest: undefined };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function mustHaveRoom(path: string, scratch: string, manifest: Manifest | undefined): Promise<void> {
  const need = manifest?.database.bytes ?? (await stat(path)).size;
  const { bavail, bsize } = await statfs(dirname(scratch));
  if (bavail * bsize >= need) return;
  throw new BackupError(
    `There is not enough room in ${dirname(scratch)}: this backup needs ${inMb(need)} MB there, and ${inMb(bavail * bsize)} MB are free.`,
  );
}

async function unpack(path: string, scratch: string, signal: AbortSignal): Promise<void> {
  const target = createWriteStream(scratch, { mode: 0o600, flush: true });
  try {
    if (path.endsWith('.gz')) await pipeline(createReadStream(path), createGunzip(), target, { signal });
    else await pipeline(createReadStream(path), target, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!code.startsWith('Z_')) throw error;
    throw new BackupError(`${path} is damaged or was only copied in part (${message}). Take another backup.`, {
      cause: error,
    });
  }
}

function mustAgree(path: string, facts: CopyFacts, manifest: Manifest): void {
  // A migration adds tables; what was counted when the backup was made is the same now.
  const differing = Object.entries(manifest.tables).filter(
    ([name, count]) => name in facts.tables && facts.tables[name] !== count,
  );
  if (differing.length === 0 && facts.record.id === manifest.record.id) return;
  const [name = 'record', count = 0] = differing[0] ?? [];
  throw new BackupError(
    `${path} does not agree with its manifest: table ${name} should have ${count} rows and has ${facts.tables[name] ?? 0}.`,
  );
}

function inMb(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_MB);
}
