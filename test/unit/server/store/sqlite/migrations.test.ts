import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../../../src/server/store/sqlite/migrate.ts';
import type { SqliteStoreOptions } from '../../../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../../../src/server/store/store.ts';
import { makeV1 } from '../../../../fixtures/store/make-v1.ts';
import { type Database, Sqlite } from '../../../../support/sqlite.ts';
import { OpenedStores, storeWorkerUrl } from '../../../../support/sqlite-store.ts';
import { failing } from '../../../../support/store-error.ts';
import { allReadings, commit, itemsOf, numbered } from '../../../../support/store-messages.ts';

const fixtures = join(import.meta.dirname, '../../../../fixtures/store');
const DAY_MS = 24 * 3_600_000;
const START_MS = Date.UTC(2026, 0, 10);

describe('opening a database file', () => {
  let folder = '';
  let path = '';
  const opened = new OpenedStores();
  const open = async (options: Partial<SqliteStoreOptions> = {}): Promise<Store> =>
    await opened.open({ path, ...options });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'techtemp-migrations-'));
    path = join(folder, 'techtemp.db');
  });
  afterEach(async () => {
    await opened.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('makes the folder and the file, without a copy beside it', async () => {
    path = join(folder, 'new', 'place', 'techtemp.db');
    const store = await open();
    expect(await store.health(30_000)).toMatchObject({ isOk: true, schemaVersion: SCHEMA_VERSION });
    await store.close();
    expect(await readdir(join(folder, 'new', 'place'))).toEqual(['techtemp.db', 'techtemp.db.identity']);
  });

  it('has a fixture of each older schema version', async () => {
    const versions = Array.from({ length: SCHEMA_VERSION - 1 }, (_, index) => `v${index + 1}.db`);
    expect((await readdir(fixtures)).filter((name) => name.endsWith('.db'))).toEqual(versions);
  });

  it('keeps the fixture of version 1 as its script makes it', () => {
    const kept = new Sqlite(join(fixtures, 'v1.db'), { readonly: true });
    const made = new Sqlite(':memory:');
    makeV1(made);
    for (const table of ['sqlite_schema', 'readings', 'rollups_hourly', 'latest', 'devices', 'placements']) {
      const rows = (db: Database): unknown[] =>
        db
          .prepare(`SELECT * FROM ${table}`)
          .all()
          .map((row) => JSON.stringify({ ...(row as object), rootpage: 0 }))
          .sort();
      expect(rows(kept)).toEqual(rows(made));
    }
    kept.close();
  });

  it('brings a database of version 1 to the present, content intact, with a copy beside it', async () => {
    await copyFile(join(fixtures, 'v1.db'), path);
    const said: object[] = [];
    const log = {
      debug: () => undefined,
      warn: () => undefined,
      error: () => undefined,
      info: (fields: object) => void said.push(fields),
    };
    const store = await open({ log });
    const backupPath = `${path}.before-v${SCHEMA_VERSION}`;
    expect(said).toEqual([{ path, fromVersion: 1, toVersion: SCHEMA_VERSION, backupPath }]);

    expect(
      (await store.devices({ withRemoved: true })).map(({ uid, state, room, label }) => [uid, state, room?.uid, label]),
    ).toEqual([
      ['aht20-0a1b2c', 'active', 'attic', 'By the window'],
      ['aht20-gone', 'removed', undefined, null],
      ['older-agent', 'active', 'garden', 'Garden'],
    ]);
    const { readings } = await allReadings(store, 'aht20-0a1b2c');
    expect(readings).toHaveLength(288);
    expect(readings[0]).toMatchObject({ seq: 1, isUnsynced: true, roomUid: 'kuche', temperatureCelsius: 21.03 });
    expect(readings[287]).toMatchObject({ seq: 288, epoch: 'k3v9x2', roomUid: 'attic' });
    expect((await allReadings(store, 'aht20-gone')).readings[0]).toMatchObject({ humidityPercent: 0 });
    expect((await store.buckets('all', [START_MS, START_MS + DAY_MS]))[0]).toMatchObject({ count: 288 + 288 + 12 });
    expect((await store.gaps({ limit: 9 })).gaps).toMatchObject([{ ofEpoch: 'k3v9x2', reason: 'thinned' }]);
    expect((await store.rejected({ limit: 9 })).rejected).toMatchObject([{ count: 3 }]);
    expect(await store.tokens()).toEqual([]);
    const { counts } = await commit(store, [itemsOf('aht20-0a1b2c', [numbered(500, { epoch: 'k3v9x2' })])]);
    expect(counts).toMatchObject({ stored: 1, registered: 0 });

    const copy = new Sqlite(backupPath, { readonly: true });
    expect(copy.pragma('user_version', { simple: true })).toBe(1);
    expect(copy.prepare('SELECT count(*) FROM readings').pluck().get()).toBe(588);
    copy.close();
  });

  it('gives a database of version 2 an identity, which stays', async () => {
    await copyFile(join(fixtures, 'v2.db'), path);
    const store = await open();
    const { id, note } = store.record;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(note).toBeUndefined();
    expect(await store.tokens()).toMatchObject([{ name: 'the wall' }]);
    await store.close();
    expect((await open()).record.id).toBe(id);
  });

  it('migrates once', async () => {
    await copyFile(join(fixtures, 'v1.db'), path);
    await (await open()).close();
    const names = await readdir(folder);
    await rm(`${path}.before-v${SCHEMA_VERSION}`);
    const store = await open();
    expect((await store.devices()).length).toBe(2);
    await store.close();
    expect(await readdir(folder)).toEqual(names.filter((name) => !name.includes('before')));
  });

  it('is safe when several open it at once', async () => {
    await copyFile(join(fixtures, 'v1.db'), path);
    const workerUrl = await storeWorkerUrl();
    const stores = await Promise.all(Array.from({ length: 3 }, () => open({ engine: 'threads', workerUrl })));
    for (const store of stores) expect((await allReadings(store, 'older-agent')).readings).toHaveLength(288);
    for (const store of stores) await store.close();
    const copy = new Sqlite(`${path}.before-v${SCHEMA_VERSION}`, { readonly: true });
    expect(copy.pragma('user_version', { simple: true })).toBe(1);
    copy.close();
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is safe when several make it at once', async () => {
    const workerUrl = await storeWorkerUrl();
    const stores = await Promise.all(Array.from({ length: 3 }, () => open({ engine: 'threads', workerUrl })));
    await Promise.all(stores.map((store, index) => commit(store, [itemsOf(`d${index}`, [numbered(1)])])));
    expect((await stores[0]!.devices()).length).toBe(3);
  });

  it('leaves a database as it was when a migration fails', async () => {
    await copyFile(join(fixtures, 'v1.db'), path);
    const before = new Sqlite(path);
    before.exec('CREATE TABLE tokens (mine TEXT)');
    before.close();
    await expect(open()).rejects.toThrow('tokens');
    const after = new Sqlite(path, { readonly: true });
    expect(after.pragma('user_version', { simple: true })).toBe(1);
    expect(after.prepare('SELECT count(*) FROM readings').pluck().get()).toBe(588);
    after.close();
  });

  it('refuses the schema of a newer version, says what to do, and changes nothing', async () => {
    await (await open()).close();
    const db = new Sqlite(path);
    db.pragma(`user_version = ${SCHEMA_VERSION + 5}`);
    db.close();
    const bytes = await readFile(path);
    await expect(open()).rejects.toEqual(failing('STORE_NEWER_SCHEMA'));
    await expect(open()).rejects.toThrow(new RegExp(`newer TechTemp.*before-v${SCHEMA_VERSION + 5}`, 's'));
    await expect(open({ engine: 'threads', workerUrl: await storeWorkerUrl() })).rejects.toEqual(
      failing('STORE_NEWER_SCHEMA'),
    );
    expect(await readFile(path)).toEqual(bytes);
  });

  it.each([
    ['a text', Buffer.from('[server]\nport = 3000\n'.repeat(400))],
    ['a few bytes', Buffer.from('x')],
    ['zeros', Buffer.alloc(8192)],
  ])('refuses what is no database (%s), says what to do, and leaves it alone', async (_, bytes) => {
    await writeFile(path, bytes);
    await expect(open()).rejects.toEqual(failing('STORE_DAMAGED'));
    await expect(open()).rejects.toThrow(path);
    expect(await readFile(path)).toEqual(bytes);
    expect(await readdir(folder)).toEqual(['techtemp.db']);
  });

  it('refuses the database of another program', async () => {
    const other = new Sqlite(path);
    other.exec('CREATE TABLE readings_raw (device_id INTEGER, ts TEXT)');
    other.close();
    const bytes = await readFile(path);
    await expect(open()).rejects.toEqual(failing('STORE_DAMAGED'));
    expect(await readFile(path)).toEqual(bytes);
  });

  it('says which file it is when its pages are damaged', async () => {
    await copyFile(join(fixtures, 'v1.db'), path);
    const bytes = await readFile(path);
    bytes.fill(0xaa, 4096, 3 * 4096);
    await writeFile(path, bytes);
    await expect(open()).rejects.toEqual(failing('STORE_DAMAGED'));
    expect(await readFile(path)).toEqual(bytes);
  });

  it('does not take an empty file for a first start', async () => {
    await writeFile(path, '');
    await expect(open()).rejects.toEqual(failing('STORE_MISSING'));
    expect(await readdir(folder)).toEqual(['techtemp.db']);
  });

  it('says what is wrong with a path that cannot be a file', async () => {
    path = folder;
    await expect(open()).rejects.toEqual(failing('STORE_UNAVAILABLE'));
  });
});
