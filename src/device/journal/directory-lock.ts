import { createHash } from 'node:crypto';
import { stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JournalError } from './journal.ts';

/** Keeps other agents out of a directory until the returned function is called. @throws JournalError JOURNAL_LOCKED */
export type LockDirectory = (directory: string) => Promise<() => Promise<void>>;

/**
 * Locks by listening on a socket that is named after the directory's inode, so that any path to it finds the same lock. On
 * Linux the name is abstract (unix(7)): the kernel takes it back when the process ends, however it ends, and there is no file
 * to be left behind. Where no socket can be had at all the directory stays unlocked: a lock is not worth a reading.
 */
export const lockDirectory: LockDirectory = async (directory) => {
  const name = await lockName(directory);
  const server = createServer((connection) => connection.destroy());
  const outcome = await listen(server, name);
  if (outcome === 'taken') {
    throw new JournalError(
      'JOURNAL_LOCKED',
      `${directory} is in use by another agent; stop that one, or give each its own [journal] path`,
    );
  }
  // The lock ends with the process; it is no reason for the process to go on.
  server.unref();
  return () => (outcome === 'locked' ? close(server) : Promise.resolve());
};

/** Whether an agent holds the lock at this moment. Takes nothing, so that an agent that starts just now is not kept out. */
export async function isDirectoryLocked(directory: string): Promise<boolean> {
  return await isAlive(await lockName(directory));
}

async function lockName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true });
  return socketName(`techtemp-journal-${dev}-${ino}`);
}

function socketName(name: string): string {
  if (process.platform === 'linux') return `\0${name}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  // Socket paths are short on other systems (104 bytes on macOS).
  return join(tmpdir(), `${createHash('sha256').update(name).digest('hex').slice(0, 24)}.sock`);
}

async function listen(server: Server, name: string): Promise<'locked' | 'taken' | 'unlockable'> {
  const code = await tryListen(server, name);
  if (code === undefined) return 'locked';
  if (code !== 'EADDRINUSE') return 'unlockable';
  if (process.platform === 'linux' || (await isAlive(name))) return 'taken';
  // A socket file that nobody listens on was left by a process that was killed.
  await unlink(name).catch(() => undefined);
  return (await tryListen(server, name)) === undefined ? 'locked' : 'taken';
}

/** @returns the error's code, or undefined when the server listens */
function tryListen(server: Server, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? 'UNKNOWN');
    server.once('error', failed);
    server.listen(name, () => {
      server.off('error', failed);
      resolve(undefined);
    });
  });
}

function isAlive(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
