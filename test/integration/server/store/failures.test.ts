import { existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { createSystemClock } from '../../../../src/platform/clock.ts';
import {
  openSqliteStore,
  type SqliteStoreOptions,
  type StoreEngine,
} from '../../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../../src/server/store/store.ts';
import { bundleForChild } from '../../../support/bundle.ts';
import { mountTmpfs } from '../../../support/own-file-system.ts';
import { Sqlite } from '../../../support/sqlite.ts';
import { OpenedStores, storeFolder, storeWorkerUrl } from '../../../support/sqlite-store.ts';
import { failing } from '../../../support/store-error.ts';
import {
  allReadings,
  batchOf,
  commit,
  HOUR_MS,
  itemsOf,
  numbered,
  rejectedOf,
  START_MS,
} from '../../../support/store-messages.ts';
import { until } from '../../../support/until.ts';

const ENGINES: readonly StoreEngine[] = ['in-process', 'threads'];
const MIB = 1024 * 1024;

describe.each(ENGINES)('a store with the engine %s', (engine) => {
  const opened = new OpenedStores();
  const open = async (path: string, options: Partial<SqliteStoreOptions> = {}): Promise<Store> =>
    await opened.open({ path, engine, workerUrl: await storeWorkerUrl(), ...options });
  const newPath = async (): Promise<string> => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    return path;
  };
  afterEach(async () => {
    await opened.close();
  });

  it('says STORE_BUSY while another process holds the database, changes nothing, and works again afterwards', async () => {
    const path = await newPath();
    const store = await open(path);
    await commit(store, [itemsOf('d', [numbered(1)])]);
    const other = new Sqlite(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(commit(store, [itemsOf('d', [numbered(2)]), itemsOf('new', [numbered(1)])])).rejects.toEqual(
      failing('STORE_BUSY'),
    );
    await expect(store.addDevices([{ uid: 'e' }], 5)).rejects.toEqual(failing('STORE_BUSY'));
    // Readers go on.
    expect((await allReadings(store, 'd')).readings).toHaveLength(1);
    expect(await store.health(30_000)).toMatchObject({
      isOk: false,
      problem: expect.stringContaining('locked') as unknown,
    });
    other.exec('ROLLBACK');
    other.close();
    const { counts } = await commit(store, [itemsOf('d', [numbered(2)]), itemsOf('new', [numbered(1)])]);
    expect(counts).toMatchObject({ stored: 2, registered: 1 });
    expect((await store.health(30_000)).isOk).toBe(true);
  });

  it('sees what another process changed between two commits', async () => {
    const path = await newPath();
    const store = await open(path);
    await commit(store, [itemsOf('d', [numbered(1)])]);
    const command = await openSqliteStore({ path, clock: createSystemClock() });
    await command.removeDevice('d', 'delete', 5);
    await command.close();
    const { counts } = await commit(store, [itemsOf('d', [numbered(2)])]);
    expect(counts).toMatchObject({ registered: 1, stored: 1 });
    expect((await allReadings(store, 'd')).readings.map(({ seq }) => seq)).toEqual([2]);
    expect(await countOf(store)).toBe(1);
  });

  it('says STORE_FULL on a full disk, changes nothing, and works again when there is space', async ({ skip }) => {
    const disk = mountTmpfs(8 * MIB);
    if (disk === undefined) return skip('needs the right to mount a file system');
    onTestFinished(() => disk.remove());
    const store = await open(join(disk.mountPoint, 'techtemp.db'));
    await commit(store, [itemsOf('d', [numbered(1)])]);
    const ballast = join(disk.mountPoint, 'ballast');
    fill(ballast);
    const items = Array.from({ length: 2_000 }, (_, index) => numbered(index + 2));
    await expect(commit(store, [itemsOf('d', items)])).rejects.toEqual(failing('STORE_FULL'));
    expect((await allReadings(store, 'd')).readings).toHaveLength(1);
    expect((await store.device('d'))?.latest?.seq).toBe(1);
    rmSync(ballast);
    expect((await commit(store, [itemsOf('d', items)])).counts).toMatchObject({ stored: 2_000, duplicates: 0 });
    expect(await countOf(store)).toBe(2_001);
    await store.close();
    const again = await open(join(disk.mountPoint, 'techtemp.db'));
    expect((await allReadings(again, 'd')).readings).toHaveLength(2_001);
    await again.close();
  });

  it('says STORE_FULL when there is no space to begin with, and leaves no handle behind', async ({ skip }) => {
    const disk = mountTmpfs(MIB);
    if (disk === undefined) return skip('needs the right to mount a file system');
    // Fails while anything on it is open.
    onTestFinished(() => disk.remove());
    const path = join(disk.mountPoint, 'techtemp.db');
    await (await open(path)).close();
    fill(join(disk.mountPoint, 'ballast'));
    await expect(open(path)).rejects.toEqual(failing('STORE_FULL'));
  });

  it('refuses to migrate without space for the copy, and leaves the database as it was', async ({ skip }) => {
    const disk = mountTmpfs(MIB);
    if (disk === undefined) return skip('needs the right to mount a file system');
    onTestFinished(() => disk.remove());
    const path = join(disk.mountPoint, 'techtemp.db');
    const fixture = new Sqlite(fileURLToPath(new URL('../../../fixtures/store/v1.db', import.meta.url)), {
      readonly: true,
    });
    await fixture.backup(path);
    fixture.close();
    // Enough for the log, not for the copy.
    const { bavail, bsize } = statfsSync(disk.mountPoint);
    writeFileSync(join(disk.mountPoint, 'ballast'), Buffer.alloc(bavail * bsize - 100 * 1024));
    await expect(open(path)).rejects.toEqual(failing('STORE_FULL'));
    rmSync(join(disk.mountPoint, 'ballast'));
    const store = await open(path);
    expect((await allReadings(store, 'older-agent')).readings).toHaveLength(288);
    await store.close();
  });
});

describe('a store on threads', () => {
  const opened = new OpenedStores();
  afterEach(async () => {
    await opened.close();
  });

  it('never holds up the event loop while the database is stalled', async () => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    const workerUrl = await storeWorkerUrl();
    const store = await opened.open({ path, engine: 'threads', workerUrl });
    const other = new Sqlite(path);
    other.exec('BEGIN IMMEDIATE');
    let isOver = false;
    const stalled = expect(commit(store, [itemsOf('d', [numbered(1)])]))
      .rejects.toEqual(failing('STORE_BUSY'))
      .finally(() => {
        isOver = true;
      });
    expect(await store.health(1)).toMatchObject({ isOk: false });
    for (let turn = 0; turn < 5; turn += 1) expect(await store.rooms()).toEqual([]);
    expect(isOver).toBe(false);
    await stalled;
    other.close();
  });

  it('finishes what it was given before it closes', async () => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    const workerUrl = await storeWorkerUrl();
    const store = await openSqliteStore({ path, engine: 'threads', clock: createSystemClock(), workerUrl });
    const commits = Array.from({ length: 20 }, (_, index) => commit(store, [itemsOf('d', [numbered(index + 1)])]));
    await store.close();
    expect((await Promise.all(commits)).map(({ counts }) => counts.stored)).toEqual(commits.map(() => 1));
  });

  it('starts a thread again that died, loses nothing that was acknowledged, and rejects what waited', async () => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    const entry = fileURLToPath(new URL('../../../support/children/mortal-store-worker.ts', import.meta.url));
    const workerUrl = pathToFileURL(await bundleForChild(entry));
    const said: string[] = [];
    const note = (_: object, message: string): void => void said.push(message);
    const log = { debug: note, info: note, warn: note, error: note };
    const store = await opened.open({ path, engine: 'threads', workerUrl, log });
    await commit(store, [itemsOf('d', [numbered(1)])]);
    const dying = [store.addRoom({ name: 'die' }), commit(store, [itemsOf('d', [numbered(2)])])];
    for (const one of await Promise.allSettled(dying)) {
      expect(one).toMatchObject({ status: 'rejected', reason: failing('STORE_UNAVAILABLE') as object });
    }
    await expect(commit(store, [itemsOf('d', [numbered(2)])])).rejects.toEqual(failing('STORE_UNAVAILABLE'));
    expect((await allReadings(store, 'd')).readings.map(({ seq }) => seq)).toEqual([1]);
    await until('the thread runs again', () => said.includes('The thread of the store runs again'));
    expect((await commit(store, [itemsOf('d', [numbered(1), numbered(2)])])).counts).toMatchObject({
      stored: 1,
      duplicates: 1,
    });
  });

  it('makes no new record when a thread is started again and the files have gone', async () => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    const entry = fileURLToPath(new URL('../../../support/children/mortal-store-worker.ts', import.meta.url));
    const workerUrl = pathToFileURL(await bundleForChild(entry));
    const said: string[] = [];
    const note = (fields: object): void => void said.push(JSON.stringify(fields));
    const log = { debug: note, info: note, warn: note, error: note };
    const store = await opened.open({ path, engine: 'threads', workerUrl, log });
    for (const name of readdirSync(dirname(path))) rmSync(join(dirname(path), name));
    await expect(store.addRoom({ name: 'die' })).rejects.toEqual(failing('STORE_UNAVAILABLE'));
    await until('it is not started', () => said.some((line) => line.includes('There is no record at')));
    await expect(commit(store, [itemsOf('d', [numbered(1)])])).rejects.toEqual(failing('STORE_UNAVAILABLE'));
    expect(existsSync(path)).toBe(false);
  });

  it('rejects a flood of calls rather than keeping them all', async () => {
    const { path, remove } = await storeFolder();
    onTestFinished(remove);
    const workerUrl = await storeWorkerUrl();
    const store = await opened.open({ path, engine: 'threads', workerUrl });
    const other = new Sqlite(path);
    other.exec('BEGIN IMMEDIATE');
    const calls = Array.from({ length: 1_100 }, () => store.commit(batchOf([rejectedOf('x')])));
    const last = await calls.at(-1)!.catch((error: unknown) => error);
    expect(last).toEqual(failing('STORE_BUSY'));
    expect((last as Error).message).toContain('wait');
    other.exec('ROLLBACK');
    other.close();
    await Promise.allSettled(calls);
  });
});

/** As the roll-ups have it. */
async function countOf(store: Store): Promise<number> {
  const [bucket] = await store.buckets({ deviceUid: 'd' }, [START_MS, START_MS + 1000 * HOUR_MS]);
  return bucket?.count ?? 0;
}

/** Takes all the space there is. */
function fill(path: string): void {
  const chunk = Buffer.alloc(64 * 1024);
  for (let size = chunk.length; size >= 512; size /= 2) {
    try {
      for (;;) writeFileSync(path, chunk.subarray(0, size), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}
