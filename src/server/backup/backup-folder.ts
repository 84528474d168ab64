import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { syncDirectory, writeFileAtomic } from '../../platform/files.ts';
import type { CopyFacts } from '../store/sqlite/record-copy.ts';
import type { Sum } from '../verify/sum.ts';

/**
 * The folder in which backups lie. A backup is two files with one name: the compressed database (`.db.gz`) and its manifest (`.json`),
 * which is written last. So a file without a manifest is not finished, and is never counted as a backup.
 */

/** What went wrong with a backup, in words for a person. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** What the manifest says; all of it was found by looking at the copy. */
export interface Manifest {
  readonly format: 1;
  /** Name of the compressed file in the same folder. */
  readonly file: string;
  readonly bytes: number;
  /** Of the compressed file, in hex. */
  readonly sha256: string;
  readonly made: string;
  readonly program: string;
  readonly database: {
    readonly bytes: number;
    readonly sha256: string;
    readonly schema: number;
    readonly integrity: 'ok';
  };
  readonly record: {
    readonly id: string;
    readonly created: string;
    readonly generation: number;
    readonly former: readonly string[];
  };
  readonly tables: Readonly<Record<string, number>>;
  readonly readings: { readonly from: string; readonly to: string } | null;
  readonly verdict: Sum;
}

/** A backup that is there: its manifest can be read, and its file has the size that the manifest says. */
export interface Backup {
  /** Of the compressed file. */
  readonly path: string;
  readonly madeMs: number;
  readonly manifest: Manifest;
}

export interface BackupList {
  /** Newest first. */
  readonly backups: readonly Backup[];
  /** Files with our kind of name that are no whole backup, and why; for people. */
  readonly unusable: readonly { readonly name: string; readonly why: string }[];
}

export const BACKUP_SUFFIX = '.db.gz';
export const MANIFEST_SUFFIX = '.json';
const NAME = /^techtemp-\d{4}-\d{2}-\d{2}T\d{6}Z$/;
const DRAFT = /^techtemp-\d{4}-\d{2}-\d{2}T\d{6}Z\.(db|db\.gz)(\.tmp|\.part)+$/;

/** `techtemp-2026-12-01T030000Z`: sorts by time, and is allowed on every file system. */
export function backupName(nowMs: number): string {
  return `techtemp-${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
}

/** Looks at every backup in a folder; does not read the compressed files. @throws what the file system throws for the folder itself */
export async function listBackups(folder: string): Promise<BackupList> {
  const names = (await readdir(folder)).sort().reverse();
  const backups: Backup[] = [];
  const unusable: { name: string; why: string }[] = [];
  for (const name of names) {
    const stem = name.slice(0, -BACKUP_SUFFIX.length);
    if (name.endsWith(BACKUP_SUFFIX) && NAME.test(stem) && !names.includes(`${stem}${MANIFEST_SUFFIX}`))
      unusable.push({ name, why: 'its manifest is missing: the backup was not finished' });
    if (!name.endsWith(MANIFEST_SUFFIX) || !NAME.test(name.slice(0, -MANIFEST_SUFFIX.length))) continue;
    const found = await readBackup(join(folder, name));
    if (typeof found === 'string') unusable.push({ name, why: found });
    else backups.push(found);
  }
  return { backups, unusable };
}

/** @param path of the manifest @returns why it is not usable, as a text */
export async function readBackup(path: string): Promise<Backup | string> {
  const manifest = parseManifest(await readFile(path, 'utf8').catch(() => ''));
  if (manifest === undefined) return 'the manifest cannot be read';
  const file = join(path, '..', manifest.file);
  const size = await stat(file).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return `the file ${manifest.file} is missing`;
  if (size !== manifest.bytes) return `the file ${manifest.file} has ${size} of ${manifest.bytes} bytes`;
  return { path: file, madeMs: Date.parse(manifest.made), manifest };
}

export function manifestPathOf(backupPath: string): string {
  return `${backupPath.slice(0, -BACKUP_SUFFIX.length)}${MANIFEST_SUFFIX}`;
}

export function manifestOf(
  facts: CopyFacts,
  file: Pick<Manifest, 'file' | 'bytes' | 'sha256' | 'made' | 'program'> & { readonly databaseSha256: string },
): Manifest {
  const { record, readings } = facts;
  const { databaseSha256, ...kept } = file;
  return {
    format: 1,
    ...kept,
    database: { bytes: facts.sizeBytes, sha256: databaseSha256, schema: facts.schemaVersion, integrity: 'ok' },
    record: {
      id: record.id,
      created: iso(record.createdMs),
      generation: record.generation,
      former: record.formerIds,
    },
    tables: facts.tables,
    readings: readings === null ? null : { from: iso(readings.fromMs), to: iso(readings.toMs) },
    verdict: facts.verdict,
  };
}

export async function writeManifest(backupPath: string, manifest: Manifest): Promise<void> {
  await writeFileAtomic(manifestPathOf(backupPath), `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: 0o600 });
}

/** The file first: a manifest whose file is missing counts as nothing, and goes with the next clean-up. */
export async function removeBackup(backup: Backup): Promise<void> {
  await unlink(backup.path);
  await unlink(manifestPathOf(backup.path));
  await syncDirectory(join(backup.path, '..'));
}

/** What a backup that was interrupted has left behind. @returns names */
export async function removeDrafts(folder: string): Promise<readonly string[]> {
  const drafts = (await readdir(folder)).filter((name) => DRAFT.test(name));
  for (const name of drafts) await unlink(join(folder, name));
  return drafts;
}

/** In hex; reads the file from the disk, a piece at a time. */
export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

function parseManifest(text: string): Manifest | undefined {
  try {
    const said = JSON.parse(text) as Partial<Manifest>;
    const isOurs =
      said.format === 1 &&
      typeof said.file === 'string' &&
      /^[\w.-]+$/.test(said.file) &&
      typeof said.sha256 === 'string' &&
      Number.isSafeInteger(said.bytes) &&
      Number.isFinite(Date.parse(said.made ?? '')) &&
      typeof said.database?.sha256 === 'string' &&
      typeof said.record?.id === 'string';
    return isOurs ? (said as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
