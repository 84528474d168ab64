import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqliteStoreOptions } from '../../../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../../../src/server/store/store.ts';
import { Sqlite } from '../../../../support/sqlite.ts';
import { OpenedStores, storeFolder } from '../../../../support/sqlite-store.ts';
import { failing } from '../../../../support/store-error.ts';
import { commitNumbers } from '../../../../support/store-messages.ts';
import { until } from '../../../../support/until.ts';

let path = '';
let remove: () => Promise<void>;
const opened = new OpenedStores();
const open = async (options: Partial<SqliteStoreOptions> = {}): Promise<Store> =>
  await opened.open({ path, ...options });
const seqsIn = (file: string): readonly unknown[] => {
  const db = new Sqlite(file, { readonly: true });
  try {
    return db.prepare('SELECT seq FROM readings ORDER BY seq').pluck().all();
  } finally {
    db.close();
  }
};
const rescued = (): string[] => readdirSync(dirname(path)).filter((name) => /rescued-.*Z$/.test(name));

beforeEach(async () => {
  ({ path, remove } = await storeFolder());
  path = join(dirname(path), 'record', 'techtemp.db');
});
afterEach(async () => {
  await opened.close();
  await remove();
});

/** What others may do to the files of a record that is open. */
const LOSSES: readonly (readonly [string, string, RegExp, () => void])[] = [
  ['the files are removed', 'STORE_MISSING', /was removed or moved away/, () => removeAll()],
  ['the database alone is removed', 'STORE_MISSING', /techtemp\.db was removed/, () => rmSync(path)],
  ['it is moved away', 'STORE_MISSING', /was removed or moved away/, () => renameSync(path, `${path}.elsewhere`)],
  [
    'its folder is removed',
    'STORE_MISSING',
    /was removed or moved away/,
    () => rmSync(dirname(path), { recursive: true }),
  ],
  [
    'its folder is moved away',
    'STORE_MISSING',
    /was removed/,
    () => renameSync(dirname(path), `${dirname(path)}.away`),
  ],
  [
    'it is replaced by a copy of itself',
    'STORE_REPLACED',
    /is not the file that the server writes to/,
    () => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
  ],
  [
    'it is replaced by a link to where it was moved',
    'STORE_REPLACED',
    /is not the file/,
    () => {
      renameSync(path, `${path}.moved`);
      symlinkSync(`${path}.moved`, path);
    },
  ],
];

describe('a record whose files others take away while it is written (A1)', () => {
  it.each(LOSSES)('acknowledges nothing more once %s, and saves what was stored', async (_, code, words, lose) => {
    const record = await open();
    await commitNumbers(record, 1, 2, 3);
    lose();
    await expect(commitNumbers(record, 4)).rejects.toEqual(failing(code, words));
    await expect(record.addRoom({ name: 'Attic' })).rejects.toEqual(failing(code, words));
    await expect(record.revokeToken('x', 5)).rejects.toEqual(failing(code, words));
    await until('it is saved', () => rescued().length > 0);
    const [file = ''] = rescued();
    expect(await record.health(30_000)).toMatchObject({
      isOk: false,
      isLost: true,
      problem: expect.stringContaining(`techtemp-server init --from ${join(dirname(path), file)}`) as unknown,
    });
    // What came when it was found out may be in it; all that was acknowledged is.
    expect(seqsIn(join(dirname(path), file)).slice(0, 3)).toEqual([1, 2, 3]);
    await expect(commitNumbers(record, 4)).rejects.toEqual(failing(code, /saved to .*rescued/));
    expect(rescued()).toHaveLength(1);
  });

  it('is saved when its files go one after the other, and the loss of the log is noticed first', async () => {
    const record = await open();
    await commitNumbers(record, 1, 2, 3);
    for (const part of ['-wal', '-shm']) rmSync(`${path}${part}`);
    await expect(commitNumbers(record, 4)).rejects.toEqual(failing('STORE_MISSING', /log of the record/));
    await until('it is written back', async () =>
      /Restart the server/.test((await record.health(30_000)).problem ?? ''),
    );
    rmSync(path);
    await expect(commitNumbers(record, 4)).rejects.toEqual(failing('STORE_MISSING', /techtemp\.db was removed/));
    await until('it is saved', () => rescued().length > 0);
    const file = join(dirname(path), rescued()[0] ?? '');
    expect(seqsIn(file).slice(0, 3)).toEqual([1, 2, 3]);
    const { isLost, problem } = await record.health(30_000);
    expect([isLost, problem]).toEqual([true, expect.stringContaining(`init --from ${file}`)]);
  });

  it('goes on when the files are back', async () => {
    const record = await open();
    await commitNumbers(record, 1);
    const away = `${dirname(path)}.away`;
    renameSync(dirname(path), away);
    expect(await record.health(30_000)).toMatchObject({ isOk: false });
    rmSync(dirname(path), { recursive: true });
    renameSync(away, dirname(path));
    await commitNumbers(record, 2);
    expect((await record.health(30_000)).isOk).toBe(true);
    await record.close();
    expect(seqsIn(path)).toEqual([1, 2]);
  });

  it('has all in the database file when its log alone was removed: a restart cures it', async () => {
    const record = await open();
    await commitNumbers(record, 1, 2);
    rmSync(`${path}-wal`);
    await expect(commitNumbers(record, 3)).rejects.toEqual(
      failing('STORE_MISSING', /log of the record .*-wal was removed/),
    );
    await until('it is written back', async () => (await record.health(30_000)).problem?.includes('Restart') === true);
    const health = await record.health(30_000);
    expect(health).toMatchObject({ isOk: false });
    expect(health.isLost).toBeUndefined();
    // As after a kill: what lies on the disk, without the files that are open.
    const copy = join(dirname(path), 'killed', 'techtemp.db');
    mkdirSync(dirname(copy));
    copyFileSync(path, copy);
    copyFileSync(`${path}.identity`, `${copy}.identity`);
    const again = await open({ path: copy });
    expect((await again.numbers('d')).epochs[0]?.readings[0]?.[1]).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['its log is emptied', () => truncateSync(`${path}-wal`, 0), /-wal was cut off to 0 bytes/],
    ['its log is cut', () => truncateSync(`${path}-wal`, 20_000), /-wal was cut off/],
    ['its log is overwritten', () => writeFileSync(`${path}-wal`, Buffer.alloc(1_000_000)), /-wal was/],
    ['it is emptied', () => truncateSync(path, 0), /techtemp\.db was cut off/],
    ['it is cut', () => truncateSync(path, 20_000), /techtemp\.db was cut off/],
    ['it is overwritten', () => writeFileSync(path, Buffer.alloc(1_000_000, 'x')), /was overwritten/],
    ['the index of its log is removed', () => rmSync(`${path}-shm`), /index of the log .*-shm was removed/],
  ])('acknowledges nothing more once %s', async (_, spoil, words) => {
    const record = await open();
    await commitNumbers(record, 1, 2, 3);
    await commitNumbers(record, 4);
    spoil();
    await expect(commitNumbers(record, 5)).rejects.toMatchObject({ message: expect.stringMatching(words) as unknown });
    expect(await record.health(30_000)).toMatchObject({ isOk: false });
    await expect(commitNumbers(record, 5)).rejects.toMatchObject({ message: expect.stringMatching(words) as unknown });
  });

  it('notices a hole in its log that was cut and written on', async () => {
    const record = await open();
    await commitNumbers(record, 1);
    await commitNumbers(record, 2);
    truncateSync(`${path}-wal`, readFileSync(`${path}-wal`).length - 4_096);
    await expect(commitNumbers(record, 3)).rejects.toEqual(failing('STORE_REPLACED', /-wal was cut off/));
  });

  it('is not disturbed by what SQLite does itself: write-backs, other readers, a compaction by hand', async () => {
    const record = await open();
    for (let seq = 1; seq <= 5; seq += 1) await commitNumbers(record, seq);
    const other = new Sqlite(path);
    expect(other.prepare('SELECT count(*) FROM readings').pluck().get()).toBe(5);
    other.pragma('wal_checkpoint(TRUNCATE)');
    await commitNumbers(record, 6);
    other.exec('VACUUM');
    other.pragma('wal_checkpoint(TRUNCATE)');
    await commitNumbers(record, 7);
    other.close();
    const command = await open({ openedBy: 'command' });
    await command.addRoom({ name: 'Attic' });
    await command.close();
    await commitNumbers(record, 8);
    expect((await record.health(30_000)).isOk).toBe(true);
  });

  it('cuts its log back once a reader that kept it has gone, and never under it (D5)', async () => {
    const record = await open();
    await commitNumbers(record, 1);
    const reader = new Sqlite(path);
    reader.exec('BEGIN');
    expect(reader.prepare('SELECT count(*) FROM readings').pluck().get()).toBe(1);
    for (let seq = 2; seq <= 6; seq += 1) await commitNumbers(record, seq);
    const { logBytes = 0 } = await record.health(30_000);
    expect(logBytes).toBeGreaterThan(20_000);
    await record.trimLog();
    expect((await record.health(30_000)).logBytes).toBe(logBytes);
    expect(reader.prepare('SELECT count(*) FROM readings').pluck().get()).toBe(1);
    reader.exec('COMMIT');
    reader.close();
    await record.trimLog();
    expect((await record.health(30_000)).logBytes).toBeLessThan(20_000);
    await commitNumbers(record, 7);
    expect((await record.health(30_000)).isOk).toBe(true);
  });
});

function removeAll(): void {
  for (const name of readdirSync(dirname(path))) rmSync(join(dirname(path), name));
}
