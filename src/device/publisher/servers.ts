import { watch } from 'node:fs';
import { mkdir, readFile, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { writeFileAtomic } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import { WakeUp } from '../../platform/tasks.ts';
import type { JournalSet } from '../journal/journal.ts';
import type { Faults } from './faults.ts';
import { type DeliveryMode, type Heard, type KnownServers, SOME_SERVER } from './known-servers.ts';
import type { StoredState } from './state-file.ts';

/** Readings are given again for another record this often at most, however often a server changes its mind. */
const RECALL_SPACING_MS = 3_600_000;
/** Half a million readings on a slow card. */
const RECALL_LIMIT_MS = 600_000;
/** So long it is told in `status` that the record is another one. */
const TELL_RECORD_MS = 86_400_000;
/** A server that was not online for so long may be gone for good. */
const SILENT_MS = 86_400_000;
/** After a connection begins, announcements may still come. */
const SETTLED_MS = 600_000;

interface OtherRecord {
  readonly name: string;
  readonly record: string;
}

export interface ServerWatchParts {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly journals: Pick<JournalSet, 'recall'>;
  readonly faults: Faults;
  readonly heartbeat: LoopHeartbeat;
  readonly state: Pick<StoredState, 'note'>;
  readonly servers: KnownServers;
  /** Readings that were released wait again. */
  readonly onRecalled: () => void;
}

/** Watches the servers that are known: whether their record is the one that gave receipts, and whether they are ever heard of again. */
export class ServerWatch {
  readonly #parts: ServerWatchParts;
  #sessionMs = 0;
  /** A record that has not been given again yet what we still have. */
  #waiting: OtherRecord | undefined;
  #recalling = false;
  #recalledMs = Number.NEGATIVE_INFINITY;
  /** When the fault about another record was told; Infinity while none is. */
  #toldMs = Number.POSITIVE_INFINITY;
  #hasToldSilence = false;

  constructor(parts: ServerWatchParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#sessionMs = this.#parts.clock.monotonicMs();
  }

  heard({ changed, otherRecord }: Heard): void {
    if (changed) this.#parts.state.note({ servers: this.#parts.servers.servers() });
    if (otherRecord === undefined) return;
    const { name, before, now } = otherRecord;
    const nowMs = this.#parts.clock.monotonicMs();
    const waiting = { name, record: now };
    this.#waiting = waiting;
    this.#toldMs = nowMs;
    const what = `server ${name} keeps another record (${now}) than the one that gave the receipts (${before})`;
    const then = 'what is still on this device is given again; what has left it is in the other record alone';
    this.#parts.faults.failed('record', 'RECORD_CHANGED', `${what}: ${then}`);
    this.#recallIfDue(waiting, nowMs);
  }

  lookAtClock(mode: DeliveryMode, nowMs: number): void {
    const { faults, servers } = this.#parts;
    if (this.#waiting !== undefined) this.#recallIfDue(this.#waiting, nowMs);
    else if (nowMs - this.#toldMs > TELL_RECORD_MS) {
      this.#toldMs = Number.POSITIVE_INFINITY;
      faults.works('record');
    }
    const isSilent = mode === 'receipt' && nowMs - this.#sessionMs > SETTLED_MS && !servers.giverOnline();
    if (isSilent) this.#tellSilence();
    else if (this.#hasToldSilence) this.#silenceEnds();
  }

  /** Unless one was online not long ago. */
  #tellSilence(): void {
    const { clock, faults, servers } = this.#parts;
    const known = servers.servers().filter(({ name }) => name !== SOME_SERVER);
    const seenMs = Math.max(0, ...known.map((server) => server.seenMs));
    const [first] = known;
    if (first === undefined || clock.nowMs() - seenMs < SILENT_MS) {
      this.#silenceEnds();
      return;
    }
    this.#hasToldSilence = true;
    const since = seenMs === 0 ? '' : ` since ${new Date(seenMs).toISOString().slice(0, 16)}Z`;
    const names = known.map(({ name }) => name).join(', ');
    const remedy = `Is it gone for good? sudo techtemp-device servers forget ${first.name}`;
    faults.failed(
      'silent server',
      'SERVER_SILENT',
      `no server that gives receipts was online${since} (${names}): readings wait in the journal. ${remedy}`,
    );
  }

  #silenceEnds(): void {
    this.#hasToldSilence = false;
    this.#parts.faults.works('silent server');
  }

  #recallIfDue(waiting: OtherRecord, nowMs: number): void {
    if (this.#recalling || nowMs - this.#recalledMs < RECALL_SPACING_MS) return;
    this.#recalledMs = nowMs;
    this.#recalling = true;
    void this.#recall(waiting).finally(() => {
      this.#recalling = false;
    });
  }

  /** Never rejects. The record is remembered last: a power cut before that gives it all once more. */
  async #recall({ name, record }: OtherRecord): Promise<void> {
    const { journals, log, heartbeat, state, servers, onRecalled } = this.#parts;
    try {
      const { count, durable } = await heartbeat.during(RECALL_LIMIT_MS, journals.recall());
      onRecalled();
      if (!durable) return;
      servers.acceptRecord(name, record);
      state.note({ servers: servers.servers(), acknowledged: {} });
      if (this.#waiting?.record === record) this.#waiting = undefined;
      log.warn(
        { server: name, record, count },
        `server ${name} has another record: ${count} readings are given to it again`,
      );
    } catch (error) {
      this.#parts.faults.failedWith('record', error);
    }
  }
}

/** Beside the state file: names of servers that a person wants forgotten. The agent carries it out and removes it. */
export function forgetRequestPath(statePath: string): string {
  return join(dirname(statePath), 'forget-servers.json');
}

/** Readable for the agent, whose user is another one than the one who asks. */
const REQUEST_MODE = 0o644;

/** Asks the agent to forget these too; one that is stopped does so when it starts. @throws what the file system throws */
export async function requestForgetting(statePath: string, names: readonly string[]): Promise<void> {
  const path = forgetRequestPath(statePath);
  await mkdir(dirname(path), { recursive: true });
  const all = new Set([...(await requestedForgetting(statePath)), ...names]);
  await writeFileAtomic(path, JSON.stringify([...all]), { mode: REQUEST_MODE });
}

/** What is asked for and not carried out yet. What cannot be read is no request. */
export async function requestedForgetting(statePath: string): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(forgetRequestPath(statePath), 'utf8'));
    return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

export interface Forgetting {
  readonly statePath: string;
  readonly clock: Clock;
  /** To be done and kept before the request is removed. Must not reject. */
  readonly forget: (names: readonly string[]) => Promise<void>;
}

/** Carries out what is asked for, at once and then whenever the file appears, until the signal is aborted. */
export async function followForgetting({ statePath, clock, forget }: Forgetting, signal: AbortSignal): Promise<void> {
  const path = forgetRequestPath(statePath);
  const wakeUp = new WakeUp();
  // A folder that is not there yet, or cannot be watched: what is asked for is found at the next start.
  await mkdir(dirname(path), { recursive: true }).catch(() => undefined);
  const watcher = await Promise.resolve()
    .then(() => watch(dirname(path), (_, name) => (name === basename(path) ? wakeUp.notify() : undefined)))
    .catch(() => undefined);
  watcher?.on('error', () => undefined);
  try {
    for (;;) {
      const names = await requestedForgetting(statePath);
      if (names.length > 0) {
        await forget(names);
        await unlink(path).catch(() => undefined);
      }
      await wakeUp.wait(clock, Number.POSITIVE_INFINITY, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    watcher?.close();
  }
}
