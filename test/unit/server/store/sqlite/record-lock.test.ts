import { renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockRecord, type RecordLock } from '../../../../../src/server/store/sqlite/place/record-lock.ts';
import { OpenedStores, storeFolder } from '../../../../support/sqlite-store.ts';
import { failing } from '../../../../support/store-error.ts';
import { commitNumbers } from '../../../../support/store-messages.ts';

let path = '';
let lockFile = '';
let remove: () => Promise<void>;
const opened = new OpenedStores();
const locks: RecordLock[] = [];
const lock = async (at = path, isThere = true): Promise<RecordLock> => {
  const taken = await lockRecord(at, { isThere });
  locks.push(taken);
  return taken;
};

beforeEach(async () => {
  ({ path, remove } = await storeFolder());
  lockFile = `${path}.lock`;
});
afterEach(async () => {
  await opened.close();
  for (const each of locks.splice(0)) each.release();
  await remove();
});

const CHANGES: readonly (readonly [string, () => void])[] = [
  ['removed', () => rmSync(lockFile)],
  ['moved away', () => renameSync(lockFile, `${lockFile}.away`)],
  [
    'replaced by an empty file',
    () => {
      rmSync(lockFile);
      writeFileSync(lockFile, '');
    },
  ],
];

describe('the lock of a record whose file others change', () => {
  it.each(CHANGES)('is taken again before the next change is confirmed, when it was %s', async (_, change) => {
    const record = await opened.open({ path, lock: await lock(path, false) });
    await commitNumbers(record, 1);
    const held = statSync(lockFile).ino;
    change();
    await commitNumbers(record, 2);
    expect(statSync(lockFile).ino).not.toBe(held);
    await expect(lock()).rejects.toEqual(failing('STORE_BUSY', /Another techtemp-server uses the record/));
    expect(await record.health(30_000)).toMatchObject({ isOk: true });
  });

  it.each(CHANGES)(
    'confirms nothing while another server has it, and goes on afterwards, when it was %s',
    async (_, change) => {
      const record = await opened.open({ path, lock: await lock(path, false) });
      await commitNumbers(record, 1);
      change();
      const other = await lock(path, false);
      const refusal = failing('STORE_BUSY', /Another techtemp-server.*\.lock was removed or replaced.*stop one/);
      await expect(commitNumbers(record, 2)).rejects.toEqual(refusal);
      await expect(record.addRoom({ name: 'Attic' })).rejects.toEqual(refusal);
      expect(await record.health(30_000)).toMatchObject({
        isOk: false,
        problem: expect.stringContaining('Another techtemp-server') as unknown,
      });
      other.release();
      await commitNumbers(record, 2);
      expect(await record.health(30_000)).toMatchObject({ isOk: true });
    },
  );

  it('is the old one again when its file is moved back', async () => {
    const record = await opened.open({ path, lock: await lock(path, false) });
    renameSync(lockFile, `${lockFile}.away`);
    await commitNumbers(record, 1);
    renameSync(`${lockFile}.away`, lockFile);
    await commitNumbers(record, 2);
    await expect(lock()).rejects.toEqual(failing('STORE_BUSY', /Another techtemp-server/));
  });

  it('is one lock, whichever link leads to the record', async () => {
    await opened.open({ path, lock: await lock(path, false) });
    const link = join(dirname(path), 'link.db');
    symlinkSync(path, link);
    await expect(lock(link)).rejects.toEqual(failing('STORE_BUSY', /Another techtemp-server/));
  });

  it('says what is lost when the whole record is: the lock is not made again', async () => {
    const record = await opened.open({ path, lock: await lock(path, false) });
    rmSync(path);
    rmSync(lockFile);
    await expect(commitNumbers(record, 1)).rejects.toEqual(failing('STORE_MISSING', /techtemp\.db was removed/));
    expect(statSync(lockFile, { throwIfNoEntry: false })).toBeUndefined();
  });
});
