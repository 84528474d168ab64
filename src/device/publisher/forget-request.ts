import { watch } from 'node:fs';
import { mkdir, readFile, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
import { Bell } from '../../common/bell.ts';
import type { Clock } from '../../common/clock.ts';

/** Beside the publisher's memory: names of servers that a person wants forgotten. The agent carries it out and removes it. */
export function forgetRequestPath(memoryPath: string): string {
  return join(dirname(memoryPath), 'forget-servers.json');
}

/** Readable for the agent, whose user is another one than the one who asks. */
const REQUEST_MODE = 0o644;

/** Asks the agent to forget these too; one that is stopped does so when it starts. @throws what the file system throws */
export async function requestForgetting(memoryPath: string, names: readonly string[]): Promise<void> {
  const path = forgetRequestPath(memoryPath);
  await mkdir(dirname(path), { recursive: true });
  const all = new Set([...(await requestedForgetting(memoryPath)), ...names]);
  await writeFileAtomic(path, JSON.stringify([...all]), { mode: REQUEST_MODE });
}

/** What is asked for and not carried out yet. What cannot be read is no request. */
export async function requestedForgetting(memoryPath: string): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(forgetRequestPath(memoryPath), 'utf8'));
    return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

export interface Forgetting {
  readonly memoryPath: string;
  readonly clock: Clock;
  /** To be done and kept before the request is removed. Must not reject. */
  readonly forget: (names: readonly string[]) => Promise<void>;
}

/** Carries out what is asked for, at once and then whenever the file appears, until the signal is aborted. */
export async function followForgetting({ memoryPath, clock, forget }: Forgetting, signal: AbortSignal): Promise<void> {
  const path = forgetRequestPath(memoryPath);
  const bell = new Bell();
  // A folder that is not there yet, or cannot be watched: what is asked for is found at the next start.
  await mkdir(dirname(path), { recursive: true }).catch(() => undefined);
  const watcher = await Promise.resolve()
    .then(() => watch(dirname(path), (_, name) => (name === basename(path) ? bell.ring() : undefined)))
    .catch(() => undefined);
  watcher?.on('error', () => undefined);
  try {
    for (;;) {
      const names = await requestedForgetting(memoryPath);
      if (names.length > 0) {
        await forget(names);
        await unlink(path).catch(() => undefined);
      }
      await bell.wait(clock, Number.POSITIVE_INFINITY, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    watcher?.close();
  }
}
