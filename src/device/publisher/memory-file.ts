import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
import { SOME_SERVER } from './delivery.ts';

/** What the publisher knows across restarts. */
export interface PublisherMemory {
  /** Servers that give receipts, by instance. */
  readonly servers: readonly string[];
  /** Topics on which we left a retained message at the broker. */
  readonly retained: readonly string[];
}

export interface LoadedMemory {
  readonly memory: PublisherMemory;
  /** Why the file could not be used, for people. */
  readonly problem?: string;
}

const NOTHING: PublisherMemory = { servers: [], retained: [] };

/**
 * Never rejects. A file that is there but cannot be read counts as "there may have been a server": to wait for receipts in vain
 * can be undone, to let go of readings that nobody has stored can not.
 */
export async function loadMemory(path: string): Promise<LoadedMemory> {
  try {
    return { memory: decodeMemory(await readFile(path, 'utf8')) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { memory: NOTHING };
    const problem =
      `cannot use ${path} (${(error as Error).message}), which remembers whether a server gives receipts; readings are kept ` +
      'until one does. Without a TechTemp server, set delivery = broker in section [mqtt] or delete the file';
    return { memory: { ...NOTHING, servers: [SOME_SERVER] }, problem };
  }
}

/** Durable when it resolves. @throws what the file system throws; the old content holds then */
export async function saveMemory(path: string, memory: PublisherMemory): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${JSON.stringify(memory, null, 2)}\n`);
}

function decodeMemory(text: string): PublisherMemory {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('not a JSON object');
  const { servers, retained } = value as Record<string, unknown>;
  return { servers: texts(servers), retained: texts(retained) };
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new Error('a list is missing');
  return value;
}
