import type { Clock } from '../../platform/clock.ts';
import { LinkError } from '../mqtt/session.ts';
import { type Faults, isRefusal, type OptionalStep } from './faults.ts';

/** What is missing without it, for people. */
const LOSS: Readonly<Record<OptionalStep, string>> = {
  receipts: 'no receipts can be heard, and readings stay in the journal where receipts are waited for',
  'known servers': 'a server is noticed later',
  servers: 'a new server is noticed by its receipts only',
  commands: 'no reading on demand',
  'Home Assistant': 'its restarts are not noticed',
  status: 'the state of this device is not visible',
  discovery: 'Home Assistant does not find this device',
  latest: 'Home Assistant shows no values',
};

/** A connection can break at any moment by chance; twice in the same step is a reason. */
const MOST_BREAKS = 2;
const TRY_AGAIN = { minMs: 3_600_000, maxMs: 86_400_000 };
/** Ends that say their own reason (MQTT 5, 3.14.2.1): busy, shutting down, taken over, by an administrator. */
const OTHER_REASONS: readonly (number | undefined)[] = [0x89, 0x8b, 0x8e, 0x98];

interface History {
  breaks: number;
  /** How often it was left out. */
  leftOut: number;
  /** Monotonic ms from which on it is tried again. */
  dueMs: number;
}

/**
 * Some brokers answer what they do not allow by hanging up. One step at a time is on the wire, so that it is known which one it was;
 * it is left out then, and readings go on without it.
 */
export class OptionalSteps {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #faults: Faults;
  readonly #histories = new Map<OptionalStep, History>();
  #last: Promise<unknown> = Promise.resolve();
  #asked: AbortSignal | undefined;
  /** The session ended under a step. */
  #isBroken = false;
  #breaks = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** A new session, which ends by our own will when the signal is aborted. */
  begin(asked: AbortSignal): void {
    this.#asked = asked;
    this.#last = Promise.resolve();
    this.#isBroken = false;
  }

  /** How many sessions broke in a step so far. */
  breaks(): number {
    return this.#breaks;
  }

  isLeftOut(step: OptionalStep): boolean {
    return (this.#histories.get(step)?.dueMs ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonicMs();
  }

  leftOut(): readonly OptionalStep[] {
    return [...this.#histories.keys()].filter((step) => this.isLeftOut(step));
  }

  /** Ms until the first step that is left out is due again; Infinity where none is. */
  nextDueMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const waits = [...this.#histories.values()].map(({ dueMs }) => dueMs - nowMs).filter((ms) => ms > 0);
    return Math.min(Number.POSITIVE_INFINITY, ...waits);
  }

  /**
   * Does a step when those before it are over; nothing where it is left out.
   * @param what what it does, for people: "we subscribe to ..."
   * @returns whether it was done. @throws what `run` throws
   */
  async take(step: OptionalStep, what: string, run: () => Promise<unknown>): Promise<boolean> {
    if (this.isLeftOut(step)) return false;
    const before = this.#last;
    const asked = this.#asked;
    const turn = { isOnTheWire: false };
    const mine = before
      .catch(() => undefined)
      .then(async () => {
        // A step that only waited for its turn when the connection broke is not to blame.
        turn.isOnTheWire = asked === this.#asked && !this.#isBroken;
        return await run();
      });
    this.#last = mine;
    try {
      await mine;
    } catch (error) {
      if (isRefusal(error)) this.#passed(step);
      else if (turn.isOnTheWire && asked?.aborted !== true && isBreak(error)) this.#broke(step, what, error);
      if (!isRefusal(error)) this.#isBroken = true;
      throw error;
    }
    this.#passed(step);
    return true;
  }

  #passed(step: OptionalStep): void {
    this.#histories.delete(step);
    this.#faults.works(`without ${step}`);
  }

  #broke(step: OptionalStep, what: string, error: LinkError): void {
    this.#breaks += 1;
    const history = this.#histories.get(step) ?? { breaks: 0, leftOut: 0, dueMs: Number.NEGATIVE_INFINITY };
    this.#histories.set(step, history);
    history.breaks += 1;
    if (history.breaks < MOST_BREAKS) return;
    const pauseMs = Math.min(TRY_AGAIN.maxMs, TRY_AGAIN.minMs * 2 ** history.leftOut);
    history.leftOut += 1;
    history.dueMs = this.#clock.monotonicMs() + pauseMs;
    const message = `the broker ends the connection when ${what} (${error.message}); left out for ${pauseMs / 3_600_000} h: ${LOSS[step]}`;
    this.#faults.failed(`without ${step}`, 'STEP_LEFT_OUT', message);
  }
}

function isBreak(error: unknown): error is LinkError {
  if (!(error instanceof LinkError) || OTHER_REASONS.includes(error.reasonCode)) return false;
  return error.code === 'LINK_OFFLINE' || error.code === 'LINK_TIMEOUT';
}
