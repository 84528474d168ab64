import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../../../src/platform/clock.ts';
import { integrityOf, integrityReport } from '../../../../../src/server/commands/verify.ts';
import { openSqliteStore } from '../../../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../../../src/server/store/store.ts';
import { Sqlite } from '../../../../support/sqlite.ts';
import { storeFolder } from '../../../../support/sqlite-store.ts';
import { commit, itemsOf, numbered } from '../../../../support/store-messages.ts';

const never = new AbortController().signal;

describe('the tables of a record, held against its readings', () => {
  let path = '';
  let remove: () => Promise<void>;
  let store: Store;
  beforeEach(async () => {
    ({ path, remove } = await storeFolder());
    store = await openSqliteStore({ path, clock: createSystemClock() });
    // Over several hours, once more, and back in time.
    await commit(store, [
      itemsOf(
        'd',
        Array.from({ length: 300 }, (_, index) => numbered(index + 1)),
      ),
    ]);
    await commit(store, [itemsOf('d', [numbered(300), numbered(7)]), itemsOf('e', [numbered(1)])]);
  });
  afterEach(async () => {
    await store.close();
    await remove();
  });
  const faults = async (): Promise<readonly string[]> =>
    (await integrityOf(store, [{ uid: 'd' }, { uid: 'e' }, { uid: 'unknown' }], never)).faults;
  const spoil = (sql: string): void => {
    const db = new Sqlite(path);
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    db.close();
  };

  it('agree, and the record is named', async () => {
    expect(await faults()).toEqual([]);
    const found = await integrityOf(store, [], never);
    expect(found.record).toMatchObject({ id: store.record.id, formerIds: [], strayDevices: 0 });
    expect(integrityReport(found)).toContain('Its tables agree with each other');
    await store.removeDevice('e', 'delete', 5);
    expect(await faults()).toEqual([]);
  });

  it.each([
    ['DELETE FROM readings WHERE seq = 300', /newest reading is not among its readings/],
    ["DELETE FROM latest WHERE device_id = (SELECT id FROM devices WHERE uid = 'd')", /no newest one/],
    ['DELETE FROM readings WHERE seq = 100', /d: 1 of \d+ hourly sums do not agree/],
    ['UPDATE readings SET temperature = 99 WHERE seq = 100', /hourly sums do not agree/],
    ['UPDATE rollups_hourly SET humidity_sum = humidity_sum + 1', /hourly sums do not agree/],
    ['DELETE FROM rollups_hourly', /hourly sums do not agree/],
    ['INSERT INTO rollups_hourly SELECT device_id, 0, 1, 1, 1, 1, 1, 1, 1 FROM latest', /first of 1970/],
    ['UPDATE readings SET epoch_id = 77 WHERE seq = 5', /epoch\(s\) that are not known/],
    ['UPDATE readings SET device_id = 77 WHERE seq = 5', /readings of 1 device\(s\) that the record does not know/],
  ])('are found to differ after %s', async (sql, words) => {
    spoil(sql);
    expect((await faults()).join('\n')).toMatch(words);
  });
});
