import { StoreError } from '../store.ts';
import type { Caller } from './caller.ts';
import type { OpenSide, Role } from './sides.ts';

/** A side on the calling thread: for commands and tests, which may wait. */
export function createInProcessCaller<R extends Role>(open: OpenSide<R>): Caller<R> {
  let isOpen = true;
  return {
    // An async function: what the side throws becomes a rejection.
    // eslint-disable-next-line @typescript-eslint/require-await -- as above
    async call(method, ...args) {
      if (!isOpen) throw new StoreError('STORE_UNAVAILABLE', 'The store is closed');
      const call = open.side[method] as (...args: unknown[]) => never;
      return call(...args);
    },
    close() {
      if (isOpen) open.close();
      isOpen = false;
      return Promise.resolve();
    },
  };
}
