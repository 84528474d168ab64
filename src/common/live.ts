/** A value that changes while the program runs, such as one section of the config. */
export interface Live<T> {
  /** The newest value; frozen. Parts read it anew wherever they use it and keep no copy. */
  readonly current: T;
  /** Counts changes from 0. Lets a waiter that was busy notice that it missed some. */
  readonly version: number;
  /**
   * Resolves at the next change after `sinceVersion` (at once if there was one already); rejects with the signal's reason.
   * A section that was loaded again with equal content has not changed. Leaves no listener behind.
   */
  changed(sinceVersion: number, signal: AbortSignal): Promise<void>;
}
