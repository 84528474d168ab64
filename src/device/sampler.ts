import { type Measurement, type Sensor, SensorError } from '../../drivers/sensor.ts';
import type { Clock } from '../platform/clock.ts';
import type { FaultLog } from '../platform/fault-log.ts';
import type { Live } from '../platform/live.ts';
import type { Log } from '../platform/log.ts';
import type { Progress } from '../platform/systemd.ts';
import { waitAny, withGrace } from '../platform/tasks.ts';
import type { ClockSync } from './clock-sync.ts';
import type { SensorSection } from './config.ts';
import type { JournalSet, Placed, ReadingEntry } from './journal/journal.ts';
import { type ActiveSensor, corrected } from './sensor.ts';

/** When to sample, on the monotonic clock. Pure: the next time comes from the schedule, not from now, so nothing drifts. */

export interface Due {
  /** Monotonic ms at which the next sample is due; in the past when it is due already. */
  readonly dueMs: number;
  /** Grid times that passed without a sample because the one before took too long. */
  readonly missed: number;
}

/** The grid time after `previousDueMs`. Whole periods that have passed are skipped and counted, never made up in a burst. */
export function nextDue(previousDueMs: number, periodMs: number, nowMs: number): Due {
  const missed = Math.max(0, Math.floor((nowMs - previousDueMs) / periodMs) - 1);
  return { dueMs: previousDueMs + (missed + 1) * periodMs, missed };
}

/**
 * The due time after the period was changed: one new period after the last sample, or now if that has passed.
 * A sample that was due already stays where it was.
 */
export function rescheduled(lastDueMs: number, dueMs: number, newPeriodMs: number, nowMs: number): number {
  if (dueMs <= nowMs) return dueMs;
  return Math.max(nowMs, lastDueMs + newPeriodMs);
}

/** A sensor that failed is tried again this much later, doubling up to the limit, where the interval is longer than that. */
const RETRY_MIN_MS = 2_000;
const RETRY_MAX_MS = 30_000;
/** A measurement whose moment is known less exactly is marked. */
const ROUGH_MS = 250;
/** A measurement with its whole ladder of repair takes a few seconds at most; twice that is a loop that hangs. */
const MEASURE_BUDGET_MS = 15_000;
/** At a stop a measurement that has begun is finished: the sensor has converted. A conversion takes 80 ms, with retries some hundred. */
const FINISH_AT_STOP_MS = 1_000;

export interface SamplerState {
  readonly state: 'starting' | 'ok' | 'fault';
  readonly error?: string;
  /** Attempts that failed since the start. */
  readonly failures: number;
  /** Times of the schedule that passed without a reading. */
  readonly missed: number;
  readonly lastReading?: ReadingEntry;
}

/** Where the loop stands in its schedule; monotonic ms. */
interface Plan {
  /** The time of the schedule that is to be sampled next. */
  tickMs: number;
  /** When it is tried: at its time, or later after a failure. */
  attemptMs: number;
  /** The interval that the schedule was made with. */
  intervalMs: number;
}

export interface SamplerParts {
  readonly sensors: ActiveSensor;
  readonly settings: Live<SensorSection>;
  readonly clock: Clock;
  /** The clock that the sensor's times are from; its own where tests let the chip run faster. */
  readonly sensorClock: Pick<Clock, 'monotonicMs'>;
  readonly clockSync: Pick<ClockSync, 'stamp'>;
  readonly journals: Pick<JournalSet, 'append'>;
  readonly faults: FaultLog;
  /** Each reading with its time in the schedule, for who wants to see how punctual this machine is. */
  readonly log: Pick<Log, 'debug' | 'warn'>;
  readonly progress: Progress;
  readonly maxIdleMs: number;
  /** The reading is on disk (or in memory, where the disk refused); publish it. Must not wait. */
  readonly onReading: (placed: Placed<ReadingEntry>) => void;
  /** The sensor's health has changed. Must not wait. */
  readonly onStateChange: () => void;
}

/**
 * Takes one measurement at each time of the schedule, stamps it, puts it into the journal, hands it on. One loop, one sensor.
 * A failed measurement is a state that is published, never the end of the loop.
 */
export class Sampler {
  readonly #parts: SamplerParts;
  #state: SamplerState = { state: 'starting', failures: 0, missed: 0 };
  #isAsked = false;
  #wake: (() => void) | undefined;

  constructor(parts: SamplerParts) {
    this.#parts = parts;
  }

  state(): SamplerState {
    return this.#state;
  }

  /** Asks for one reading outside the schedule; several requests before it is taken are one. */
  measureNow(): void {
    this.#isAsked = true;
    this.#wake?.();
  }

  /** Samples until the signal is aborted; the first sample is due at once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings, progress } = this.#parts;
    const now = clock.monotonicMs();
    const plan: Plan = { tickMs: now, attemptMs: now, intervalMs: settings.current.readIntervalMs };
    let retryMs = RETRY_MIN_MS;
    for (;;) {
      const nowMs = await this.#waitUntilDue(plan, signal);
      if (nowMs === undefined) break;
      const isAsked = this.#isAsked;
      this.#isAsked = false;
      this.#beat(MEASURE_BUDGET_MS, nowMs);
      const isDue = nowMs >= plan.attemptMs;
      const succeeded = await this.#sample(plan, nowMs, isAsked && !isDue ? 'command' : undefined, signal);
      if (!isDue) continue;
      retryMs = succeeded ? RETRY_MIN_MS : Math.min(retryMs * 2, RETRY_MAX_MS);
      this.#planNext(plan, succeeded ? 0 : retryMs);
    }
    progress.end();
  }

  /** A transfer that never came back pins a thread: the loop goes on, but only a restart heals it, so the watchdog starves. */
  #beat(withinMs: number, nowMs: number): void {
    if (this.#parts.sensors.hungTransfers() === 0) this.#parts.progress.beat(withinMs, nowMs);
  }

  /** Moves on to the next time of the schedule, or to another attempt before it. */
  #planNext(plan: Plan, retryInMs: number): void {
    const now = this.#parts.clock.monotonicMs();
    const next = nextDue(plan.tickMs, plan.intervalMs, now);
    const failed = retryInMs > 0;
    if (failed && now + retryInMs < next.dueMs) {
      plan.attemptMs = now + retryInMs;
      return;
    }
    const missed = next.missed + (failed ? 1 : 0);
    if (missed > 0) this.#state = { ...this.#state, missed: this.#state.missed + missed };
    plan.tickMs = next.dueMs;
    plan.attemptMs = next.dueMs;
  }

  /** Sleeps until a sample is due or asked for; a new interval takes effect at once. @returns the time; undefined when stopped */
  async #waitUntilDue(plan: Plan, signal: AbortSignal): Promise<number | undefined> {
    const { clock, settings, maxIdleMs } = this.#parts;
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      const { readIntervalMs } = settings.current;
      if (readIntervalMs !== plan.intervalMs) followInterval(plan, readIntervalMs, nowMs);
      const leftMs = plan.attemptMs - nowMs;
      if (leftMs <= 0 || this.#isAsked) return nowMs;
      const version = settings.version;
      const idleMs = Math.min(leftMs, maxIdleMs);
      this.#beat(idleMs, nowMs);
      await waitAny(signal, [
        (calledOff) => clock.sleep(idleMs, calledOff),
        (calledOff) => settings.changed(version, calledOff),
        (calledOff) => this.#asked(calledOff),
      ]).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
    return undefined;
  }

  async #sample(
    plan: Readonly<Plan>,
    startedMs: number,
    trigger: 'command' | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { journals, clock, sensorClock, clockSync, settings, log, onReading } = this.#parts;
    let measurement: Measurement;
    try {
      const sensor: Sensor = await this.#parts.sensors.current();
      measurement = await withGrace((soon) => sensor.measure(soon), { clock, graceMs: FINISH_AT_STOP_MS, signal });
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof SensorError && error.code === 'SENSOR_NO_TIME') this.#starved(error);
      else this.#failed(error);
      return false;
    }
    const { taken } = measurement;
    const ageMs = taken === undefined ? 0 : Math.max(0, sensorClock.monotonicMs() - taken.endedMs);
    const { stamp, monotonicMs } = clockSync.stamp(ageMs);
    const isTimeRough = (taken?.uncertaintyMs ?? 0) > ROUGH_MS;
    const placed = await journals.append({
      ...corrected(measurement, settings.current),
      // What waits for its time keeps the mark of its own.
      stamp: isTimeRough && stamp.state === 'synced' ? { ...stamp, state: 'unsynced' } : stamp,
      monotonicMs,
      bootId: clock.bootId,
      frame: measurement.frame,
      ...(isTimeRough && { isTimeRough }),
      ...(trigger !== undefined && { trigger }),
    });
    this.#succeeded(placed.entry);
    const { seq } = placed.entry;
    if (trigger !== undefined) log.debug({ seq }, 'measured, as a command asked');
    else log.debug({ seq, dueMs: plan.tickMs, lateMs: startedMs - plan.tickMs }, 'measured');
    onReading(placed);
    return true;
  }

  #succeeded(lastReading: ReadingEntry): void {
    const before = this.#state;
    this.#state = { state: 'ok', failures: before.failures, missed: before.missed, lastReading };
    this.#parts.faults.works({ failures: before.failures }, 'the sensor answers again');
    if (before.state !== 'ok' || before.error !== undefined) this.#parts.onStateChange();
  }

  /** The machine did not let us measure: that is no failure of the sensor, but it must not look as if all were well either. */
  #starved({ message, code }: SensorError): void {
    if (this.#state.error === message) return;
    if (this.#state.error === undefined) this.#parts.log.warn({ code }, `no reading: ${message}`);
    this.#state = { ...this.#state, error: message };
    this.#parts.onStateChange();
  }

  #failed(error: unknown): void {
    const before = this.#state;
    const message = error instanceof Error ? error.message : String(error);
    this.#state = { ...before, state: 'fault', error: message, failures: before.failures + 1 };
    this.#parts.faults.failed(kindOf(error), { err: error }, `no reading: ${message}`);
    if (before.state !== 'fault' || before.error !== message) this.#parts.onStateChange();
  }

  async #asked(calledOff: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      calledOff.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#wake = undefined;
  }
}

function followInterval(plan: Plan, intervalMs: number, nowMs: number): void {
  const tickMs = rescheduled(plan.tickMs - plan.intervalMs, plan.tickMs, intervalMs, nowMs);
  if (plan.attemptMs === plan.tickMs) plan.attemptMs = tickMs;
  plan.tickMs = tickMs;
  plan.intervalMs = intervalMs;
}

/** The stable code of a typed error; anything else is a kind of its own. */
function kindOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
