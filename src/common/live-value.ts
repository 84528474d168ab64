import { isDeepStrictEqual } from 'node:util';
import type { Live } from './live.ts';

/** A live value with the end that changes it; parts are given it as `Live`. */
export interface LiveValue<T> extends Live<T> {
  /** Wakes all who wait, unless the new value equals the old one in depth: then the old object stays. */
  set(value: T): void;
}

/** The implementation of Live. The value should be frozen: everyone holds the same object. */
export function createLiveValue<T>(initial: T): LiveValue<T> {
  let current = initial;
  let version = 0;
  const waiters = new Set<() => void>();

  return {
    get current() {
      return current;
    },
    get version() {
      return version;
    },
    set(value) {
      if (isDeepStrictEqual(current, value)) return;
      current = value;
      version += 1;
      // A waiter that waits again at once belongs to the next change.
      const waking = [...waiters];
      waiters.clear();
      for (const wake of waking) wake();
    },
    async changed(sinceVersion, signal) {
      signal.throwIfAborted();
      if (version > sinceVersion) return;
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
}
