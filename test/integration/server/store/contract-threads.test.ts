import { openSqliteAtHand, storeWorkerUrl } from '../../../support/sqlite-store.ts';
import { describeStore } from '../../../support/store-contract.ts';

describeStore('SQLite on threads', async () =>
  openSqliteAtHand({ engine: 'threads', workerUrl: await storeWorkerUrl() }),
);
