import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, link, open, readdir, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { JournalError } from './journal.ts';

/** `agent-000007.lock`: the newest number counts; `agent-….new`: one that is being made. */
const LOCK_NAME = /^agent-(\d{6})\.lock$/;
const NEW_NAME = /^agent-[0-9a-f]{16}\.new$/;
const NUMBER_DIGITS = 6;
/** Each attempt that fails means that another one has just won or gone. */
const MAX_ATTEMPTS = 100;
/** unix(7): a socket's path has 108 bytes; some systems have 104. */
const MAX_SOCKET_PATH_BYTES = 103;

export interface DirectoryLock {
  /** Why it keeps only some others out, for people; absent where it keeps out all. */
  readonly weakness?: string;
  /** Whether it is still where others look for it: files in a directory can be removed, and directories replaced. */
  holds(): Promise<boolean>;
  release(): Promise<void>;
}

/** Keeps other agents out of a directory until it is released. @throws JournalError JOURNAL_LOCKED */
export type LockDirectory = (directory: string) => Promise<DirectoryLock>;

/**
 * Locks by listening on a socket that lies in the directory itself. It is found by everybody who sees the directory, from any
 * container and by any path, and it can be made only by those who may write there. The kernel ends it with the process, however
 * that ends: the file stays, and connecting to it is refused.
 *
 * Locks are numbered, and the newest number counts. A new one is made under another name, listens, and then gets the next number
 * by a hard link, which only one can get. The newest file is never removed, so a number that was passed cannot come to count again.
 *
 * Where the file system has no sockets (vfat, exfat) an abstract socket named after the directory's inode stands in; it is
 * seen in the same network namespace only, and `weakness` says so. A lock is not worth a reading.
 */
export const lockDirectory: LockDirectory = async (directory) => {
  const folder = await Folder.open(directory);
  try {
    const outcome = await claim(folder);
    if (outcome === 'taken') throw taken(directory);
    if ('number' in outcome) return await heldLock(folder, outcome);
    const weak = await lockByName(directory, outcome.code);
    await folder.close();
    return weak;
  } catch (error) {
    await folder.close();
    throw error;
  }
};

/** Whether an agent holds the lock at this moment. Takes nothing, so that an agent that starts just now is not kept out. */
export async function isDirectoryLocked(directory: string): Promise<boolean> {
  const folder = await Folder.open(directory);
  try {
    const newest = await newestNumber(folder);
    if (newest > 0) return (await look(folder.entry(lockName(newest)))) === 'alive';
  } finally {
    await folder.close();
  }
  return process.platform === 'linux' && (await look(await abstractName(directory))) === 'alive';
}

/** A directory by its handle: entries are found however long its path is, and also while it is moved. */
class Folder {
  readonly #handle: FileHandle | undefined;
  readonly path: string;
  readonly #base: string;

  private constructor(path: string, handle: FileHandle | undefined) {
    this.path = path;
    this.#handle = handle;
    this.#base = handle === undefined ? path : `/proc/self/fd/${handle.fd}`;
  }

  static async open(path: string): Promise<Folder> {
    return new Folder(path, existsSync('/proc/self/fd') ? await open(path, 'r') : undefined);
  }

  entry(name: string): string {
    return join(this.#base, name);
  }

  async names(): Promise<readonly string[]> {
    return await readdir(this.#base);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

interface Claimed {
  readonly server: Server;
  readonly number: number;
}

/** `code`: what the file system said to a socket. */
type Outcome = Claimed | 'taken' | { readonly code: string };

async function claim(folder: Folder): Promise<Outcome> {
  const server = createServer((connection) => connection.destroy());
  const own = folder.entry(`agent-${randomBytes(8).toString('hex')}.new`);
  let outcome: Outcome | undefined;
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS && outcome === undefined; attempt += 1) {
      const found = await claimOnce(folder, server, own);
      // The agent that has just got the lock clears away sockets that do not listen yet, ours too: that says nothing of the file system.
      const isClearedAway = typeof found === 'object' && 'code' in found && found.code === 'ENOENT';
      if (!isClearedAway || attempt === MAX_ATTEMPTS - 1) outcome = found;
    }
  } finally {
    await unlink(own).catch(() => undefined);
    if (typeof outcome !== 'object' || !('number' in outcome)) await close(server);
  }
  return outcome ?? 'taken';
}

/** Undefined: somebody was faster and may be gone again; another look decides. */
async function claimOnce(folder: Folder, server: Server, own: string): Promise<Outcome | undefined> {
  try {
    const newest = await newestNumber(folder);
    const before = newest === 0 ? 'stale' : await look(folder.entry(lockName(newest)));
    if (before === 'alive') return 'taken';
    if (before === 'gone') return undefined;
    if (!server.listening) {
      const code = await tryListen(server, own);
      if (code !== undefined) return { code };
    }
    const number = newest + 1;
    await link(own, folder.entry(lockName(number)));
    if ((await newestNumber(folder)) === number) {
      await removeOlder(folder, number);
      return { server, number };
    }
    // The number had been passed already, and its file removed.
    await unlink(folder.entry(lockName(number)));
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return undefined;
    // Only one that has just got the lock clears away what others are making.
    return code === 'ENOENT' && server.listening ? 'taken' : { code };
  }
}

async function heldLock(folder: Folder, { server, number }: Claimed): Promise<DirectoryLock> {
  // The lock ends with the process; it is no reason for the process to go on.
  server.unref();
  const name = lockName(number);
  const { dev, ino } = await stat(folder.entry(name), { bigint: true });
  return {
    holds: async () => {
      const there = await stat(join(folder.path, name), { bigint: true }).catch(() => undefined);
      return there?.dev === dev && there.ino === ino;
    },
    release: async () => {
      await close(server);
      await folder.close();
    },
  };
}

/** The lock of a file system that has no sockets. */
async function lockByName(directory: string, code: string): Promise<DirectoryLock> {
  const weakness =
    `${directory}: this file system takes no socket (${code}), so a second agent in another container is not kept out; ` +
    'see to it that only one agent uses this folder';
  const server = createServer((connection) => connection.destroy());
  const name = await abstractName(directory);
  const outcome = process.platform === 'linux' ? await tryListen(server, name) : code;
  if (outcome === 'EADDRINUSE') throw taken(directory);
  server.unref();
  const holds = async (): Promise<boolean> => (await abstractName(directory).catch(() => '')) === name;
  return { weakness, holds, release: () => close(server) };
}

function taken(directory: string): JournalError {
  const message = `${directory} is in use by another agent; stop that one, or give each its own [journal] path`;
  return new JournalError('JOURNAL_LOCKED', message);
}

async function abstractName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true });
  return `\0techtemp-journal-${dev}-${ino}`;
}

function lockName(number: number): string {
  return `agent-${String(number).padStart(NUMBER_DIGITS, '0')}.lock`;
}

async function newestNumber(folder: Folder): Promise<number> {
  return Math.max(0, ...(await folder.names()).map(lockNumber));
}

function lockNumber(name: string): number {
  return Number(LOCK_NAME.exec(name)?.[1] ?? 0);
}

/** What lower numbers and interrupted starts left. */
async function removeOlder(folder: Folder, number: number): Promise<void> {
  for (const name of await folder.names()) {
    const isOlder = lockNumber(name) > 0 && lockNumber(name) < number;
    const isLeft = NEW_NAME.test(name) && (await look(folder.entry(name))) === 'stale';
    if (isOlder || isLeft) await unlink(folder.entry(name)).catch(() => undefined);
  }
}

/** `stale`: there is a file and no program listens. What cannot be asked counts as alive. */
function look(path: string): Promise<'alive' | 'stale' | 'gone'> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ENOENT') resolve('gone');
      else resolve(code === 'ECONNREFUSED' ? 'stale' : 'alive');
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
  });
}

/** @returns the error's code, or undefined when the server listens */
function tryListen(server: Server, path: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) return Promise.resolve('ENAMETOOLONG');
  return new Promise((resolve) => {
    const failed = (error: Error): void => {
      server.off('listening', listening);
      resolve(codeOf(error));
    };
    const listening = (): void => {
      server.off('error', failed);
      resolve(undefined);
    };
    server.once('error', failed);
    server.once('listening', listening);
    try {
      // Anyone who can enter the directory can ask.
      server.listen({
        path,
        exclusive: true,
        ...(!path.startsWith('\0') && { readableAll: true, writableAll: true }),
      });
    } catch (error) {
      // Thrown, not told by an event: the socket's rights could not be set, because its file is gone.
      server.off('error', failed);
      server.off('listening', listening);
      resolve(codeOf(error));
    }
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
