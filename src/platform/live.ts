import { isDeepStrictEqual } from 'node:util';

/** A value that changes while the program runs, such as one section of the config. */
export interface Live<T> {
  /** The newest value; frozen. Parts read it again wherever they use it and keep no copy. */
  readonly current: T;
  /** Counts changes from 0. Lets a waiter that was busy notice that it missed some. */
  readonly version: number;
  /**
   * Resolves at the next change after `sinceVersion` (at once if there was one already); rejects with the signal's reason.
   * A section that was loaded again with equal content has not changed. Leaves no listener behind.
   */
  changed(sinceVersion: number, signal: AbortSignal): Promise<void>;
}

/** A live value with the end that changes it; parts are given it as `Live`. */
export interface LiveValue<T> extends Live<T> {
  /** Wakes all who wait, unless the new value equals the old one in depth: then the old object stays. */
  set(value: T): void;
}

/** The implementation of Live. The value should be frozen: everyone holds the same object. */
export function createLiveValue<T>(initial: T): LiveValue<T> {
  const waiters = new Set<() => void>();
  // Plain fields, no getters: a reading looks at the config dozens of times.
  const live = {
    current: initial,
    version: 0,
    set(value: T): void {
      if (isDeepStrictEqual(live.current, value)) return;
      live.current = value;
      live.version += 1;
      // A waiter that waits again at once belongs to the next change.
      const waking = [...waiters];
      waiters.clear();
      for (const wake of waking) wake();
    },
    async changed(sinceVersion: number, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      if (live.version > sinceVersion) return;
      await new Promise<void>((resolve, reject) => {
        const changed = (): void => {
          signal.removeEventListener('abort', aborted);
          resolve();
        };
        const aborted = (): void => {
          waiters.delete(changed);
          reject(signal.reason as Error);
        };
        waiters.add(changed);
        signal.addEventListener('abort', aborted, { once: true });
      });
    },
  };
  return live;
}

/** Calls back at each change of a live value until the signal is aborted. */
export async function followLive<T>(live: Live<T>, signal: AbortSignal, onChange: (value: T) => void): Promise<void> {
  for (let version = live.version; ; version = live.version) {
    await live.changed(version, signal);
    onChange(live.current);
  }
}
