import type { Clock, Random } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import { backOffMs } from '../../platform/pacing.ts';
import type { LoopHeartbeat } from '../../platform/systemd.ts';
import type { IngestSection } from '../config.ts';
import type { CommitResult, IngestMessage, IngestStore, RejectedMessage } from '../store/ingest-store.ts';
import { StoreError, type StoreErrorCode } from '../store/store.ts';
import type { ServerTime } from '../store/stored.ts';
import type { Taken } from './inbox.ts';
import type { IngestObserver } from './ingest.ts';

export interface CommitterParts {
  readonly store: IngestStore;
  readonly ingest: Live<IngestSection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly heartbeat: LoopHeartbeat;
  readonly observer: IngestObserver;
  /** By which clock what must wait in quarantine came. */
  readonly time: () => ServerTime;
  /** These are on disk, in the order in which they came: acknowledge them. */
  readonly onStored: (stored: readonly Taken[], result: CommitResult | undefined) => void;
  /** These can be stored in no form: the broker keeps them, and the others go on. */
  readonly onLeft: (left: readonly Taken[]) => void;
}

/** Between attempts while the disk is full, the database locked, or a person has to act. */
const RETRY = { minMs: 200, maxMs: 10_000 };
/** A disk that answers later than this hangs, which only a restart can cure, if anything can. */
const COMMIT_LIMIT_MS = 300_000;

/** What ends the waiting for a store that cannot store. */
export interface EndWaiting {
  /** The time for a stop is up. */
  readonly giveUp: AbortSignal;
  /** A stop has begun: from now on a store that waits for a person is not waited for. */
  readonly stop: AbortSignal;
}

/** Brings groups to disk: whatever happens, none of it is dropped, and none of it is acknowledged earlier. */
export class Committer {
  readonly #parts: CommitterParts;
  readonly #faults: FaultLog;
  #lastCommitMs: number | null = null;
  #problem: string | undefined;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#faults = createFaultLog(parts.log, parts.clock);
  }

  lastCommitMs(): number | null {
    return this.#lastCommitMs;
  }

  /** Why the last attempt failed; undefined when it succeeded. */
  problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Resolves when every message of the group is on disk, as what it is or as rejected. While the store cannot, the same messages
   * are tried again. Where it can and one of them is the reason that it will not, that one is found by halving. The first attempt
   * begins at once; nothing is reported as stored before `before` has resolved, the group before this one.
   * @throws the reason of one of the signals; what has not been reported as stored by then has not been
   */
  async commit(group: readonly Taken[], before: Promise<void>, end: EndWaiting): Promise<void> {
    const messages = group.flatMap(({ message }) => (message === undefined ? [] : [message]));
    const first = messages.length === 0 ? undefined : await this.#try(messages);
    await before;
    await this.#settle(group, first, messages, end);
  }

  async #settle(
    group: readonly Taken[],
    first: CommitResult | Error | undefined,
    messages: readonly IngestMessage[],
    end: EndWaiting,
  ): Promise<void> {
    const result = first instanceof Error ? await this.#untilClear(first, messages, end) : first;
    if (!(result instanceof Error)) this.#parts.onStored(group, result);
    else if (group.length > 1) {
      const middle = group.length >> 1;
      await this.commit(group.slice(0, middle), Promise.resolve(), end);
      await this.commit(group.slice(middle), Promise.resolve(), end);
    } else await this.#rejectCulprit(group, result, end);
  }

  /** @returns an error that comes from the messages, not from the state of the store */
  async #untilClear(first: Error, messages: readonly IngestMessage[], end: EndWaiting): Promise<CommitResult | Error> {
    const { clock, random } = this.#parts;
    let result: CommitResult | Error = first;
    for (let attempt = 0; result instanceof Error && isOfTheStore(result); attempt += 1) {
      await clock.sleep(backOffMs(attempt, RETRY, random), waitsForAPerson(result) ? end.stop : end.giveUp);
      result = await this.#try(messages);
    }
    return result;
  }

  async #try(messages: readonly IngestMessage[]): Promise<CommitResult | Error> {
    const { clock, ingest, observer, heartbeat, store, time } = this.#parts;
    const { registration, maxRejected, maxQuarantine, maxDevices, maxHomes, maxRooms } = ingest.current;
    const atMost = { devices: maxDevices, homes: maxHomes, rooms: maxRooms };
    const beganMs = clock.monotonicMs();
    try {
      const batch = { messages, registration, maxRejected, maxQuarantine, atMost, time: time() };
      const result = await heartbeat.during(COMMIT_LIMIT_MS, store.commit(batch));
      this.#problem = undefined;
      this.#lastCommitMs = clock.nowMs();
      this.#faults.works({}, 'the store takes readings again');
      observer.committed(result.counts, clock.monotonicMs() - beganMs);
      return result;
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      const code = error instanceof StoreError ? error.code : 'INTERNAL';
      this.#problem = error.message;
      this.#faults.failed(
        code,
        { code, error, messages: messages.length },
        `nothing is acknowledged until it can be stored: ${error.message}`,
      );
      observer.commitFailed(code);
      return error;
    }
  }

  async #asRejected(
    message: Exclude<IngestMessage, RejectedMessage>,
    error: Error,
    end: EndWaiting,
  ): Promise<CommitResult | Error> {
    const messages = [asRejected(message, error)];
    const result = await this.#try(messages);
    return result instanceof Error ? await this.#untilClear(result, messages, end) : result;
  }

  /** A message that no store takes is kept as rejected; if even that fails, the broker keeps it. */
  async #rejectCulprit(group: readonly Taken[], error: Error, end: EndWaiting): Promise<void> {
    const message = group[0]?.message;
    if (message === undefined) return;
    const { topic } = message;
    const result = message.kind === 'rejected' ? error : await this.#asRejected(message, error, end);
    if (result instanceof Error) {
      this.#parts.log.error(
        { topic, error: result },
        `a message on ${topic} cannot be stored, not even as rejected; it is left with the broker. This is a bug; please report it`,
      );
      this.#parts.onLeft(group);
      return;
    }
    this.#parts.log.error(
      { topic, error },
      `a message on ${topic} could not be stored and was rejected. This is a bug; please report it`,
    );
    this.#parts.onStored(group, result);
  }
}

const WAITS_FOR_A_PERSON: ReadonlySet<StoreErrorCode> = new Set([
  'STORE_NEWER_SCHEMA',
  'STORE_DAMAGED',
  'STORE_MISSING',
  'STORE_REPLACED',
]);

/** The same call may succeed later: by itself, or once a person has acted. */
function isOfTheStore(error: Error): boolean {
  if (!(error instanceof StoreError)) return false;
  return error.isTemporary || waitsForAPerson(error);
}

/** No later attempt succeeds before a person has acted. */
function waitsForAPerson(error: Error): boolean {
  return error instanceof StoreError && WAITS_FOR_A_PERSON.has(error.code);
}

function asRejected(message: Exclude<IngestMessage, RejectedMessage>, error: Error): RejectedMessage {
  const payload = message.kind === 'items' ? `${message.items.length} items` : 'a status';
  const { topic, receivedMs, deviceUid } = message;
  const detail = `the store refused it: ${error.message}`.slice(0, 300);
  return {
    kind: 'rejected',
    topic,
    receivedMs,
    deviceUid,
    reason: 'bad-shape',
    detail,
    payload,
    payloadBytes: payload.length,
  };
}
