import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeReading, type GapRecord } from '../../../src/contract/reading.ts';
import type { DeviceStatus } from '../../../src/contract/status.ts';
import type { Examination } from '../../../src/doctor/doctor.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { createMachine } from '../../../src/doctor/machine.ts';
import type { TimeSync } from '../../../src/platform/time-sync.ts';
import { runCheck, synchronisationFinding } from '../../../src/server/commands/check.ts';
import { runInit } from '../../../src/server/commands/init.ts';
import { type HttpSection, loadServerConfig } from '../../../src/server/config.ts';
import { exposureExamination } from '../../../src/server/doctor/examinations/http.ts';
import { sqliteExamination, stateExamination } from '../../../src/server/doctor/examinations/store.ts';
import { StoreError } from '../../../src/server/store/store.ts';
import { recordedIo } from '../../support/command-io.ts';
import { asOrdinaryUser } from '../../support/ordinary-user.ts';
import { mountTmpfs } from '../../support/own-file-system.ts';
import { freePort } from '../../support/ports.ts';
import {
  itemsMessage,
  numbers,
  readingsOf,
  ServerStore,
  statusMessage,
  TEST_DEVICE,
} from '../../support/server-store.ts';
import { Sqlite } from '../../support/sqlite.ts';

const isRoot = process.geteuid?.() === 0;
const neverAborted = new AbortController().signal;
const cleanups: (() => Promise<void> | void)[] = [];
let bench: ServerStore;
let httpPort: number;
let brokerPort: number;

beforeEach(async () => {
  bench = new ServerStore();
  httpPort = await freePort();
  // Nobody listens there: the broker has tests of its own.
  brokerPort = await freePort();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await bench.dispose();
});

async function check(
  flags: Readonly<Record<string, string>> = {},
): Promise<{ readonly exitCode: number; readonly findings: readonly (Finding & { readonly examination: string })[] }> {
  const recorded = recordedIo();
  const all = {
    ...bench.options.flags,
    'http.port': String(httpPort),
    'mqtt.broker_host': '127.0.0.1',
    'mqtt.broker_port': String(brokerPort),
    ...flags,
  };
  const machine = createMachine(process.env);
  const exitCode = await runCheck({ ...bench.options, flags: all, json: true }, recorded.io, {
    ...machine,
    root: bench.folder,
  });
  const { findings } = JSON.parse(recorded.stdout()) as { findings: (Finding & { examination: string })[] };
  return { exitCode, findings };
}

async function ids(flags: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  return (await check(flags)).findings.map(({ id }) => id);
}

async function found(examination: Examination): Promise<readonly string[]> {
  return (await examination.run(neverAborted)).map(({ id }) => id);
}

async function sections(flags: Readonly<Record<string, string>> = {}): Promise<HttpSection> {
  return (await loadServerConfig({ env: {}, flags })).config.http;
}

async function answering(status: number, body: string): Promise<number> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

function config(text: string, mode = 0o640): void {
  writeFileSync(bench.options.configPath, text);
  chmodSync(bench.options.configPath, mode);
}

describe('techtemp-server check: the config', () => {
  it('names a file that is missing, and examines the rest with the defaults', async () => {
    const { exitCode, findings } = await check();
    expect(exitCode).toBe(78);
    expect(findings.map(({ id }) => id)).toContain('config.missing');
    expect(findings.map(({ id }) => id)).toContain('store.none');
  });

  it('names each problem of a file, and says what is not examined for that', async () => {
    config('[ingest]\nbatch_messages = many\n');
    const { exitCode, findings } = await check();
    expect(exitCode).toBe(78);
    expect(findings.find(({ id }) => id === 'config.invalid')?.found).toContain('batch_messages');
    expect(findings.map(({ id }) => id)).toContain('check.needs-config');
  });

  it('names a password that everybody may read, and does not repeat it', async () => {
    config('[mqtt]\nusername = server\npassword = secret\n', 0o644);
    const found = await check();
    const exposed = found.findings.find(({ id }) => id === 'config.password-readable');
    expect(exposed?.found).toContain('0644');
    expect(JSON.stringify(found)).not.toContain('secret"');
  });

  it('names what the file says and hardly means', async () => {
    config('[http]\nhost = 0.0.0.0\n');
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'config.warning')?.found).toContain('nothing is encrypted');
  });

  it('names a file that may not be read', async () => {
    config('[mqtt]\n');
    expect(await ids()).not.toContain('config.unreadable');
    chmodSync(bench.options.configPath, 0o000);
    await asOrdinaryUser([bench.folder], async () => expect(await ids()).toContain('config.unreadable'));
  });
});

describe('techtemp-server check: the clock', () => {
  it('names a clock that nobody synchronises, and believes one where nobody can be asked', async () => {
    const id = async (sync: TimeSync): Promise<string> =>
      (await synchronisationFinding('now', () => Promise.resolve(sync))).id;
    expect(await id('unsynced')).toBe('clock.unsynchronised');
    expect(await id('synced')).toBe('clock.ok');
    expect(await id('unknown')).toBe('clock.unknown');
  });
});

describe('techtemp-server check: the store', () => {
  beforeEach(() => config('[mqtt]\n'));

  it('is content with a store that is whole, beside the server that writes to it', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(1, 10), Date.now() - 400_000))]);
    const { findings } = await check();
    const ok = findings.filter(({ verdict }) => verdict === 'ok').map(({ id }) => id);
    expect(ok).toEqual(
      expect.arrayContaining([
        'sqlite.ok',
        'state.ok',
        'store.ok',
        'http.free',
        'exposure.loopback',
        'devices.ok',
        'record.whole',
      ]),
    );
  });

  it('neither makes nor migrates a database', async () => {
    expect(await ids()).toContain('store.none');
    expect(await ids()).toContain('store.none');
    await bench.open();
    await bench.close();
    const db = new Sqlite(bench.path);
    db.pragma('user_version = 1');
    db.close();
    expect(await ids()).toContain('store.older');
    expect(await ids()).toContain('store.older');
  });

  it('names a schema that is newer than this program, and a database of somebody else', async () => {
    await bench.open();
    await bench.close();
    const db = new Sqlite(bench.path);
    db.pragma('user_version = 99');
    db.close();
    expect(await ids()).toContain('store.newer');
    const other = join(bench.folder, 'other.db');
    const foreign = new Sqlite(other);
    foreign.exec('CREATE TABLE t (x)');
    foreign.close();
    expect(await ids({ 'store.path': other })).toContain('store.foreign');
  });

  it('names a database that is damaged', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(1, 5000), Date.now() - 400_000_000))]);
    await bench.close();
    truncateSync(bench.path, 40_960);
    expect(await ids()).toContain('store.damaged');
    writeFileSync(bench.path, 'this is no database at all, and longer than a header');
    expect(await ids()).toContain('store.damaged');
  });

  it('names a record that is gone, empty, or another one than was there, and leaves it alone (A4)', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', numbers(1, 3), Date.now() - 400_000_000))]);
    await bench.close();
    const bytes = readFileSync(bench.path);
    rmSync(bench.path);
    expect(await ids()).toContain('store.missing');
    writeFileSync(bench.path, '');
    expect(await ids()).toContain('store.missing');
    copyFileSync('test/fixtures/store/v2.db', bench.path);
    expect(await ids()).toContain('store.replaced');
    expect(readFileSync(bench.path)).toEqual(readFileSync('test/fixtures/store/v2.db'));
    writeFileSync(bench.path, bytes);
    expect(await ids()).toContain('store.ok');
  });

  it('names a path that leads through a file, and one that is no file', async () => {
    writeFileSync(join(bench.folder, 'file'), '');
    expect(await ids({ 'store.path': join(bench.folder, 'file', 'techtemp.db') })).toContain('state.not-a-folder');
    mkdirSync(join(bench.folder, 'folder.db'));
    expect(await ids({ 'store.path': join(bench.folder, 'folder.db') })).toContain('store.unreadable');
  });

  it('names a write-ahead log that nobody writes back', async () => {
    await bench.open();
    await bench.close();
    writeFileSync(`${bench.path}-wal`, '');
    truncateSync(`${bench.path}-wal`, 400 * 1024 * 1024);
    expect(await ids()).toContain('store.large-log');
  });

  it.runIf(isRoot)('names a database that belongs to another user than its folder', async () => {
    await bench.open();
    await bench.close();
    chownSync(bench.folder, 65_534, 65_534);
    expect(await ids()).toContain('store.owner');
    chownSync(bench.folder, 0, 0);
  });

  it('names a disk with less room than the config wants', async () => {
    expect(await ids({ 'store.min_free_mb': '1000000' })).toContain('state.full');
  });

  it('names a package that does not load', async () => {
    const sqliteVersion = (): Promise<string> =>
      Promise.reject(new StoreError('STORE_UNAVAILABLE', 'NODE_MODULE_VERSION 108'));
    expect(await found(sqliteExamination({ sqliteVersion, nodeVersion: '20.20.2', folder: '/opt/techtemp' }))).toEqual([
      'sqlite.missing',
    ]);
  });

  it('names a file system that forgets, and one that is read-only', async (context) => {
    const mounted = mountTmpfs(1024 * 1024);
    if (mounted === undefined) return context.skip('needs the right to mount');
    cleanups.push(() => mounted.remove());
    const path = join(mounted.mountPoint, 'techtemp.db');
    const parts = { path, minFreeBytes: 0, configFile: 'c', unit: 'techtemp-server.service', isPrivate: false };
    expect(await found(stateExamination(parts))).toEqual(['state.volatile']);
    mounted.remount('ro');
    expect(await found(stateExamination(parts))).toContain('state.read-only');
  });

  it('names a file system that has no room for another file', async (context) => {
    const folder = join(bench.folder, 'mounted');
    mkdirSync(folder);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,nr_inodes=1', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      return context.skip('needs the right to mount');
    }
    cleanups.push(() => void execFileSync('umount', [folder]));
    const path = join(folder, 'techtemp.db');
    const parts = { path, minFreeBytes: 0, configFile: 'c', unit: 'techtemp-server.service', isPrivate: false };
    expect(await found(stateExamination(parts))).toContain('state.no-inodes');
  });
});

describe('techtemp-server check: HTTP and exposure', () => {
  beforeEach(() => config('[mqtt]\n'));
  const ready = (ok: boolean): string =>
    JSON.stringify({
      status: ok ? 'ready' : 'not-ready',
      parts: { database: { ok: true }, broker: ok ? { ok: true } : { ok: false, problem: 'no connection' } },
    });

  it('asks our running server whether it is ready, and says which part is not', async () => {
    httpPort = await answering(200, ready(true));
    expect(await ids()).toContain('http.ready');
    httpPort = await answering(503, ready(false));
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'http.not-ready')?.found).toContain('broker: no connection');
  });

  it('names another program on the port, and an address that this machine does not have', async () => {
    httpPort = await answering(200, '<html>hello</html>');
    expect(await ids()).toContain('http.taken');
    // For documentation (RFC 5737): nobody has it.
    httpPort = await freePort();
    const withToken = await ids({ 'http.host': '192.0.2.1' });
    expect(withToken.some((id) => id === 'http.bad-address' || id === 'http.taken')).toBe(true);
  });

  it('does not take a server that is too busy to answer for another program', async () => {
    const server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    httpPort = (server.address() as AddressInfo).port;
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'http.silent')?.found).toContain('could not be found out');
    expect(findings.map(({ id }) => id)).not.toContain('http.taken');
  });

  it('names a server that everybody on the network can listen to, and tokens that are missing', async () => {
    const http = await sections({ 'http.host': '0.0.0.0' });
    const parts = { http, configFile: 'server.conf', nowMs: 0 };
    expect(await found(exposureExamination({ ...parts, tokens: () => Promise.resolve([]) }))).toEqual([
      'exposure.no-tls',
      'exposure.no-token',
    ]);
    const local = await sections({ 'http.reading': 'token' });
    const none = exposureExamination({ http: local, configFile: 'c', nowMs: 0, tokens: () => Promise.resolve([]) });
    expect(await found(none)).toEqual(['exposure.no-token']);
  });

  it('names a certificate that cannot be read', async () => {
    const http = {
      ...(await sections()),
      host: '0.0.0.0',
      tlsCertFile: '/absent/cert.pem',
      tlsKeyFile: '/absent/key.pem',
    };
    const examination = exposureExamination({
      http,
      configFile: 'c',
      nowMs: 0,
      tokens: () => Promise.resolve(undefined),
    });
    expect(await found(examination)).toEqual(['exposure.tls-file', 'exposure.tls-file']);
  });
});

describe('techtemp-server check: the record and its devices', () => {
  beforeEach(() => config('[mqtt]\n'));
  const status = (changes: Partial<DeviceStatus>): DeviceStatus => ({ state: 'online', interval_s: 30, ...changes });

  it('names holes and doubled numbers, and where to read more', async () => {
    const readings = readingsOf('k3v9x2', [1, 2, 3, 7, 8], Date.now() - 300_000);
    await bench.commit([itemsMessage([...readings, { ...readings[4]!, tsMs: Date.now() }])]);
    const { findings } = await check();
    const hole = findings.find(({ id }) => id === 'record.hole');
    expect(hole?.found).toBe(`3 number(s) of ${TEST_DEVICE} are missing without explanation, in 1 hole(s)`);
    expect(hole?.remedy).toEqual([`$ sudo techtemp-server verify --device ${TEST_DEVICE}`]);
    expect(findings.map(({ id }) => id)).toContain('record.doubled');
  });

  it('B3, B5: names readings without numbers, and a gap record that cannot be true, and does not call the record whole', async () => {
    const now = Date.now();
    const unnumbered = { temperatureCelsius: 20, humidityPercent: 50, tsMs: now - 60_000 };
    await bench.commit([itemsMessage([unnumbered], { deviceUid: 'older', receivedMs: now })]);
    const forged: GapRecord = {
      gap: { ofEpoch: 'k3v9x2', from: 1, to: 281_474_976_710_655, count: 5, reason: 'dropped' },
      tsMs: now,
      epoch: 'k3v9x2',
      seq: 3,
    };
    const first = readingsOf('k3v9x2', [1, 2], now - 60_000);
    await bench.commit([itemsMessage([...first, forged], { deviceUid: 'forged', receivedMs: now })]);
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'record.unnumbered')?.found).toBe(
      '1 reading(s) of older carry no numbers: whether any is missing cannot be known',
    );
    const doubted = findings.find(({ id }) => id === 'record.doubted');
    expect(doubted?.found).toBe('1 gap record(s) or number(s) of forged cannot be true and are not believed');
    expect(findings.map(({ id }) => id)).not.toContain('record.whole');
    expect(findings.map(({ id }) => id)).not.toContain('record.hole');
  });

  it('names a device whose newest readings may be lost with a newer state of the record', async () => {
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [1, 2, 3], Date.now() - 300_000))]);
    await bench.close();
    const backup = join(bench.folder, 'backup.db');
    copyFileSync(bench.path, backup);
    await bench.commit([itemsMessage(readingsOf('k3v9x2', [4, 5], Date.now() - 200_000))]);
    await bench.close();
    const options = { ...bench.options, newRecord: false, accept: false, from: backup };
    expect(await runInit(options, recordedIo().io)).toBe(0);
    const unknown = (await check()).findings.find(({ id }) => id === 'record.unknown-end');
    expect(unknown?.found).toContain(`the newest readings of ${TEST_DEVICE} may be missing`);
    expect(unknown?.remedy).toContain(`$ sudo techtemp-server verify --device ${TEST_DEVICE}`);
  });

  it('names messages that were rejected lately, without letting them write to the terminal', async () => {
    await bench.commit([
      {
        kind: 'rejected',
        topic: 'home/h/sensors/\u001b[2Jx/reading',
        receivedMs: Date.now(),
        reason: 'bad-topic',
        detail: 'd',
        payload: 'p',
        payloadBytes: 1,
      },
    ]);
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'record.rejected')?.found).toContain('\\u{1b}[2Jx');
  });

  it('A2: names what waits in quarantine, and whose clock may be the wrong one', async () => {
    const now = Date.now();
    const ahead = (deviceUid: string) => {
      const [reading] = readingsOf('k3v9x2', [1], now + 2 * 86_400_000);
      const payload = encodeReading(reading!);
      const number = { epoch: 'k3v9x2', seq: 1, tsMs: reading!.tsMs };
      const bad = [{ reason: 'bad-time', detail: 'ahead', payload, payloadBytes: payload.length, ...number } as const];
      return itemsMessage([], { deviceUid, bad, receivedMs: now });
    };
    await bench.commit([ahead('one')]);
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'record.quarantine')?.found).toContain('1 reading(s) of 1 device(s) wait');
    await bench.commit([ahead('two')]);
    const again = await check();
    expect(again.findings.find(({ id }) => id === 'record.quarantine-clock')?.cause).toContain('clock of this server');
  });

  it('B6: names a device of which no reading has come for long, whatever the broker says', async () => {
    const now = Date.now();
    await bench.commit([
      itemsMessage(readingsOf('k3v9x2', [1], now - 150_000)),
      statusMessage(status({}), now - 120_000),
    ]);
    const { findings } = await check();
    expect(findings.find(({ id }) => id === 'devices.silent')?.found).toContain('interval of 30 s');
  });

  it('names a sensor that fails, a journal in memory, and a device that waits for a yes', async () => {
    const now = Date.now();
    const sensor = {
      state: 'fault',
      description: 'AHT20',
      error: 'nothing answers',
      failures: 3,
      crc_errors: 0,
      missed: 0,
    } as const;
    const journal = { epoch: 'k3v9x2', state: 'memory', buffered: 0, dropped: 0 } as const;
    await bench.commit(
      [itemsMessage(readingsOf('k3v9x2', [1], now - 31_000)), statusMessage(status({ sensor, journal }), now)],
      'approve',
    );
    expect(await ids()).toEqual(expect.arrayContaining(['devices.pending', 'devices.sensor', 'devices.memory']));
  });
});
