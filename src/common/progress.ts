/**
 * How loops prove that they move: each names the time by which it will have moved on, and says so again after finished work.
 * src/common/watchdog.ts feeds systemd from these words alone, never from a timer.
 */
export interface Progress {
  /**
   * "I have just finished work, and will say so again within `withinMs`." Feeds the watchdog unless another loop is overdue.
   * An offline broker or an absent sensor is finished work too: a restart cures neither.
   */
  beat(withinMs: number): void;
  /** The loop ended in good order and is no longer waited for. */
  end(): void;
}

export interface ProgressBoard {
  /** Longest time for which a loop may idle without a beat (WATCHDOG_USEC / 3), or Infinity without a watchdog. */
  readonly maxIdleMs: number;
  /** Registers a loop by its name; it is waited for from its first beat on. */
  loop(name: string): Progress;
}
