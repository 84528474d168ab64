import type { Clock } from '../platform/clock.ts';
import { isRefusal, LinkError, SESSION_TAKEN_OVER } from './errors.ts';

export interface OptionalStepsParts<Name extends string> {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** For so long after its answer a step is suspected when the session ends; 0: only while it waits for its answer. */
  readonly suspectAfterMs: number;
  /** The step is left out from now on; to be told. */
  readonly onLeftOut: (step: LeftOutStep<Name>) => void;
  /** The step was done; or it is used again, since sessions ended without it too. */
  readonly onUsed: (name: Name, what: string, why: 'done' | 'not the reason') => void;
}

/** A step that is left out. */
export interface LeftOutStep<Name extends string> {
  readonly name: Name;
  /** What it does, for people. */
  readonly what: string;
  readonly error: LinkError;
  readonly pauseMs: number;
}

interface History {
  /** Sessions in a row that ended at this step. */
  breaks: number;
  /** How often it was left out. */
  leftOut: number;
  /** Monotonic ms from which on it is tried again. */
  dueMs: number;
  /** Not suspected before this time: sessions ended without it too. */
  clearedUntilMs: number;
  what: string;
}

/** A session can end at any moment by chance; twice in the same step is a reason. */
const MOST_BREAKS = 2;
/** The broker's configuration may have changed by then. */
const TRY_AGAIN = { minMs: 3_600_000, maxMs: 86_400_000 };
/** A session that lasts so long was not ended by what was said at its begin. */
const STABLE_MS = 30_000;
/** Ends that say their own reason (MQTT 5, 3.14.2.1): busy, shutting down, taken over, by an administrator. */
const OTHER_REASONS: readonly (number | undefined)[] = [0x89, 0x8b, SESSION_TAKEN_OVER, 0x98];

/**
 * Steps of a session without which readings still travel. Some brokers answer what they do not allow by hanging up. One step at a time
 * is on the wire, so that it is known which one it was; it is left out then, and tried again after an hour, then after two, up to a day.
 */
export class OptionalSteps<Name extends string> {
  readonly #parts: OptionalStepsParts<Name>;
  readonly #histories = new Map<Name, History>();
  #queue: Promise<unknown> = Promise.resolve();
  #asked: AbortSignal | undefined;
  #openedMs = 0;
  /** The session ended under a step. */
  #isBroken = false;
  #breaks = 0;
  /** The step that was answered last. */
  #done: { readonly name: Name; readonly what: string; readonly atMs: number } | undefined;
  /** Left out since the last session: it is not proved yet that it was the reason. */
  #onTrial: Name | undefined;

  constructor(parts: OptionalStepsParts<Name>) {
    this.#parts = parts;
  }

  /** A new session, which ends by our own will when the signal is aborted. */
  begin(asked: AbortSignal): void {
    this.#asked = asked;
    this.#openedMs = this.#parts.clock.monotonicMs();
    this.#queue = Promise.resolve();
    this.#isBroken = false;
    this.#done = undefined;
  }

  /** How many sessions broke in a step so far. */
  breaks(): number {
    return this.#breaks;
  }

  isLeftOut(name: Name): boolean {
    return (this.#histories.get(name)?.dueMs ?? Number.NEGATIVE_INFINITY) > this.#parts.clock.monotonicMs();
  }

  leftOut(): readonly { readonly name: Name; readonly what: string }[] {
    return [...this.#histories].filter(([name]) => this.isLeftOut(name)).map(([name, { what }]) => ({ name, what }));
  }

  /** Ms until the first step that is left out is due again; Infinity where none is. */
  nextDueMs(): number {
    const nowMs = this.#parts.clock.monotonicMs();
    const waits = [...this.#histories.values()].map(({ dueMs }) => dueMs - nowMs).filter((ms) => ms > 0);
    return Math.min(Number.POSITIVE_INFINITY, ...waits);
  }

  /**
   * Does a step when those before it are over; nothing where it is left out.
   * @param what what it does, for people
   * @returns whether it was done. @throws what `run` throws
   */
  async take(name: Name, what: string, run: () => Promise<unknown>): Promise<boolean> {
    if (this.isLeftOut(name)) return false;
    const before = this.#queue;
    const asked = this.#asked;
    const turn = { isOnTheWire: false };
    const mine = before
      .catch(() => undefined)
      .then(async () => {
        // A step that only waited for its turn when the session broke is not to blame.
        turn.isOnTheWire = asked === this.#asked && !this.#isBroken;
        return await run();
      });
    this.#queue = mine;
    try {
      await mine;
    } catch (error) {
      if (isRefusal(error)) this.#answered(name, what);
      else if (turn.isOnTheWire && asked?.aborted !== true && isBreak(error)) this.#broke(name, what, error);
      if (!isRefusal(error)) this.#isBroken = true;
      throw error;
    }
    this.#answered(name, what);
    return true;
  }

  /**
   * The session has ended, and we did not want it. Where `suspectAfterMs` is given this finds the step that was answered just before;
   * and a step that was left out is used again when the session ends without it too.
   */
  ended(error: LinkError): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const done = this.#done;
    const onTrial = this.#onTrial;
    this.#done = undefined;
    if (this.#isBroken) return;
    this.#onTrial = undefined;
    const isStable = nowMs - this.#openedMs >= STABLE_MS;
    if (onTrial !== undefined && !isStable) this.#clear(onTrial, nowMs);
    if (done === undefined) return;
    const isSuspect = !isStable && isBreak(error) && nowMs - done.atMs < this.#parts.suspectAfterMs;
    if (isSuspect) this.#broke(done.name, done.what, error);
    else this.#used(done.name, done.what);
  }

  #answered(name: Name, what: string): void {
    if (this.#done !== undefined && this.#done.name !== name) this.#used(this.#done.name, this.#done.what);
    if (this.#parts.suspectAfterMs > 0) this.#done = { name, what, atMs: this.#parts.clock.monotonicMs() };
    else this.#used(name, what);
  }

  #used(name: Name, what: string): void {
    const history = this.#histories.get(name);
    if (history !== undefined && history.clearedUntilMs <= this.#parts.clock.monotonicMs())
      this.#histories.delete(name);
    this.#parts.onUsed(name, what, 'done');
  }

  /** The session ended without the step too, so the step was not the reason. */
  #clear(name: Name, nowMs: number): void {
    const history = this.#histories.get(name);
    if (history === undefined) return;
    history.breaks = 0;
    history.dueMs = Number.NEGATIVE_INFINITY;
    history.clearedUntilMs = nowMs + TRY_AGAIN.minMs;
    this.#parts.onUsed(name, history.what, 'not the reason');
  }

  #broke(name: Name, what: string, error: LinkError): void {
    this.#breaks += 1;
    this.#onTrial = undefined;
    const nowMs = this.#parts.clock.monotonicMs();
    const never = Number.NEGATIVE_INFINITY;
    const history = this.#histories.get(name) ?? { breaks: 0, leftOut: 0, dueMs: never, clearedUntilMs: never, what };
    this.#histories.set(name, history);
    if (history.clearedUntilMs > nowMs) return;
    history.what = what;
    history.breaks += 1;
    if (history.breaks < MOST_BREAKS) return;
    const pauseMs = Math.min(TRY_AGAIN.maxMs, TRY_AGAIN.minMs * 2 ** history.leftOut);
    history.leftOut += 1;
    history.dueMs = nowMs + pauseMs;
    this.#onTrial = name;
    this.#parts.onLeftOut({ name, what, error, pauseMs });
  }
}

function isBreak(error: unknown): error is LinkError {
  if (!(error instanceof LinkError) || OTHER_REASONS.includes(error.reasonCode)) return false;
  return error.code === 'LINK_OFFLINE' || error.code === 'LINK_TIMEOUT';
}
