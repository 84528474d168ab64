import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import { isId } from '../../contract/topics.ts';
import type { Clock } from '../../platform/clock.ts';
import { writeFileAtomic } from '../../platform/files.ts';
import { TokenBucket } from '../../platform/pacing.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { Faults } from './faults.ts';
import type { AcknowledgedRanges } from './in-flight.ts';
import { type KnownServer, SOME_SERVER } from './known-servers.ts';

/** A file system that takes longer than this for a few hundred bytes hangs. */
const SAVE_LIMIT_MS = 60_000;
/** What others make us remember is written at once a few times, then this often at most: strangers must not wear the SD card. */
const NOTES_PER_SECOND = 0.1;
const NOTE_BURST = 5;

/** The publisher's state, in RAM and, a moment later, on disk. */
export class StoredState {
  readonly #path: string;
  readonly #faults: Faults;
  readonly #heartbeat: LoopHeartbeat;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  #current: RememberedState;
  #saved: string;
  #saving: Promise<void> | undefined;
  /** Ends the wait of a note that is not written yet. */
  #waiting: AbortController | undefined;
  readonly #notes: TokenBucket;

  private constructor(
    path: string,
    faults: Faults,
    heartbeat: LoopHeartbeat,
    clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
    loaded: RememberedState,
  ) {
    this.#path = path;
    this.#faults = faults;
    this.#heartbeat = heartbeat;
    this.#clock = clock;
    this.#notes = new TokenBucket(clock, NOTE_BURST);
    this.#current = loaded;
    this.#saved = encodeState(loaded);
  }

  static async open(
    path: string,
    faults: Faults,
    heartbeat: LoopHeartbeat,
    clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
  ): Promise<StoredState> {
    const { state, problem } = await heartbeat.during(SAVE_LIMIT_MS, loadState(path));
    if (problem !== undefined) faults.failed('memory', 'MEMORY_UNREADABLE', problem);
    return new StoredState(path, faults, heartbeat, clock, state);
  }

  get current(): RememberedState {
    return this.#current;
  }

  /** Resolves when it is on disk, or when it could not be written: what counts now is in RAM, and the fault is published. */
  async update(changes: Partial<RememberedState>): Promise<void> {
    this.#current = { ...this.#current, ...changes };
    await this.settled();
  }

  /** As `update`, but of many in a row only the first few are written at once; the others wait and are one write. Never throws. */
  note(changes: Partial<RememberedState>): void {
    this.#current = { ...this.#current, ...changes };
    if (this.#waiting !== undefined) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#clock
      .sleep(this.#notes.take(NOTES_PER_SECOND, NOTE_BURST), waiting.signal)
      .catch(() => undefined)
      .then(async () => {
        if (this.#waiting === waiting) await this.settled();
      });
  }

  /** Resolves as `update` does, for all updates and notes so far. */
  async settled(): Promise<void> {
    this.#waiting?.abort(new Error('it is written now'));
    this.#waiting = undefined;
    if (this.#saving === undefined && this.#isSaved()) return;
    this.#saving ??= this.#save();
    await this.#saving;
  }

  #isSaved(): boolean {
    return this.#saved === encodeState(this.#current);
  }

  /** Entered when there is something to write: it must not end before it has been noted in `#saving`. */
  async #save(): Promise<void> {
    while (!this.#isSaved()) {
      const state = this.#current;
      try {
        await this.#heartbeat.during(SAVE_LIMIT_MS, saveState(this.#path, state));
        this.#saved = encodeState(state);
        this.#faults.works('memory');
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'MEMORY_UNWRITABLE';
        this.#faults.failed('memory', code, `cannot write ${this.#path}: ${(error as Error).message}`);
        break;
      }
      // What came meanwhile by `note` waits for its turn.
      if (this.#waiting !== undefined) break;
    }
    this.#saving = undefined;
  }
}

/** What the publisher knows across restarts. */
export interface RememberedState {
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

export interface LoadedState {
  readonly state: RememberedState;
  /** Why the file could not be used, for people. */
  readonly problem?: string;
}

export const NEW_STATE: RememberedState = {
  servers: [],
  retained: [],
  acknowledged: {},
  waitedForServer: false,
  nobodySubscribed: false,
};

/**
 * Never rejects. A file that is there but cannot be read counts as "there may have been a server": to wait for receipts that never come
 * can be undone, to release readings that are not stored cannot.
 */
export async function loadState(path: string): Promise<LoadedState> {
  try {
    return { state: decodeState(await readFile(path, 'utf8')) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: NEW_STATE };
    const problem =
      `cannot use ${path} (${(error as Error).message}), which remembers whether a server gives receipts; readings are kept ` +
      'until one does. Without a TechTemp server, set delivery = broker in section [mqtt] or delete the file';
    return { state: { ...NEW_STATE, servers: [rememberedByName(SOME_SERVER)] }, problem };
  }
}

/** Durable when it resolves. @throws what the file system throws; the old content holds then */
export async function saveState(path: string, state: RememberedState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${encodeState(state)}\n`);
}

/** `servers` stays a list of names: an older release, after a rollback, reads nothing else. */
export function encodeState(state: RememberedState): string {
  const { servers, retained, acknowledged, waitedForServer, nobodySubscribed } = state;
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

function decodeState(text: string): RememberedState {
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

/** As an older release, or no release, has described it. */
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
