import type { BigIntStats } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { JournalError } from './journal.ts';

/** What the journal asks of a file system; tests put one in its place that fails, counts and forgets unsynced writes. */
export interface JournalFs {
  /** `create` makes an empty file for reading and writing; `write` opens one that is there, `read` for reading only. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<JournalFile>;
  /** Which file is at a path; undefined where none is. */
  identify(path: string): Promise<FileIdentity | undefined>;
  /** Names of the entries. */
  list(directory: string): Promise<readonly string[]>;
  /** With the directories above it; no error where it is there. */
  makeDirectory(directory: string): Promise<void>;
  /** Makes entries that were added, renamed or removed durable. */
  syncDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  removeDirectory(directory: string): Promise<void>;
  /** What an unprivileged process may still use. */
  freeBytes(directory: string): Promise<number>;
}

/** What tells a file from another one that has its name. */
export interface FileIdentity {
  /** Device and inode. */
  readonly id: string;
  readonly size: number;
}

export interface JournalFile {
  /** @returns how many bytes there were, fewer than asked for only at the end of the file */
  read(buffer: Buffer, position: number): Promise<number>;
  /** All of it, or an error. */
  write(data: Buffer, position: number): Promise<void>;
  /** The data, and no more of the file's attributes than it takes to read them. */
  dataSync(): Promise<void>;
  sync(): Promise<void>;
  identity(): Promise<FileIdentity>;
  size(): Promise<number>;
  close(): Promise<void>;
}

const FLAGS = { read: 'r', write: 'r+', create: 'w+' } as const;
const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;

export function createNodeJournalFs(): JournalFs {
  return {
    open: async (path, mode) => createNodeFile(await open(path, FLAGS[mode], FILE_MODE)),
    identify,
    list: (directory) => readdir(directory),
    makeDirectory: async (directory) => {
      await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    },
    syncDirectory,
    rename,
    remove: unlink,
    removeDirectory: rmdir,
    freeBytes: async (directory) => {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
  };
}

/** @throws what the file system says */
export async function readText(fs: JournalFs, path: string): Promise<string> {
  const file = await fs.open(path, 'read');
  try {
    const content = Buffer.alloc(await file.size());
    await file.read(content, 0);
    return content.toString('utf8');
  } finally {
    await file.close();
  }
}

/** Either the old content is there or the new one; durable when it resolves. @throws JournalError */
export async function writeText(fs: JournalFs, path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await fs.open(temporary, 'create');
    try {
      await file.write(Buffer.from(text, 'utf8'), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
    await fs.syncDirectory(dirname(path));
  } catch (error) {
    throw toJournalError(error, 'writing', path);
  }
}

/** Whether an error says that the file or directory is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** The files of the journal are not where the next start will look for them. */
export function goneError(path: string, options?: ErrorOptions): JournalError {
  const message =
    `${path} is not the file that was written to: it was removed, moved, replaced or cut short, or another disk was mounted ` +
    'over it; only the agent may change this folder';
  return new JournalError('JOURNAL_GONE', message, options);
}

/** Translates what the file system says. */
export function toJournalError(error: unknown, doing: string, path: string): JournalError {
  if (error instanceof JournalError) return error;
  const errno = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const options = { cause: error };
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new JournalError('JOURNAL_NO_SPACE', `${doing} ${path}: no space left (${errno}); free some`, options);
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new JournalError(
        'JOURNAL_READ_ONLY',
        `${doing} ${path}: not writable (${errno}); mount it read-write and give it to the agent's user`,
        options,
      );
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ESTALE':
      return goneError(path, options);
    default:
      return new JournalError('JOURNAL_IO', `${doing} ${path}: ${errno}; check the disk or SD card`, options);
  }
}

function createNodeFile(handle: FileHandle): JournalFile {
  return {
    read: (buffer, position) => readFully(handle, buffer, position),
    write: (data, position) => writeFully(handle, data, position),
    dataSync: () => handle.datasync(),
    sync: () => handle.sync(),
    identity: async () => identityOf(await handle.stat({ bigint: true })),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

async function identify(path: string): Promise<FileIdentity | undefined> {
  try {
    return identityOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function identityOf({ dev, ino, size }: BigIntStats): FileIdentity {
  return { id: `${dev}:${ino}`, size: Number(size) };
}

async function readFully(handle: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function writeFully(handle: FileHandle, data: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < data.length) {
    const { bytesWritten } = await handle.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows has no directories to sync; its file systems journal them.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
