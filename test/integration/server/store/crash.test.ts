import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createSystemClock } from '../../../../src/platform/clock.ts';
import { openSqliteStore } from '../../../../src/server/store/sqlite/open-store.ts';
import { bundleForChild } from '../../../support/bundle.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { Sqlite } from '../../../support/sqlite.ts';
import { storeFolder } from '../../../support/sqlite-store.ts';
import { HOUR_MS, START_MS } from '../../../support/store-messages.ts';

const KILLS = 12;
const BATCH = 7;
const SEED = 41;

it(`has all that was committed, and nothing by half, after ${KILLS} kills at random instants`, async () => {
  const random = seededRandom(SEED);
  const program = await bundleForChild(
    fileURLToPath(new URL('../../../support/children/store-writer.ts', import.meta.url)),
  );
  const { path, remove } = await storeFolder();
  let stored = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const said = await writeUntilKilled(program, path, stored / BATCH, 1 + Math.floor(random() * 40), random);
    const store = await openSqliteStore({ path, clock: createSystemClock() });
    const { epochs } = await store.numbers('d');
    const [epoch] = epochs;
    const to = epoch?.readings[0]?.[1] ?? 0;
    expect(epoch?.readings, `seed ${SEED}, kill ${kill}`).toEqual([[1, to]]);
    expect(epoch?.doubled).toEqual([]);
    expect(to % BATCH).toBe(0);
    expect(to).toBeGreaterThanOrEqual((said + 1) * BATCH);
    const edges = Array.from({ length: Math.ceil(to / 60) + 2 }, (_, hour) => START_MS + hour * HOUR_MS);
    const counts = (await store.buckets({ deviceUid: 'd' }, edges)).map(({ count }) => count);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(to);
    expect((await store.device('d'))?.latest?.seq).toBe(to);
    await store.close();
    stored = to;
  }
  const db = new Sqlite(path, { readonly: true });
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  db.close();
  await remove();
});

/** @returns the last batch that it said to be stored */
async function writeUntilKilled(
  program: string,
  path: string,
  first: number,
  lines: number,
  random: () => number,
): Promise<number> {
  const child = spawn(process.execPath, [program, path, String(first), String(BATCH)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let seen = 0;
  const spin = Math.floor(random() * 20);
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    seen += chunk.split('\n').length - 1;
    if (seen < lines) return;
    // Not always right after a line: somewhere inside the commits that follow.
    if (spin === 0 || seen >= lines + spin) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return Number(text.trimEnd().split('\n').at(-1));
}
