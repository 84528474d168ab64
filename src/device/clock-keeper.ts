import type { Clock } from '../common/clock.ts';
import type { Live } from '../common/live.ts';
import type { Log } from '../common/log.ts';
import type { Progress } from '../common/progress.ts';
import type { ProbeTimeSync } from '../common/time-sync.ts';
import { waitAny } from '../common/wait-any.ts';
import type { ClockSection } from './config/device-config.ts';
import type { JournalSet, Stamp } from './journal/journal.ts';

/** How often the time service is asked while the clock is not synchronised; asking costs one system call in the common case. */
const POLL_MS = 1_000;
/** After ten minutes without synchronisation there is no hurry any more. */
const SLOW_POLL_MS = 10_000;
const SLOW_AFTER_MS = 600_000;
/** Once synchronised, steps are looked for at each stamp; this loop only wakes to sweep up. */
const IDLE_MS = 3_600_000;
/** NTP slews differences below 128 ms (RFC 5905, STEPT); what moves the clock by more than this at once is a step. */
const STEP_MS = 500;

export interface ClockState {
  /** `waiting`: readings are kept back until their time is known; `unsynced`: waited long enough, they go out marked. */
  readonly state: 'waiting' | 'synced' | 'unsynced';
  /** The last jump of the wall clock after it was believed, in ms; forward is positive. */
  readonly lastStepMs?: number;
}

export interface ClockKeeperParts {
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
 */
export class ClockKeeper {
  readonly #parts: ClockKeeperParts;
  readonly #startedMs: number;
  #state: ClockState['state'] = 'waiting';
  #wallMinusMonotonicMs: number;
  #lastStepMs: number | undefined;

  constructor(parts: ClockKeeperParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
    this.#wallMinusMonotonicMs = parts.clock.nowMs() - this.#startedMs;
  }

  state(): ClockState {
    return { state: this.#state, ...(this.#lastStepMs !== undefined && { lastStepMs: this.#lastStepMs }) };
  }

  /**
   * The stamp for a measurement that ended just now, and the monotonic time of it. Hand it to the journal without waiting in
   * between, so that a settlement can't overtake it.
   */
  stamp(): { readonly stamp: Stamp; readonly monotonicMs: number } {
    const monotonicMs = this.#parts.clock.monotonicMs();
    const tsMs = Math.round(this.#parts.clock.nowMs());
    this.#noticeStep(tsMs - monotonicMs);
    return { stamp: { state: this.#state === 'waiting' ? 'pending' : this.#state, tsMs }, monotonicMs };
  }

  /** First look at the clock, before the first sample: settles what earlier boots left and, where possible, this one. */
  async begin(): Promise<void> {
    const { journals, clock } = this.#parts;
    for (const bootId of journals.pendingBootIds()) {
      // Nobody can tell any more how wrong that boot's clock was: its times stay as they are, marked.
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
        (calledOff) => clock.sleep(idleMs, calledOff),
        (calledOff) => settings.changed(version, calledOff),
      ]).catch(() => undefined);
    }
    progress.end();
  }

  async #look(): Promise<void> {
    if (this.#state !== 'synced') await this.#lookForSync();
    const { journals, clock } = this.#parts;
    // Belt and braces: a reading that was stamped before the change of state and journaled after it.
    if (this.#state !== 'waiting' && journals.pendingBootIds().includes(clock.bootId)) await this.#settle();
  }

  async #lookForSync(): Promise<void> {
    const { settings, probe, clock, log } = this.#parts;
    const sync = settings.current.source === 'trust' ? 'synced' : await probe();
    if (sync !== 'unsynced') {
      this.#wallMinusMonotonicMs = clock.nowMs() - clock.monotonicMs();
      const before = this.#state;
      this.#state = 'synced';
      await this.#settle();
      if (before === 'unsynced') log.info({}, 'the clock is synchronised now');
    } else if (this.#state === 'waiting' && clock.monotonicMs() - this.#startedMs >= settings.current.clockWaitMs) {
      this.#state = 'unsynced';
      log.warn(
        {},
        `the clock was not synchronised within ${settings.current.clockWaitMs / 1000} s; readings go out marked "unsynced"`,
      );
      await this.#settle();
    }
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

  #noticeStep(wallMinusMonotonicMs: number): void {
    const stepMs = wallMinusMonotonicMs - this.#wallMinusMonotonicMs;
    if (this.#state === 'synced' && Math.abs(stepMs) >= STEP_MS) {
      this.#lastStepMs = Math.round(stepMs);
      this.#parts.log.warn({ stepMs: this.#lastStepMs }, `the wall clock jumped by ${(stepMs / 1000).toFixed(1)} s`);
      this.#parts.onChange();
    }
    if (this.#state === 'synced') this.#wallMinusMonotonicMs = wallMinusMonotonicMs;
  }

  #pollMs(): number {
    if (this.#state === 'synced') return IDLE_MS;
    return this.#parts.clock.monotonicMs() - this.#startedMs > SLOW_AFTER_MS ? SLOW_POLL_MS : POLL_MS;
  }
}
