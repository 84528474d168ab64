import { openSqliteAtHand } from '../../../../support/sqlite-store.ts';
import { describeStore } from '../../../../support/store-contract.ts';

describeStore('SQLite in the process', () => openSqliteAtHand({ engine: 'in-process' }));
