import { StoreError } from '../store.ts';

/** The same calls without promises, for code on the thread that holds the database. */
export type Sync<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : T[K];
};

/** The same calls as another thread makes them. */
export type Async<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;
};

/** A connection on the thread that holds it, with the calls that it answers. */
export interface Connection<Calls> {
  readonly calls: Calls;
  close(): void;
}

/** A connection as its users see it, wherever it is; its calls are carried out in order. */
export interface Client<Calls> {
  readonly calls: Async<Calls>;
  /** Waits for the calls that are under way, then closes the file. */
  close(): Promise<void>;
}

/** The same calls, each made through `around`. */
export function mapCalls<Calls extends object>(calls: Calls, around: (call: () => unknown) => unknown): Calls {
  const mapped = Object.entries(calls).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
    name,
    (...args: unknown[]) => around(() => call(...args)),
  ]);
  return Object.fromEntries(mapped) as Calls;
}

/** On the calling thread: for commands and tests, which may wait. */
export function createInProcessClient<Calls extends object>(connection: Connection<Calls>): Client<Calls> {
  let isOpen = true;
  // An async function: what the call throws becomes a rejection.
  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  const calls = mapCalls(connection.calls, async (call) => {
    if (!isOpen) throw new StoreError('STORE_UNAVAILABLE', 'The store is closed');
    return call();
  });
  return {
    calls: calls as unknown as Async<Calls>,
    close() {
      if (isOpen) connection.close();
      isOpen = false;
      return Promise.resolve();
    },
  };
}
