import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../../../src/platform/clock.ts';
import { runInit } from '../../../../../src/server/commands/init.ts';
import { openSqliteStore } from '../../../../../src/server/store/sqlite/open-store.ts';
import type { OpenedBy } from '../../../../../src/server/store/sqlite/place/marked-record.ts';
import { lockRecord } from '../../../../../src/server/store/sqlite/place/record-lock.ts';
import type { Store } from '../../../../../src/server/store/store.ts';
import { verdictOf } from '../../../../../src/server/verify/verdict.ts';
import { recordedIo } from '../../../../support/command-io.ts';
import { Sqlite } from '../../../../support/sqlite.ts';
import { OpenedStores, storeFolder } from '../../../../support/sqlite-store.ts';
import { failing } from '../../../../support/store-error.ts';
import { commitNumbers } from '../../../../support/store-messages.ts';

const V2 = join(import.meta.dirname, '../../../../fixtures/store/v2.db');
/** Of a record, in the order in which a copy of a running one is taken. */
const FILES = ['', '-wal', '-shm', '.identity'];

let folder = '';
let path = '';
let remove: () => Promise<void>;
const opened = new OpenedStores();
const open = async (at = path, openedBy: OpenedBy = 'server'): Promise<Store> =>
  await opened.open({ path: at, openedBy });
const outcomesOf = async (target: Store): Promise<readonly string[]> => {
  const judging = { strict: false, recordBeganMs: await target.recordBegan() };
  const devices = await target.devices();
  return await Promise.all(
    devices.map(async (device) => verdictOf(device, await target.numbers(device.uid), judging).outcome),
  );
};
const seqsOf = async (target: Store): Promise<unknown> =>
  (await target.numbers('d')).epochs.map((epoch) => epoch.readings);
/** Every file with its bytes; the index of the log is nobody's content. */
const content = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => !name.endsWith('-shm') && !name.endsWith('.lock'))
      .map((name) => [name, readFileSync(join(folder, name), 'hex')]),
  );
/** What a kill leaves: the files as they are while the record is open. */
const killed = async (fill: (target: Store) => Promise<void>): Promise<void> => {
  const from = join(folder, 'running.db');
  const running = await open(from);
  await fill(running);
  for (const part of FILES) copyFileSync(`${from}${part}`, `${path}${part}`);
  await running.close();
  for (const part of FILES) rmSync(`${from}${part}`, { force: true });
};
const init = async (options: { newRecord?: boolean; accept?: boolean; from?: string }) => {
  const { io, stdout, stderr } = recordedIo();
  const exitCode = await runInit(
    {
      configPath: join(folder, 'none.conf'),
      flags: { 'store.path': path },
      newRecord: false,
      accept: false,
      ...options,
    },
    io,
  );
  return { exitCode, out: stdout(), err: stderr() };
};

beforeEach(async () => {
  ({ path, remove } = await storeFolder());
  folder = dirname(path);
});
afterEach(async () => {
  await opened.close();
  await remove();
});

describe('a server that finds no record, or another one, where it had one (A4)', () => {
  it('keeps its identity when it is opened again, after a stop and after a kill', async () => {
    await killed((target) => commitNumbers(target, 1, 2));
    const first = await open();
    const { id } = first.record;
    expect(await seqsOf(first)).toEqual([[[1, 2]]]);
    await first.close();
    const second = await open();
    expect(second.record.id).toBe(id);
    expect(JSON.parse(readFileSync(`${path}.identity`, 'utf8'))).toMatchObject({ id, database: path });
  });

  const spoiled: readonly (readonly [string, string, RegExp, () => void | Promise<void>])[] = [
    ['nothing at all', 'STORE_MISSING', /There is no record at .*although there was one/, () => rm('', '-wal', '-shm')],
    ['an empty file', 'STORE_MISSING', /is an empty file, although there was one/, () => truncateSync(path, 0)],
    [
      'an empty file, and no log',
      'STORE_MISSING',
      /is an empty file/,
      () => {
        truncateSync(path, 0);
        rm('-wal', '-shm');
      },
    ],
    ['only its log', 'STORE_MISSING', /There is no record/, () => rm('')],
    ['only a log, and no identity', 'STORE_MISSING', /but its log .*-wal .* lies there/, () => rm('', '.identity')],
    [
      'an empty file beside a log, and no identity',
      'STORE_MISSING',
      /empty file, but its log/,
      () => {
        truncateSync(path, 0);
        rm('.identity');
      },
    ],
    ['no log where one was', 'STORE_REPLACED', /The log .*-wal is missing, or .* older copy/, () => rm('-wal', '-shm')],
    ['an emptied log', 'STORE_REPLACED', /The log .*-wal is missing/, () => truncateSync(`${path}-wal`, 0)],
    ['a log that was cut short', 'STORE_REPLACED', /is missing|cut short/, () => truncateSync(`${path}-wal`, 3_000)],
    ['an older copy, with its log', 'STORE_REPLACED', /older copy/, () => putOlder('', '-wal')],
    [
      'an older copy, without a log',
      'STORE_REPLACED',
      /older copy/,
      () => {
        rm('-wal', '-shm');
        putOlder('');
      },
    ],
    ['an older database under the present log', 'STORE_REPLACED', /does not belong|older copy/, () => putOlder('')],
    [
      'an older log on the present database',
      'STORE_REPLACED',
      /does not belong|cut short|older copy/,
      () => putOlder('-wal'),
    ],
    ['another record', 'STORE_REPLACED', /is another record/, () => putOther('', '-wal')],
    ["another record's database under the present log", 'STORE_REPLACED', /is another record/, () => putOther('')],
    ["another record's log on the present database", 'STORE_REPLACED', /does not belong/, () => putOther('-wal')],
    [
      'a database of an older version',
      'STORE_REPLACED',
      /without an identity/,
      () => {
        rm('-wal', '-shm');
        copyFileSync(V2, path);
      },
    ],
    [
      'a file that was cut off',
      'STORE_DAMAGED',
      /is cut off: it has 40960 of/,
      () => {
        rm('-wal', '-shm');
        truncateSync(path, 40_960);
      },
    ],
    [
      'a text',
      'STORE_DAMAGED',
      /is no SQLite database/,
      () => writeFileSync(path, 'hello, this is a text file\n'.repeat(9)),
    ],
  ];
  const rm = (...parts: readonly string[]): void => {
    for (const part of parts) rmSync(`${path}${part}`, { force: true });
  };
  const putOlder = (...parts: readonly string[]): void => {
    for (const part of parts) copyFileSync(join(folder, `older.db${part}`), `${path}${part}`);
    rm('-shm');
  };
  const putOther = (...parts: readonly string[]): void => {
    for (const part of parts) copyFileSync(join(folder, `other.db${part}`), `${path}${part}`);
    rm('-shm');
  };

  it.each(spoiled)('refuses %s, keeps every byte, and can be told to begin anew', async (_, code, words, spoil) => {
    await killed(async (target) => {
      await commitNumbers(target, 1);
      for (const part of ['', '-wal']) copyFileSync(join(folder, `running.db${part}`), join(folder, `older.db${part}`));
    });
    await (await open()).close();
    const again = await open();
    await commitNumbers(again, 2, 3);
    // Files of a record that is open; another one of the same age.
    for (const part of FILES) copyFileSync(`${path}${part}`, join(folder, `copy${part}`));
    await again.close();
    for (const part of FILES) renameSync(join(folder, `copy${part}`), `${path}${part}`);
    const other = await open(join(folder, 'other.db'));
    await commitNumbers(other, 7);
    for (const part of ['', '-wal'])
      copyFileSync(join(folder, `other.db${part}`), join(folder, `other-copy.db${part}`));
    await other.close();
    for (const part of ['', '-wal']) renameSync(join(folder, `other-copy.db${part}`), join(folder, `other.db${part}`));
    await spoil();
    const before = content();

    await expect(open()).rejects.toEqual(failing(code, words));
    await expect(open(path, 'command')).rejects.toMatchObject({ code: expect.stringMatching(code) as unknown });
    await expect(open()).rejects.toThrow(/Nothing was changed|left as it is|left as it was/);
    expect(content()).toEqual(before);

    const { exitCode, out } = await init({ newRecord: true });
    expect(exitCode).toBe(0);
    const kept = Object.values(content());
    for (const [name, bytes] of Object.entries(before)) {
      if (name.startsWith('techtemp.db')) expect(kept, `${name} is still there`).toContain(bytes);
    }
    if (existsSync(`${path}.identity`)) expect(out).toContain('The record is');
    const anew = await open();
    expect(await anew.devices()).toEqual([]);
    expect(anew.record.id).not.toBe(
      (JSON.parse(Buffer.from(before['techtemp.db.identity'] ?? '7b7d', 'hex').toString()) as { readonly id?: string })
        .id,
    );
  });

  it('makes a record without questions where there never was one', async () => {
    const { id } = (await open()).record;
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(readdirSync(folder).sort()).toContain('techtemp.db.identity');
  });

  it('takes a record that was moved here without its identity file, and says so', async () => {
    const first = await open(join(folder, 'first.db'));
    await commitNumbers(first, 1);
    await first.close();
    renameSync(join(folder, 'first.db'), path);
    const moved = await open();
    expect(moved.record).toMatchObject({
      id: first.record.id,
      note: expect.stringContaining('no identity file') as unknown,
    });
    await moved.close();
    expect((await open()).record.note).toBeUndefined();
  });

  it('remembers in the state folder that there was a record on a disk that is not mounted now', async () => {
    const stateFolder = join(folder, 'state');
    const at = join(folder, 'disk', 'techtemp.db');
    const openThere = () => openSqliteStore({ path: at, clock: createSystemClock(), stateFolder });
    mkdirSync(stateFolder);
    await (await openThere()).close();
    rmSync(dirname(at), { recursive: true });
    await expect(openThere()).rejects.toEqual(failing('STORE_MISSING', /although there was one/));
    expect(existsSync(at)).toBe(false);
  });

  it('takes what SQLite itself did while no server ran: a compaction, a write-back', async () => {
    const first = await open();
    await commitNumbers(first, 1, 2, 3);
    await first.close();
    const db = new Sqlite(path);
    db.exec('CREATE TABLE mine (a); INSERT INTO mine VALUES (1); DROP TABLE mine; VACUUM');
    db.close();
    expect(await seqsOf(await open())).toEqual([[[1, 3]]]);
  });

  it('lets a command work on what a kill has left, and write', async () => {
    await killed((target) => commitNumbers(target, 1));
    const command = await open(path, 'command');
    await command.addRoom({ name: 'Attic' });
    await command.close();
    const again = await open();
    expect((await again.rooms()).map(({ name }) => name)).toEqual(['Attic']);
    expect(await seqsOf(again)).toEqual([[[1, 1]]]);
  });
});

describe('techtemp-server init', () => {
  it('makes a first record, and changes nothing where one is', async () => {
    expect(await init({})).toMatchObject({ exitCode: 0, out: expect.stringContaining('The record is') as unknown });
    const before = content();
    expect(await init({})).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('nothing was changed') as unknown,
    });
    expect(content()).toEqual(before);
  });

  it('refuses while a server uses the record, in one line', async () => {
    const lock = await lockRecord(path);
    try {
      const { exitCode, err } = await init({ newRecord: true });
      expect(exitCode).toBe(1);
      expect(err).toMatch(/^Another techtemp-server uses the record .*Stop the other one.*\n$/);
      expect(err.trimEnd()).not.toContain('\n');
    } finally {
      lock.release();
    }
    expect((await init({ newRecord: true })).exitCode).toBe(0);
  });

  it('accepts an older copy as another record: devices give again what they still have', async () => {
    const first = await open();
    await commitNumbers(first, 1);
    await first.close();
    copyFileSync(path, join(folder, 'backup.db'));
    const second = await open();
    await commitNumbers(second, 2);
    await second.close();
    copyFileSync(join(folder, 'backup.db'), path);
    await expect(open()).rejects.toEqual(failing('STORE_REPLACED', /older copy/));
    const { exitCode, out } = await init({ accept: true });
    expect(exitCode).toBe(0);
    expect(out).toContain('new identity');
    const accepted = await open();
    expect(accepted.record.id).not.toBe(first.record.id);
    expect(await seqsOf(accepted)).toEqual([[[1, 1]]]);
    // The second number is lost, and only the device can say so.
    expect(await outcomesOf(accepted)).toEqual(['unknown']);
    await commitNumbers(accepted, 2);
    expect(await outcomesOf(accepted)).toEqual(['whole']);
    await accepted.close();
    expect((await init({ from: join(folder, 'backup.db') })).exitCode).toBe(0);
    const put = await open();
    expect(await outcomesOf(put)).toEqual(['unknown']);
    await commitNumbers(put, 3);
    expect(await outcomesOf(put)).toEqual(['faulty']);
  });

  it('takes a copy for an older one where no record is known: a backup is put on a new machine', async () => {
    const first = await open();
    await commitNumbers(first, 1);
    await first.close();
    renameSync(path, join(folder, 'backup.db'));
    for (const name of readdirSync(folder)) if (name !== 'backup.db') rmSync(join(folder, name));
    expect(await init({ from: join(folder, 'backup.db') })).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('new identity') as unknown,
    });
    const put = await open();
    expect(put.record.id).not.toBe(first.record.id);
    expect(await outcomesOf(put)).toEqual(['unknown']);
    const [device] = await put.devices();
    await put.removeDevice(device!.uid, 'delete', Date.now());
    expect(await put.devices({ withRemoved: true })).toEqual([]);
  });

  it('knows of a log that was cut while the server ran, and takes as another record what is left of it', async () => {
    const first = await open();
    await commitNumbers(first, 1);
    const whole = statSync(`${path}-wal`).size;
    await commitNumbers(first, 2);
    await commitNumbers(first, 3);
    // Ends where a power cut could have ended it, too.
    truncateSync(`${path}-wal`, whole);
    await expect(commitNumbers(first, 4)).rejects.toEqual(failing('STORE_REPLACED', /-wal was cut off/));
    // As after a kill: what lies on the disk.
    for (const part of FILES) copyFileSync(`${path}${part}`, join(folder, `left.db${part}`));
    await first.close();
    for (const part of FILES) rmSync(`${path}${part}`, { force: true });
    for (const part of FILES) renameSync(join(folder, `left.db${part}`), `${path}${part}`);
    await expect(open()).rejects.toEqual(failing('STORE_REPLACED', /cut short.*init --accept/));
    expect(await init({ accept: true })).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('new identity') as unknown,
    });
    const accepted = await open();
    expect(accepted.record.id).not.toBe(first.record.id);
    expect(await seqsOf(accepted)).toEqual([[[1, 1]]]);
  });

  it('puts a backup back, whatever lies there, and leaves the backup', async () => {
    const first = await open();
    await commitNumbers(first, 1, 2);
    const db = new Sqlite(path);
    await db.backup(join(folder, 'backup.db'));
    db.close();
    await commitNumbers(first, 3);
    await first.close();
    writeFileSync(path, 'damaged');
    const { exitCode, out } = await init({ from: join(folder, 'backup.db') });
    expect({ exitCode, out }).toMatchObject({ exitCode: 0, out: expect.stringContaining('Set aside: ') as unknown });
    const restored = await open();
    expect(await seqsOf(restored)).toEqual([[[1, 2]]]);
    // The copy is as it was, and nothing was made beside it: it may lie where nobody may write.
    expect(readdirSync(folder).filter((name) => name.startsWith('backup.db'))).toEqual(['backup.db']);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('puts back what was saved from a record whose files were removed, as the same record', async () => {
    const lost = await open();
    await commitNumbers(lost, 1, 2, 3);
    const { id } = lost.record;
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    await expect(commitNumbers(lost, 4)).rejects.toMatchObject({ code: 'STORE_MISSING' });
    const said = (await lost.health(30_000)).problem ?? '';
    const [, file = ''] = /techtemp-server init --from ([^"]+)"/.exec(said) ?? [];
    await lost.close();
    await expect(open()).rejects.toEqual(failing('STORE_MISSING', /rescued.*shows that there was one/));
    expect((await init({ from: file })).exitCode).toBe(0);
    const saved = await open();
    expect(saved.record.id).toBe(id);
    expect(JSON.stringify(await seqsOf(saved))).toMatch(/^\[\[\[1,[34]\]\]\]$/);
  });

  it.runIf(process.geteuid?.() === 0)('makes files that belong to the server, whoever runs it', async () => {
    chownSync(folder, 65_534, 65_534);
    expect((await init({ newRecord: true })).exitCode).toBe(0);
    expect(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).uid])).toEqual([
      ['techtemp.db', 65_534],
      ['techtemp.db.identity', 65_534],
      ['techtemp.db.lock', 65_534],
    ]);
  });

  it('says which file it cannot take', async () => {
    writeFileSync(join(folder, 'x.db'), '');
    expect(await init({ from: join(folder, 'y.db') })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('There is no file') as unknown,
    });
    expect(await init({ from: join(folder, 'x.db') })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('not a record') as unknown,
    });
    expect(await init({ accept: true })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('no database') as unknown,
    });
    expect(existsSync(path)).toBe(false);
  });
});
