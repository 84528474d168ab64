import { loadSqlite } from '../../src/server/store/sqlite/database.ts';

export type { Database } from '../../src/server/store/sqlite/database.ts';

/** The better-sqlite3 that fits this Node.js, as the store chooses it: the other one may end the process (see loadSqlite). */
export const Sqlite = await loadSqlite();
