import { afterEach, describe } from 'vitest';
import type { StoreAtHand, WithStore } from './store-at-hand.ts';
import { describeCatalogue } from './store-contract-catalogue.ts';
import { describeCommit } from './store-contract-commit.ts';
import { describeNewest } from './store-contract-newest.ts';
import { describePlacementProperties, describeRollupProperties } from './store-contract-properties.ts';
import { describeQuarantine } from './store-contract-quarantine.ts';
import { describeStoreReading } from './store-contract-reading.ts';
import { describeRegistration } from './store-contract-registration.ts';

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
    describeNewest(withStore);
    describeQuarantine(withStore);
    describeRegistration(withStore);
    describeCatalogue(withStore);
    describePlacementProperties(withStore);
    describeRollupProperties(withStore);
    describeStoreReading('it', async () => (await withStore()).store);
  });
}
