import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync, gzipSync as gzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../../src/platform/clock.ts';
import type { Manifest } from '../../../src/server/backup/backup-folder.ts';
import { createCommandRun, type RunCommand } from '../../../src/server/backup/backup-process.ts';
import { readBackupState } from '../../../src/server/backup/backup-state.ts';
import { runBackup, runBackups, runRestore } from '../../../src/server/commands/backup.ts';
import { runVerify } from '../../../src/server/commands/verify.ts';
import { recordedIo } from '../../support/command-io.ts';
import { mountTmpfs } from '../../support/own-file-system.ts';
import { itemsMessage, readingsOf, ServerStore, TEST_DEVICE } from '../../support/server-store.ts';
import { Sqlite } from '../../support/sqlite.ts';
import { until } from '../../support/until.ts';

const NIGHT_MS = Date.UTC(2026, 11, 1, 3, 10);
const PROGRAM = resolve(import.meta.dirname, '../../../dist/techtemp-server.js');
let bench: ServerStore;
let folder: string;

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

beforeEach(async () => {
  bench = new ServerStore();
  folder = join(bench.folder, 'backups');
  await store(1, 50);
});
afterEach(async () => bench.dispose());

async function store(from: number, to: number): Promise<void> {
  const seqs = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  await bench.commit([itemsMessage(readingsOf('k3v9x2', seqs, NIGHT_MS - 3_600_000 + from * 30_000))]);
}

async function said(
  work: (io: ReturnType<typeof recordedIo>['io']) => Promise<number>,
  nowMs = NIGHT_MS,
): Promise<Said> {
  const recorded = recordedIo({ clock: { ...createSystemClock(), nowMs: () => nowMs } });
  const code = await work(recorded.io);
  return { code, out: recorded.stdout(), err: recorded.stderr() };
}

const backup = async (
  flags: Readonly<Record<string, string>> = {},
  nowMs = NIGHT_MS,
  more: { readonly to?: string; readonly newFolder?: boolean } = {},
): Promise<Said> =>
  await said(
    async (io) =>
      await runBackup({ ...bench.options, flags: { ...bench.options.flags, ...flags }, newFolder: false, ...more }, io),
    nowMs,
  );
const backups = async (verify = false): Promise<Said> =>
  await said(async (io) => await runBackups({ ...bench.options, json: false, verify }, io));
const restore = async (file: string | undefined, test = false): Promise<Said> =>
  await said(async (io) => await runRestore({ ...bench.options, test, ...(file !== undefined && { file }) }, io));
const names = (): readonly string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
const manifest = (name: string): Manifest => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Manifest;
const FIRST = 'techtemp-2026-12-01T031000Z';

describe('techtemp-server backup', () => {
  it('copies a record that is in use, proves the copy, and writes down what it found in it', async () => {
    const { code, out } = await backup();
    expect(code).toBe(0);
    expect(out).toContain(`${FIRST}.db.gz: `);
    expect(out).toContain('50 readings');
    expect(names()).toEqual([`${FIRST}.db.gz`, `${FIRST}.json`]);
    const said = manifest(`${FIRST}.json`);
    expect(said).toMatchObject({
      file: `${FIRST}.db.gz`,
      made: '2026-12-01T03:10:00.000Z',
      database: { integrity: 'ok' },
      record: { id: (await bench.open()).record.id },
      tables: { readings: 50, devices: 1 },
      verdict: { outcome: 'whole', readings: 50 },
    });
    const copy = join(bench.folder, 'copy.db');
    writeFileSync(copy, gunzipSync(readFileSync(join(folder, `${FIRST}.db.gz`))));
    const db = new Sqlite(copy, { readonly: true });
    expect(db.prepare('SELECT count(*), min(seq), max(seq) FROM readings').raw().get()).toEqual([50, 1, 50]);
    db.close();
    // The record itself goes on.
    await store(51, 60);
    expect(await readBackupState(bench.path)).toMatchObject({ problem: null, newest: join(folder, `${FIRST}.db.gz`) });
  });

  it('says of a record with a hole that its copy has one, too', async () => {
    await store(55, 60);
    await backup();
    expect(manifest(`${FIRST}.json`).verdict).toMatchObject({ outcome: 'faulty', holes: 4 });
  });

  it('makes files that belong to the server, when root runs it', async () => {
    await bench.close();
    chownSync(bench.path, 1234, 2345);
    expect((await backup()).code).toBe(0);
    for (const path of [folder, ...names().map((name) => join(folder, name)), `${bench.path}.backup`])
      expect(statSync(path), path).toMatchObject({ uid: 1234, gid: 2345 });
  });

  it('never writes over an older one', async () => {
    await backup();
    const before = readFileSync(join(folder, `${FIRST}.db.gz`));
    await store(51, 60);
    const again = await backup();
    expect(again.code).toBe(1);
    expect(again.err).toContain('nothing was written over it');
    expect(readFileSync(join(folder, `${FIRST}.db.gz`))).toEqual(before);
  });

  it('removes what the rule does not keep, after a good one only', async () => {
    const rule = { 'backup.keep_daily': '2', 'backup.keep_weekly': '0', 'backup.keep_monthly': '0' };
    for (const day of [0, 1, 2]) expect((await backup(rule, NIGHT_MS + day * 86_400_000)).code).toBe(0);
    expect(names().filter((name) => name.endsWith('.gz'))).toEqual([
      'techtemp-2026-12-02T031000Z.db.gz',
      'techtemp-2026-12-03T031000Z.db.gz',
    ]);
    await bench.close();
    truncateSync(bench.path, 8192);
    expect((await backup(rule, NIGHT_MS + 3 * 86_400_000)).code).toBe(1);
    expect(names()).toHaveLength(4);
    expect((await readBackupState(bench.path)).problem).toMatch(/cut off|damaged/);
  });

  it('runs the command of the owner with the finished file, and tells when it fails', async () => {
    const to = join(bench.folder, "another 'machine'");
    mkdirSync(to);
    const copying = `cp {file} {manifest} "${to}"`;
    expect((await backup({ 'backup.after': copying })).code).toBe(0);
    expect(readdirSync(to).sort()).toEqual([`${FIRST}.db.gz`, `${FIRST}.json`]);
    const failed = await backup({ 'backup.after': 'echo no route to the host >&2; exit 7' }, NIGHT_MS + 1000);
    expect(failed.code).toBe(1);
    expect(failed.err).toContain(
      'The backup is there, but the command of [backup] after failed: exit status 7: no route to the host',
    );
    expect((await readBackupState(bench.path)).afterProblem).toBe('exit status 7: no route to the host');
    expect(names()).toHaveLength(4);
  });

  it('does not make a folder that a person named, and says how to help', async () => {
    const mounted = join(bench.folder, 'nas');
    const { code, err } = await backup({ 'backup.folder': mounted });
    expect(code).toBe(1);
    expect(err).toContain(`The folder ${mounted} is not there. Mount its disk, make the folder, or name another one`);
    expect(existsSync(mounted)).toBe(false);
  });

  it('notices that the disk of the backups is not mounted, and begins there again only when it is told', async () => {
    const mounted = join(bench.folder, 'nas');
    mkdirSync(mounted);
    await backup({ 'backup.folder': mounted });
    rmSync(mounted, { recursive: true });
    mkdirSync(mounted);
    const gone = await backup({ 'backup.folder': mounted }, NIGHT_MS + 1000);
    expect(gone.code).toBe(1);
    expect(gone.err).toContain('Is its disk mounted? To begin there again: techtemp-server backup --new-folder');
    expect(readdirSync(mounted)).toEqual([]);
    expect((await backup({ 'backup.folder': mounted }, NIGHT_MS + 2000, { newFolder: true })).code).toBe(0);
    expect(readdirSync(mounted)).toHaveLength(2);
  });

  it('needs room, says how much, and leaves nothing behind on a disk that is too small', async () => {
    const disk = mountTmpfs(64 * 1024);
    if (disk === undefined) throw new Error('A tmpfs cannot be mounted here: run as root');
    try {
      const { code, err } = await backup({ 'backup.folder': disk.mountPoint });
      expect(code).toBe(1);
      expect(err).toMatch(
        /not enough room in .*: a backup of this record needs \d+ MB for a moment, and \d+ MB are free/,
      );
      expect(readdirSync(disk.mountPoint)).toEqual([]);
    } finally {
      disk.remove();
    }
  });

  it('counts nothing that a kill has left, at any step, and clears it away the next time', async () => {
    await backup();
    const steps = ['copying the record', 'examining the copy', 'compressing it', 'reading it back'];
    for (const step of steps) {
      await killedAt(step);
      expect((await backups()).out).toContain(`${FIRST}.db.gz`);
      expect(names().filter((name) => name.endsWith('.json'))).toEqual([`${FIRST}.json`]);
    }
    expect((await backup({}, NIGHT_MS + 60_000)).code).toBe(0);
    expect(names()).toHaveLength(4);
    expect((await backups(true)).code).toBe(0);
  });
});

/** Runs the built program, and kills it as soon as it says that it begins a step. */
async function killedAt(step: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [PROGRAM, 'backup', '--config', bench.options.configPath, '--set', `store.path=${bench.path}`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line === step) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal, step).toBe('SIGKILL');
}

describe('techtemp-server backups', () => {
  it('lists what is there, with what the copies hold', async () => {
    expect(await backups()).toMatchObject({ code: 0, out: `There is no backup in ${folder}.\n` });
    await backup();
    const { code, out } = await backups();
    expect(code).toBe(0);
    expect(out).toMatch(/^made +MB +readings +newest reading +verdict/);
    expect(out).toMatch(/50 .* whole .*techtemp-2026-12-01T031000Z\.db\.gz/);
  });

  it('proves them by reading, and names one that was changed, cut short, or never finished', async () => {
    await backup();
    await backup({}, NIGHT_MS + 1000);
    await backup({}, NIGHT_MS + 2000);
    expect(await backups(true)).toMatchObject({ code: 0 });
    const [first, , second, , third] = names().map((name) => join(folder, name));
    const bytes = readFileSync(first!);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(first!, bytes);
    truncateSync(second!, 1000);
    rmSync(third!.replace('.db.gz', '.json'));
    const { code, out } = await backups(true);
    expect(code).toBe(1);
    expect(out).toContain('NOT USABLE: the file is not the one that was written: its checksum differs');
    expect(out).toMatch(/has 1000 of \d+ bytes/);
    expect(out).toContain('its manifest is missing: the backup was not finished');
  });
});

describe('techtemp-server restore', () => {
  const file = (): string => join(folder, `${FIRST}.db.gz`);

  it('puts the record back as it was, under a new identity, and sets the other one aside', async () => {
    await backup();
    const { id } = (await bench.open()).record;
    await store(51, 60);
    await bench.close();
    const { code, out } = await restore(file());
    expect(code).toBe(0);
    expect(out).toContain('It holds 50 readings of 1 devices');
    expect(out).toContain('devices give again what they still have');
    const put = await bench.open();
    expect(put.record.id).not.toBe(id);
    expect((await put.numbers(TEST_DEVICE)).epochs[0]?.readings).toEqual([[1, 50]]);
    expect(readdirSync(bench.folder).filter((name) => name.includes('.set-aside-'))).not.toEqual([]);
    expect(readdirSync(bench.folder).filter((name) => name.includes('.tmp'))).toEqual([]);
    // Until the device goes on, what came after the backup cannot be known; then nothing is missing.
    const verdict = async (): Promise<string> =>
      (await said(async (io) => await runVerify({ ...bench.options, strict: false, json: false }, io))).out;
    expect(await verdict()).toContain('cannot be known: an older state of the record was taken over');
    await store(51, 60);
    expect(await verdict()).toContain('No unexplained hole: 60 readings of 1 device. (');
  });

  it('finds a backup by its name in the list', async () => {
    await backup();
    expect(await restore(`${FIRST}.db.gz`, true)).toMatchObject({ code: 0 });
    expect((await restore('techtemp-of-another-day.db.gz', true)).err).toContain(
      `There is no backup ${join(folder, 'techtemp-of-another-day.db.gz')}`,
    );
  });

  it('proves a backup without touching the record', async () => {
    await backup();
    await store(51, 60);
    const { code, out } = await restore(undefined, true);
    expect(code).toBe(0);
    expect(out).toContain(
      'can be restored: every page is right, and it agrees with its manifest. It holds 50 readings',
    );
    expect(await readBackupState(bench.path)).toMatchObject({ tested: '2026-12-01T03:10:00.000Z', testProblem: null });
    expect((await (await bench.open()).numbers(TEST_DEVICE)).epochs[0]?.readings).toEqual([[1, 60]]);
    expect(readdirSync(bench.folder).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it('takes a plain database and one of an older version, and brings it to the present', async () => {
    await bench.close();
    const older = join(bench.folder, 'older.db');
    copyFileSync(resolve(import.meta.dirname, '../../fixtures/store/v4.db'), older);
    const { code, out } = await restore(older);
    expect(code).toBe(0);
    expect(out).toContain('It holds 588 readings');
    expect((await (await bench.open()).health(30_000)).isOk).toBe(true);
    // The backup itself is as it was.
    expect(readFileSync(older)).toEqual(readFileSync(resolve(import.meta.dirname, '../../fixtures/store/v4.db')));
  });

  it.each<readonly [string, (path: string) => void, RegExp]>([
    ['damaged', (path) => flip(path), /its checksum differs from the one in its manifest/],
    ['copied in part', (path) => truncateSync(path, 1000), /has 1000 of \d+ bytes/],
    [
      'damaged, without a manifest',
      (path) => {
        rmSync(path.replace('.db.gz', '.json'));
        truncateSync(path, 1000);
      },
      /damaged or was only copied in part/,
    ],
    ['of another program', (path) => foreign(path), /is not a record of a TechTemp server/],
    ['of a newer version', (path) => newer(path), /written by a newer TechTemp/],
    ['not there', (path) => rmSync(path), /is missing/],
  ])('refuses one that is %s, in one line, and changes nothing', async (_, spoil, words) => {
    await backup();
    await bench.close();
    const before = readFileSync(bench.path);
    spoil(file());
    const { code, err } = await restore(file());
    expect(code).toBe(1);
    expect(err).toMatch(words);
    expect(readFileSync(bench.path)).toEqual(before);
    expect(readdirSync(bench.folder).filter((name) => /tmp|set-aside/.test(name))).toEqual([]);
  });

  function flip(path: string): void {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
  }

  /** Without a manifest, as a file of another program would be. */
  function foreign(path: string): void {
    rmSync(path);
    rmSync(path.replace('.db.gz', '.json'));
    const db = new Sqlite(path);
    db.exec('CREATE TABLE notes (text)');
    db.close();
    // Not compressed: the name says so.
    const bytes = readFileSync(path);
    writeFileSync(path, gzip(bytes));
  }

  function newer(path: string): void {
    rmSync(path.replace('.db.gz', '.json'));
    const plain = join(bench.folder, 'newer.db');
    writeFileSync(plain, gunzipSync(readFileSync(path)));
    const db = new Sqlite(plain);
    db.pragma('user_version = 9000');
    db.close();
    writeFileSync(path, gzip(readFileSync(plain)));
  }
});

describe("the server's own way to run a backup", () => {
  const commandRun = (lines: string[] = []): RunCommand =>
    createCommandRun({
      program: PROGRAM,
      configPath: bench.options.configPath,
      flags: bench.options.flags,
      env: process.env,
      onLine: (text) => void lines.push(text),
    });

  it('is a process of its own, with the settings of the server', async () => {
    const lines: string[] = [];
    const end = await commandRun(lines)(['backup'], new AbortController().signal);
    expect(end.exitCode).toBe(0);
    expect(lines).toContain('copying the record');
    expect(names()).toHaveLength(2);
  });

  it('ends with the server, and leaves no half backup that counts', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const running = commandRun(lines)(['backup'], stop.signal);
    await until('it works', () => lines.includes('copying the record'));
    stop.abort(new Error('the server ends'));
    await expect(running).rejects.toThrow('the server ends');
    expect(names().filter((name) => name.endsWith('.json'))).toEqual([]);
  });
});
