import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** A step on a new connection without which readings still travel. */
export interface OptionalStep {
  /** For people, as in "the subscription to $SYS/#". */
  readonly what: string;
  /** For people: what is missing without it, as in "it is not known whether the broker drops messages". */
  readonly without: string;
}

export interface OptionalStepsParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

interface StepRecord {
  /** Connections in a row that ended at this step. */
  strikes: number;
  /** Not taken before this time. */
  leftOutUntilMs: number;
  /** Not suspected before this time: connections ended without it too. */
  clearedUntilMs: number;
}

/** One end may be chance: a broker that is restarted at this moment. */
const STRIKES = 2;
/** A broker that hangs up because of a step does it at once. */
const SOON_AFTER_MS = 5_000;
/** A connection that lasts this long was not ended by what was said at its begin. */
const STABLE_MS = 30_000;
/** The broker's configuration may have changed by then. */
const TRY_AGAIN_MS = 3_600_000;

/**
 * Takes the optional steps of each new connection, and finds the one on which a broker hangs up: that one is left out, told, and tried
 * again after an hour. Some brokers end the connection at a subscription to `$SYS`, instead of refusing it. One connection at a time.
 */
export class OptionalSteps {
  readonly #parts: OptionalStepsParts;
  readonly #records = new Map<string, StepRecord>();
  /** Left out since the last connection: it is not proved yet that it was the reason. */
  #onTrial: OptionalStep | undefined;
  #openedMs = 0;
  #underway: OptionalStep | undefined;
  #last: { readonly step: OptionalStep; readonly doneMs: number } | undefined;

  constructor(parts: OptionalStepsParts) {
    this.#parts = parts;
  }

  /** What is left out at the moment, in sentences for people. */
  leftOut(): readonly string[] {
    const nowMs = this.#parts.clock.monotonicMs();
    return [...this.#records].flatMap(([what, { leftOutUntilMs }]) =>
      leftOutUntilMs > nowMs ? [`${what} is left out, because the broker ends the connection on it`] : [],
    );
  }

  /** A new connection. */
  opened(): void {
    this.#openedMs = this.#parts.clock.monotonicMs();
    this.#underway = undefined;
    this.#last = undefined;
  }

  /** Carries the step out, unless it is left out. @throws what `act` throws */
  async take(step: OptionalStep, act: () => Promise<unknown>): Promise<void> {
    const { clock } = this.#parts;
    if (this.#recordOf(step).leftOutUntilMs > clock.monotonicMs()) return;
    this.#underway = step;
    // Where it throws, the connection is over, and the step stays the one that was under way.
    await act();
    this.#underway = undefined;
    this.#last = { step, doneMs: clock.monotonicMs() };
  }

  /** The connection has ended, and not because we wanted it. */
  ended(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const isStable = nowMs - this.#openedMs >= STABLE_MS;
    const onTrial = this.#onTrial;
    this.#onTrial = undefined;
    if (isStable && this.#underway === undefined) {
      for (const record of this.#records.values()) record.strikes = 0;
      return;
    }
    if (onTrial !== undefined && this.#underway === undefined) this.#clear(onTrial, nowMs);
    const suspect = this.#underway ?? this.#justDone(nowMs);
    for (const [what, record] of this.#records) if (what !== suspect?.what) record.strikes = 0;
    if (suspect === undefined) return;
    const record = this.#recordOf(suspect);
    if (record.clearedUntilMs > nowMs) return;
    record.strikes += 1;
    if (record.strikes < STRIKES) return;
    record.strikes = 0;
    record.leftOutUntilMs = nowMs + TRY_AGAIN_MS;
    this.#onTrial = suspect;
    this.#parts.log.warn(
      { step: suspect.what },
      `the broker ends the connection on ${suspect.what}: it is left out for an hour. Without it ${suspect.without}`,
    );
  }

  /** The connection ended without the step too, so the step was not the reason. */
  #clear(step: OptionalStep, nowMs: number): void {
    const record = this.#recordOf(step);
    record.leftOutUntilMs = 0;
    record.clearedUntilMs = nowMs + TRY_AGAIN_MS;
    this.#parts.log.info(
      { step: step.what },
      `${step.what} is not the reason why the broker ends the connection: it is used again`,
    );
  }

  #justDone(nowMs: number): OptionalStep | undefined {
    const last = this.#last;
    return last !== undefined && nowMs - last.doneMs < SOON_AFTER_MS ? last.step : undefined;
  }

  #recordOf({ what }: OptionalStep): StepRecord {
    const known = this.#records.get(what);
    if (known !== undefined) return known;
    const record = { strikes: 0, leftOutUntilMs: 0, clearedUntilMs: 0 };
    this.#records.set(what, record);
    return record;
  }
}
