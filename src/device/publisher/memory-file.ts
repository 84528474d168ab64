import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../common/atomic-file.ts';
import { isId } from '../../contract/ids.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { AcknowledgedRanges } from './acknowledged.ts';
import { type KnownServer, SOME_SERVER } from './delivery.ts';

/** What the publisher knows across restarts. */
export interface PublisherMemory {
  /** Servers that give receipts. */
  readonly servers: readonly KnownServer[];
  /** Topics on which we left a retained message at the broker. */
  readonly retained: readonly string[];
  /** Numbers that a broker had acknowledged when this was last noted. */
  readonly acknowledged: AcknowledgedRanges;
  /** Whether this installation has waited once whether a server announces itself. */
  readonly waitedForServer: boolean;
  /** What the broker has said last: for the doctor, who has no subscriber to ask. */
  readonly nobodySubscribed: boolean;
}

export interface LoadedMemory {
  readonly memory: PublisherMemory;
  /** Why the file could not be used, for people. */
  readonly problem?: string;
}

export const NEW_MEMORY: PublisherMemory = {
  servers: [],
  retained: [],
  acknowledged: {},
  waitedForServer: false,
  nobodySubscribed: false,
};

/**
 * Never rejects. A file that is there but cannot be read counts as "there may have been a server": to wait for receipts in vain
 * can be undone, to let go of readings that nobody has stored can not.
 */
export async function loadMemory(path: string): Promise<LoadedMemory> {
  try {
    return { memory: decodeMemory(await readFile(path, 'utf8')) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { memory: NEW_MEMORY };
    const problem =
      `cannot use ${path} (${(error as Error).message}), which remembers whether a server gives receipts; readings are kept ` +
      'until one does. Without a TechTemp server, set delivery = broker in section [mqtt] or delete the file';
    return { memory: { ...NEW_MEMORY, servers: [rememberedByName(SOME_SERVER)] }, problem };
  }
}

/** Durable when it resolves. @throws what the file system throws; the old content holds then */
export async function saveMemory(path: string, memory: PublisherMemory): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${encodeMemory(memory)}\n`);
}

/** `servers` stays a list of names: an older release, after a rollback, reads nothing else. */
export function encodeMemory(memory: PublisherMemory): string {
  const { servers, retained, acknowledged, waitedForServer, nobodySubscribed } = memory;
  const facts = servers.map(({ name, ...rest }) => [name, rest] as const);
  const value = {
    servers: servers.map(({ name }) => name),
    retained,
    server_facts: Object.fromEntries(facts),
    acknowledged,
    waited_for_server: waitedForServer,
    nobody_subscribed: nobodySubscribed,
  };
  return JSON.stringify(value, null, 1);
}

function decodeMemory(text: string): PublisherMemory {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('not a JSON object');
  const record = value as Record<string, unknown>;
  const { servers, retained, server_facts: facts, acknowledged, waited_for_server: waited } = record;
  return {
    servers: texts(servers).map((name) => serverOf(name, partOf(partOf(facts)[name]))),
    retained: texts(retained),
    acknowledged: rangesOf(partOf(acknowledged)),
    // An installation that is older than this key has had its time.
    waitedForServer: waited !== false,
    nobodySubscribed: record['nobody_subscribed'] === true,
  };
}

function serverOf(name: string, facts: Record<string, unknown>): KnownServer {
  const { accepts, seenMs, record, gaveReceipts } = facts;
  const abilities: readonly unknown[] = Array.isArray(accepts) ? accepts : ['receipt'];
  return {
    name,
    accepts: (['batch', 'receipt'] as const).filter((ability) => abilities.includes(ability)),
    seenMs: typeof seenMs === 'number' && Number.isFinite(seenMs) ? seenMs : 0,
    gaveReceipts: gaveReceipts !== false,
    ...(typeof record === 'string' && isId(record) && { record }),
  };
}

/** As an older release, or nobody, has described it. */
export function rememberedByName(name: string): KnownServer {
  return serverOf(name, {});
}

/** What is not a list of ranges is left out: then it is sent again before a receipt for it is believed. */
function rangesOf(byEpoch: Record<string, unknown>): AcknowledgedRanges {
  const good = Object.entries(byEpoch).filter(
    (entry): entry is [string, SeqRange[]] => Array.isArray(entry[1]) && entry[1].every(isRange),
  );
  return Object.fromEntries(good);
}

function isRange(value: unknown): value is SeqRange {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [from, to] = value as readonly unknown[];
  return (
    Number.isSafeInteger(from) &&
    Number.isSafeInteger(to) &&
    (from as number) >= 1 &&
    (from as number) <= (to as number)
  );
}

function partOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new Error('a list is missing');
  return value;
}
