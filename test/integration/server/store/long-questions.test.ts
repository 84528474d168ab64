import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../../../src/server/store/store.ts';
import { Sqlite } from '../../../support/sqlite.ts';
import { OpenedStores, storeFolder, storeWorkerUrl } from '../../../support/sqlite-store.ts';

const [DEVICES, READINGS, EVERY_MS] = [10, 60_000, 1_000];
const MINUTE_MS = 60_000;

/** The record is asked for every minute of every device at once. */
describe('a question that needs all readings of the record', () => {
  const opened = new OpenedStores();
  let store: Store;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    const folder = await storeFolder();
    remove = folder.remove;
    await opened.open({ path: folder.path });
    await opened.close();
    const db = new Sqlite(folder.path);
    for (let id = 1; id <= DEVICES; id += 1) {
      db.prepare("INSERT INTO devices (id, uid, state, created_ms) VALUES (?, ?, 'active', 0)").run(id, `d${id}`);
    }
    db.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${READINGS})
       INSERT INTO readings SELECT d.id, i * ${EVERY_MS}, 0, 0, 20, 50, 0 FROM devices d CROSS JOIN n`,
    ).run();
    db.close();
    store = await opened.open({ path: folder.path, engine: 'threads', workerUrl: await storeWorkerUrl() });
  });
  afterAll(async () => {
    await opened.close();
    await remove();
  });

  it('lets others be answered between its steps', async () => {
    const edges = Array.from({ length: (READINGS * EVERY_MS) / MINUTE_MS + 1 }, (_, index) => index * MINUTE_MS);
    const progress = { isDone: false, answered: 0 };
    const long = store.buckets('all', edges).finally(() => {
      progress.isDone = true;
    });
    while (!progress.isDone) {
      await store.latest();
      progress.answered += 1;
    }
    expect((await long).reduce((sum, { count }) => sum + count, 0)).toBe(DEVICES * READINGS);
    // One or two in a question that is answered in one piece.
    expect(progress.answered).toBeGreaterThanOrEqual(5);
  });
});
