import type { Clock } from '../platform/clock.ts';
import { type ClockLook, ClockSteps } from '../platform/clock-steps.ts';
import type { Live } from '../platform/live.ts';
import type { Log } from '../platform/log.ts';
import type { Progress } from '../platform/systemd.ts';
import { WakeUp, waitAny } from '../platform/tasks.ts';
import { isBelievable, type ProbeTimeSync } from '../platform/time-sync.ts';
import type { ClockSection } from './config.ts';
import type { JournalSet, Stamp } from './journal/journal.ts';

/** How often the time service is asked while the clock is not synchronised; asking costs one system call in the common case. */
const POLL_MS = 1_000;
/** After ten minutes without synchronisation there is no hurry any more. */
const SLOW_POLL_MS = 10_000;
const SLOW_AFTER_MS = 600_000;
/** Once synchronised, steps are looked for at each stamp; this loop only wakes to sweep up. */
const IDLE_MS = 3_600_000;

export interface ClockState {
  /**
   * `waiting`: readings are kept back until their time is known, at the beginning and after the clock was stepped; `unsynced`:
   * waited long enough, they go out marked.
   */
  readonly state: 'waiting' | 'synced' | 'unsynced';
  /** The last jump of the wall clock after it was believed, in ms; forward is positive. */
  readonly lastStepMs?: number;
}

export interface ClockSyncParts {
  readonly clock: Clock;
  readonly probe: ProbeTimeSync;
  readonly settings: Live<ClockSection>;
  readonly journals: Pick<JournalSet, 'settle' | 'pendingBootIds'>;
  readonly log: Log;
  readonly progress: Progress;
  readonly maxIdleMs: number;
  /** Called after readings got their final time, or the state changed. */
  readonly onChange: () => void;
}

/**
 * Knows whether the wall clock can be believed. A Pi has no clock of its own: after a power cut it wakes up in the past.
 * Readings taken before the first synchronisation stay pending in the journal and get `wall - monotonic` of the synchronised
 * clock; without synchronisation within `clock_wait_seconds` they go out with the time they were stamped with, marked.
 *
 * A clock that is stepped after it was believed is in doubt, whatever was believed before: it waits in the same way until the time
 * service has synchronised it again, or until it is back where it was. Where no service can be asked (`source = trust`, no systemd)
 * nothing is kept back, but readings go out marked until then. A restart of the agent begins again.
 */
export class ClockSync {
  readonly #parts: ClockSyncParts;
  /** Monotonic time since which it is waited for a true clock. */
  #startedMs: number;
  #state: ClockState['state'] = 'waiting';
  /** Of the clock while it is believed. */
  #wallMinusMonotonicMs = 0;
  #lastStepMs: number | undefined;
  readonly #steps: ClockSteps;
  readonly #stepped = new WakeUp();

  constructor(parts: ClockSyncParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
    this.#steps = new ClockSteps(parts.clock);
  }

  state(): ClockState {
    return { state: this.#state, ...(this.#lastStepMs !== undefined && { lastStepMs: this.#lastStepMs }) };
  }

  /**
   * The stamp for a measurement that ended `ageMs` ago, and the monotonic time of that. Hand it to the journal
   * without waiting in between, so that a settlement can't overtake it.
   */
  stamp(ageMs = 0): { readonly stamp: Stamp; readonly monotonicMs: number } {
    const { wallMinusMonotonicMs, monotonicMs: nowMs } = this.#lookAtClocks();
    const monotonicMs = nowMs - ageMs;
    const tsMs = Math.round(wallMinusMonotonicMs + monotonicMs);
    return { stamp: { state: this.#state === 'waiting' ? 'pending' : this.#state, tsMs }, monotonicMs };
  }

  /** First look at the clock, before the first sample: settles what earlier boots left and, where possible, this one. */
  async begin(): Promise<void> {
    const { journals, clock } = this.#parts;
    for (const bootId of journals.pendingBootIds()) {
      // It can no longer be found out how wrong that boot's clock was: its times stay as they are, marked.
      if (bootId !== clock.bootId)
        await journals.settle({ bootId, wallMinusMonotonicMs: 'as-stamped', state: 'unsynced' });
    }
    await this.#look();
  }

  /** Watches the clock until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, progress, maxIdleMs, settings } = this.#parts;
    while (!signal.aborted) {
      await this.#look();
      const version = settings.version;
      const idleMs = Math.min(this.#pollMs(), maxIdleMs);
      progress.beat(idleMs);
      await waitAny(signal, [
        (calledOff) => this.#stepped.wait(clock, idleMs, calledOff),
        (calledOff) => settings.changed(version, calledOff),
      ]).catch(() => undefined);
    }
    progress.end();
  }

  async #look(): Promise<void> {
    this.#lookAtClocks();
    if (this.#state !== 'synced') await this.#lookForSync();
    const { journals, clock } = this.#parts;
    // Belt and braces: a reading that was stamped before the change of state and journaled after it.
    if (this.#state !== 'waiting' && journals.pendingBootIds().includes(clock.bootId)) await this.#settle();
  }

  async #lookForSync(): Promise<void> {
    const { settings, clock, log } = this.#parts;
    const word = await this.#askForSync();
    if (word === 'synced') {
      const before = this.#state;
      const wasInDoubt = this.#steps.doubtedSinceMs !== undefined;
      this.#wallMinusMonotonicMs = this.#steps.believe();
      this.#state = 'synced';
      await this.#settle();
      if (wasInDoubt) log.info({}, 'the clock is confirmed; its times are believed again');
      else if (before === 'unsynced') log.info({}, 'the clock is synchronised now');
      return;
    }
    const waitMs = word === 'nobody' ? 0 : settings.current.clockWaitMs;
    if (this.#state !== 'waiting' || clock.monotonicMs() - this.#startedMs < waitMs) return;
    this.#state = 'unsynced';
    log.warn(
      {},
      word === 'nobody'
        ? 'no time service can confirm the clock: readings go out marked "unsynced" until it is back, or until the agent is restarted'
        : `the clock was not synchronised within ${waitMs / 1000} s; readings go out marked "unsynced"`,
    );
    await this.#settle();
  }

  /** 'nobody': there is no service whose answer could be waited for. */
  async #askForSync(): Promise<'synced' | 'not-yet' | 'nobody'> {
    const { settings, probe } = this.#parts;
    const isTrusted = settings.current.source === 'trust';
    const sinceMs = this.#steps.doubtedSinceMs;
    if (sinceMs === undefined) return isTrusted || isBelievable(await probe()) ? 'synced' : 'not-yet';
    if (this.#steps.isBack()) return 'synced';
    const sync = await probe(sinceMs);
    this.#steps.look();
    // It was stepped again while a time source was asked: the answer is about another time.
    if (this.#steps.doubtedSinceMs !== sinceMs) return 'not-yet';
    if (sync === 'synced') return 'synced';
    return isTrusted || sync === 'unknown' ? 'nobody' : 'not-yet';
  }

  async #settle(): Promise<void> {
    const { journals, clock, log, onChange } = this.#parts;
    if (this.#state === 'waiting') return;
    try {
      const count = await journals.settle({
        bootId: clock.bootId,
        wallMinusMonotonicMs: this.#state === 'synced' ? this.#wallMinusMonotonicMs : 'as-stamped',
        state: this.#state,
      });
      if (count > 0) log.info({ count, clock: this.#state }, `${count} waiting readings got their time`);
    } catch (error) {
      log.warn({ err: error }, 'the waiting readings could not get their time yet; trying again');
    }
    onChange();
  }

  /** Notices a step. */
  #lookAtClocks(): ClockLook {
    const look = this.#steps.look();
    const { stepMs } = look;
    if (stepMs === undefined) return look;
    const { log, onChange } = this.#parts;
    this.#lastStepMs = stepMs;
    this.#state = 'waiting';
    this.#startedMs = look.monotonicMs;
    log.warn(
      { stepMs },
      `the wall clock jumped by ${(stepMs / 1000).toFixed(1)} s; it is not believed until it is confirmed`,
    );
    this.#stepped.notify();
    onChange();
    return look;
  }

  #pollMs(): number {
    if (this.#state === 'synced') return IDLE_MS;
    return this.#parts.clock.monotonicMs() - this.#startedMs > SLOW_AFTER_MS ? SLOW_POLL_MS : POLL_MS;
  }
}
