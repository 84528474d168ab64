import type { Store } from '../../src/server/store/store.ts';

/** A store of an implementation, empty at first, that can be closed and opened again. */
export interface StoreAtHand {
  readonly store: Store;
  /** Closes and opens it; the same content. */
  readonly reopen: () => Promise<Store>;
  /** Closes it and removes everything. */
  readonly remove: () => Promise<void>;
}

/** Gives each test an empty store, and clears up behind it. */
export type WithStore = () => Promise<StoreAtHand>;
