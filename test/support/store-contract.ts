import { afterEach, describe } from 'vitest';
import type { Store } from '../../src/server/store/store.ts';
import { describeCatalogue } from './store-contract-catalogue.ts';
import { describeCommit } from './store-contract-commit.ts';
import { describePlacementProperties, describeRollupProperties } from './store-contract-properties.ts';
import { describeStoreReading } from './store-contract-reading.ts';
import { describeRegistration } from './store-contract-registration.ts';

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

/**
 * What src/server/store promises, for every implementation: an implementation passes when it is plugged in here.
 */
export function describeStore(name: string, open: () => Promise<StoreAtHand>): void {
  describe(`the store, ${name}`, () => {
    const opened: StoreAtHand[] = [];
    afterEach(async () => {
      for (const atHand of opened.splice(0)) await atHand.remove();
    });
    const withStore: WithStore = async () => {
      const atHand = await open();
      opened.push(atHand);
      return atHand;
    };
    describeCommit(withStore);
    describeRegistration(withStore);
    describeCatalogue(withStore);
    describePlacementProperties(withStore);
    describeRollupProperties(withStore);
    describeStoreReading('it', async () => (await withStore()).store);
  });
}
