import { chown, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface AtomicWriteOptions {
  /** Permissions of the new file; default 0o600. */
  readonly mode?: number;
  /** `no` skips the flushes, for files in memory (a runtime directory) that need not outlive a power cut. */
  readonly durable?: 'yes' | 'no';
}

/**
 * Replaces a file so that a reader, and a power cut at any instant, finds either the whole old or the whole new content.
 * Resolves when the new content is on disk. Throws what the file system throws, with the old file untouched. One writer
 * per path at a time.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const { mode = 0o600, durable = 'yes' } = options;
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeNew(temporary, data, mode, durable);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  if (durable === 'yes') await syncDirectory(dirname(path));
}

/** Gives files that root has made to the owner of another one, so that a service can use them. Where it cannot be done they stay. */
export async function giveToOwnerOf(model: string, paths: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(model);
  for (const path of paths) await chown(path, uid, gid).catch(() => undefined);
}

/** Makes renames, creations and removals in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeNew(path: string, data: string | Uint8Array, mode: number, durable: 'yes' | 'no'): Promise<void> {
  const file = await open(path, 'w', mode);
  try {
    await file.writeFile(data);
    if (durable === 'yes') await file.sync();
  } finally {
    await file.close();
  }
}

/** Where a service without `STATE_DIRECTORY` (a terminal, `npm start`) keeps what must last. */
const LOCAL_STATE_DIRECTORY = './var';

/** The same where a service manager gave one; a terminal's `./var` is in whatever folder the person was. */
export function givenStateDirectory(env: NodeJS.ProcessEnv): string | undefined {
  const [first = ''] = (env['STATE_DIRECTORY'] ?? '').split(':');
  return first === '' ? undefined : first;
}

/** The folder for what must last: systemd's `$STATE_DIRECTORY` (the first, where the unit names several), else `./var`. */
export function stateDirectory(env: NodeJS.ProcessEnv): string {
  return givenStateDirectory(env) ?? LOCAL_STATE_DIRECTORY;
}
