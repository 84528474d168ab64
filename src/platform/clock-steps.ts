import type { Clock } from './clock.ts';

/**
 * NTP slews differences below 128 ms (RFC 5905, STEPT), timesyncd below 400; slewing moves both clocks alike. What moves the wall
 * clock against the monotonic clock by more than this is a step.
 */
const STEP_MS = 500;

/** One look at both clocks. */
export interface ClockLook {
  readonly monotonicMs: number;
  readonly wallMinusMonotonicMs: number;
  /** The clock was stepped since the look before, and is in doubt from now on; forward is positive. */
  readonly stepMs?: number;
}

/** A clock that was stepped; all in ms. */
interface Doubt {
  /** Wall clock minus monotonic clock, since the newest step. */
  readonly wallMinusMonotonicMs: number;
  readonly sinceMs: number;
}

/**
 * Notices when a wall clock that was believed is stepped. It is in doubt then, until it is believed again. Time during which the machine
 * was suspended is no step: its wall clock goes on then, and its monotonic clock does not.
 */
export class ClockSteps {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'suspendedMs'>;
  /** Wall clock minus monotonic clock while it was believed; undefined before it ever was. */
  #believedMs: number | undefined;
  #doubt: Doubt | undefined;
  /** Monotonic time of the newest look. */
  #seenMs: number;
  #suspendedMs: number;

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'suspendedMs'>) {
    this.#clock = clock;
    this.#seenMs = clock.monotonicMs();
    this.#suspendedMs = clock.suspendedMs();
  }

  /** A time of the stepped clock that is not later than the step: what confirms it is newer. Undefined while there is no doubt. */
  get doubtedSinceMs(): number | undefined {
    return this.#doubt?.sinceMs;
  }

  /** The clock is right at this moment. @returns wall clock minus monotonic clock */
  believe(): number {
    this.#doubt = undefined;
    this.#seenMs = this.#clock.monotonicMs();
    this.#suspendedMs = this.#clock.suspendedMs();
    this.#believedMs = this.#clock.nowMs() - this.#seenMs;
    return this.#believedMs;
  }

  /** Whether a clock in doubt is where it was before it was stepped. */
  isBack(): boolean {
    const { wallMinusMonotonicMs } = this.look();
    return this.#believedMs !== undefined && Math.abs(wallMinusMonotonicMs - this.#believedMs) < STEP_MS;
  }

  look(): ClockLook {
    const seenBeforeMs = this.#seenMs;
    const monotonicMs = this.#clock.monotonicMs();
    this.#seenMs = monotonicMs;
    const wallMinusMonotonicMs = this.#clock.nowMs() - monotonicMs;
    const before = this.#doubt?.wallMinusMonotonicMs ?? this.#believedMs;
    const look = { monotonicMs, wallMinusMonotonicMs };
    if (before === undefined) return look;
    const stepMs = wallMinusMonotonicMs - before;
    if (this.#wasSuspendedFor(stepMs)) {
      // As if nothing had happened, to what was believed too.
      this.#believedMs = (this.#believedMs ?? before) + stepMs;
      if (this.#doubt !== undefined) this.#doubt = { ...this.#doubt, wallMinusMonotonicMs };
      return look;
    }
    if (Math.abs(stepMs) < STEP_MS) {
      if (this.#doubt === undefined) this.#believedMs = wallMinusMonotonicMs;
      return look;
    }
    const isNew = this.#doubt === undefined;
    // Stepped again while in doubt, perhaps corrected: what confirms it has to be newer than that.
    this.#doubt = { wallMinusMonotonicMs, sinceMs: wallMinusMonotonicMs + seenBeforeMs };
    return isNew ? { ...look, stepMs: Math.round(stepMs) } : look;
  }

  #wasSuspendedFor(stepMs: number): boolean {
    const suspendedMs = this.#clock.suspendedMs();
    const sinceMs = suspendedMs - this.#suspendedMs;
    if (sinceMs < STEP_MS || Math.abs(stepMs - sinceMs) >= STEP_MS) return false;
    this.#suspendedMs = suspendedMs;
    return true;
  }
}
