import { Worker } from 'node:worker_threads';
import type { Clock } from '../../../platform/clock.ts';
import type { Log } from '../../../platform/log.ts';
import { type BackOff, backOffMs } from '../../../platform/pacing.ts';
import { StoreError } from '../store.ts';
import type { Async, Client } from './calls.ts';
import type { RecordOptions } from './place/marked-record.ts';
import {
  type CallsOf,
  type FromWorker,
  type Opened,
  type Role,
  receivedErrorOf,
  receivedResultOf,
  sentArgsOf,
  type ToWorker,
  type WorkerTask,
} from './rpc.ts';

export interface StoreThreadOptions<R extends Role> {
  readonly role: R;
  readonly record: RecordOptions;
  /** The built store-worker. */
  readonly workerUrl: URL;
  readonly clock: Clock;
  readonly log: Log;
}

interface Waiting {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A worker that is ready, and its death. */
interface Running {
  readonly worker: Worker;
  readonly opened: Opened;
  /** Resolves with the reason when it is gone. */
  readonly gone: Promise<string>;
}

/** Without jitter: no other program is started in step with it. */
const RESTART: BackOff = { minMs: 100, maxMs: 10_000 };
/** Of the memory for objects that do not live long, the default is 48 MiB a thread: what is asked here needs a fraction of that. */
const YOUNG_MIB = 12;
/** Given to the thread at once; the rest waits here, where what is urgent can pass it. Two, so that the thread is never idle between. */
const AT_ONCE = 2;
/** Short questions on which life depends: whether the store works, and who may ask. */
const URGENT: ReadonlySet<string> = new Set(['facts', 'probe', 'tokenByHash', 'quarantineSummary']);
/** Callers ask little at once; more than this is a flood, and its memory would be ours. */
const MAX_WAITING = 1_000;

/**
 * A connection on a worker thread. A worker that dies rejects what waits (none of it was acknowledged) and is started again, with
 * growing pauses; calls meanwhile reject with STORE_UNAVAILABLE. @throws StoreError when it can't be opened at first
 */
export async function openStoreThread<R extends Role>(
  options: StoreThreadOptions<R>,
): Promise<Client<CallsOf[R]> & Pick<Opened, 'migrated' | 'record'>> {
  const { role, clock, log } = options;
  const waiting = new Map<number, Waiting>();
  /** Of those that wait, the ones that the thread has not been given. */
  const urgent: number[] = [];
  const ordinary: number[] = [];
  let given = 0;
  const closing = new AbortController();
  let lastId = 0;
  let running: Running | undefined;
  let problem = '';
  /** For a thread that is started again: only the record that was open before will do. */
  let again = options;
  const isClosed = (): boolean => closing.signal.aborted;

  const giveNext = (atOnce = AT_ONCE): void => {
    while (running !== undefined && given < atOnce) {
      const id = urgent.shift() ?? ordinary.shift();
      const call = id === undefined ? undefined : waiting.get(id);
      if (id === undefined || call === undefined) return;
      try {
        say(running, { kind: 'call', id, method: call.method, args: sentArgsOf(call.method, call.args) });
        given += 1;
      } catch (error) {
        // What cannot be handed over is the caller's fault, and blocks nothing else.
        waiting.delete(id);
        call.reject(error as Error);
      }
    }
  };
  const answered = (message: FromWorker): void => {
    if (message.kind !== 'result' && message.kind !== 'error') return;
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    given -= 1;
    giveNext();
    if (message.kind === 'result') call?.resolve(receivedResultOf(call.method, message.result));
    else call?.reject(receivedErrorOf(message.error));
  };
  const rejectWaiting = (reason: string): void => {
    const calls = [...waiting.values()];
    waiting.clear();
    urgent.length = 0;
    ordinary.length = 0;
    given = 0;
    for (const { reject } of calls) reject(unavailable(role, reason));
  };

  /** Until closed: waits for the worker's end, then starts another one. */
  const keepRunning = async (): Promise<void> => {
    for (let attempt = 0; ; ) {
      if (running !== undefined) {
        const { gone } = running;
        problem = await gone;
        running = undefined;
        rejectWaiting(problem);
        if (isClosed()) return;
        log.error({ role, problem }, 'A thread of the store ended; starting it again');
      }
      try {
        await clock.sleep(
          backOffMs(attempt, RESTART, () => 1),
          closing.signal,
        );
        attempt += 1;
        running = await startWorker(again, answered);
        attempt = 0;
        if (isClosed()) say(running, { kind: 'close' });
        log.info({ role }, 'The thread of the store runs again');
      } catch (error) {
        if (isClosed()) return;
        problem = (error as Error).message;
        log.error({ role, problem }, 'A thread of the store does not start');
      }
    }
  };

  const ask = async (method: string, args: readonly unknown[]): Promise<unknown> =>
    await new Promise((resolve, reject) => {
      if (isClosed()) reject(new StoreError('STORE_UNAVAILABLE', 'The store is closed'));
      else if (running === undefined) reject(unavailable(role, problem));
      else if (waiting.size >= MAX_WAITING) {
        reject(
          new StoreError('STORE_BUSY', `${waiting.size} calls wait for the ${role} of the store; try again later`),
        );
      } else {
        lastId += 1;
        waiting.set(lastId, { method, args, resolve, reject });
        (URGENT.has(method) ? urgent : ordinary).push(lastId);
        giveNext();
      }
    });

  running = await startWorker(options, answered);
  const { calls, migrated, record } = running.opened;
  const mustBe = record?.id ?? options.record.mustBe;
  again = { ...options, record: { ...options.record, mustBe } };
  const kept = keepRunning();
  return {
    calls: Object.fromEntries(calls.map((name) => [name, (...args: unknown[]) => ask(name, args)])) as unknown as Async<
      CallsOf[R]
    >,
    migrated,
    record,
    async close() {
      if (!isClosed()) {
        closing.abort();
        // Behind all calls that wait: it carries them out first.
        giveNext(Number.POSITIVE_INFINITY);
        if (running !== undefined) say(running, { kind: 'close' });
      }
      await kept;
    },
  };
}

/** Resolves when the connection is open; rejects with the reason when it can't be. */
async function startWorker(
  { role, record, workerUrl }: StoreThreadOptions<Role>,
  answered: (message: FromWorker) => void,
): Promise<Running> {
  const worker = new Worker(workerUrl, {
    workerData: { role, record } satisfies WorkerTask,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  let isGone: (reason: string) => void = () => undefined;
  const gone = new Promise<string>((resolve) => {
    isGone = resolve;
  });
  return await new Promise((resolve, reject) => {
    let lastError: Error | undefined;
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') resolve({ worker, gone, opened: message });
      else if (message.kind === 'failed') lastError = receivedErrorOf(message.error);
      else answered(message);
    });
    worker.on('error', (error: Error) => {
      lastError = error;
    });
    worker.on('exit', (code) => {
      const reason = lastError?.message ?? `it ended with code ${code}`;
      isGone(reason);
      reject(lastError instanceof StoreError ? lastError : unavailable(role, reason));
    });
  });
}

function say({ worker }: Running, message: ToWorker): void {
  worker.postMessage(message);
}

function unavailable(role: Role, reason: string): StoreError {
  return new StoreError(
    'STORE_UNAVAILABLE',
    `The ${role} thread of the store does not run: ${reason}. It is started again.`,
  );
}
