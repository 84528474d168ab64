import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openSqliteStore } from '../../../../src/server/store/sqlite/open-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { describeStoreReading } from '../../../support/store-contract-reading.ts';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-store-'));
let opened = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeStoreReading('SQLite', () => {
  opened += 1;
  return openSqliteStore({ path: join(folder, `${opened}.db`), clock: new FakeClock() });
});
