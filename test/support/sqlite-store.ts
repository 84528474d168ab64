import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createSystemClock } from '../../src/platform/clock.ts';
import { openSqliteStore, type SqliteStoreOptions } from '../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../src/server/store/store.ts';
import { bundleForChild } from './bundle.ts';
import type { StoreAtHand } from './store-at-hand.ts';

const workerEntry = fileURLToPath(new URL('../../src/server/store/sqlite/store-worker.ts', import.meta.url));

/** The store's worker thread, built. */
export async function storeWorkerUrl(): Promise<URL> {
  return pathToFileURL(await bundleForChild(workerEntry));
}

/** A folder of its own, for a database. */
export async function storeFolder(): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'techtemp-store-'));
  return { path: join(folder, 'techtemp.db'), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Stores that a test opens, and that are closed together at its end. */
export class OpenedStores {
  readonly #opened: Store[] = [];

  readonly open = async (options: Omit<SqliteStoreOptions, 'clock'>): Promise<Store> => {
    const store = await openSqliteStore({ clock: createSystemClock(), ...options });
    this.#opened.push(store);
    return store;
  };

  async close(): Promise<void> {
    for (const store of this.#opened.splice(0)) await store.close();
  }
}

/** An empty SQLite store in a folder of its own. */
export async function openSqliteAtHand(
  options: Pick<SqliteStoreOptions, 'engine' | 'workerUrl'>,
): Promise<StoreAtHand> {
  const { path, remove } = await storeFolder();
  const open = () => openSqliteStore({ path, clock: createSystemClock(), ...options });
  let current = await open();
  return {
    store: current,
    async reopen() {
      await current.close();
      current = await open();
      return current;
    },
    async remove() {
      await current.close();
      await remove();
    },
  };
}
