import { writeSync } from 'node:fs';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';
import { batchOf, itemsOf, numbered } from '../store-messages.ts';

/** Another process that commits batches as fast as the disk takes them, until it is killed: `path first-batch size`. Says each once it is in. */
const [path = '', first = '0', size = '1'] = process.argv.slice(2);
const store = await openSqliteStore({ path, clock: createSystemClock() });
for (let batch = Number(first); ; batch += 1) {
  const items = Array.from({ length: Number(size) }, (_, index) => numbered(batch * Number(size) + index + 1));
  await store.commit(batchOf([itemsOf('d', items)]));
  // Written before anything else happens: what the parent has not read by a kill was still said.
  writeSync(1, `${batch}\n`);
}
