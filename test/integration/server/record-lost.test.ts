import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeAnnouncement } from '../../../src/contract/messages.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { Sqlite } from '../../support/sqlite.ts';
import { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const missing = serverMissing ?? (mosquittoInstalled ? undefined : 'no Mosquitto');
const UID = 'aht20-0a1b2c';

describe.skipIf(missing !== undefined)('the whole server and its record', () => {
  let broker: Mosquitto;
  let server: ServerProcess;
  let device: TestClient;
  const receipted = (): number[] =>
    device
      .on('/receipt')
      .flatMap(({ payload }) =>
        (JSON.parse(payload) as { stored: readonly [number, number][] }).stored.flatMap(([from, to]) =>
          Array.from({ length: to - from + 1 }, (_, index) => from + index),
        ),
      );
  const publish = async (seq: number): Promise<void> => {
    const reading = { temperature_c: 20, humidity_pct: 50, ts: Date.now(), epoch: 'k3v9x2', seq };
    await device.publish(`home/h/sensors/${UID}/reading`, JSON.stringify(reading));
  };
  const files = (): string[] => readdirSync(server.folder).filter((name) => name.startsWith('techtemp.db'));

  beforeEach(async () => {
    broker = await Mosquitto.start();
    server = await ServerProcess.prepare({ brokerPort: broker.port });
    device = await TestClient.connect(broker.port, [`home/h/sensors/${UID}/receipt`, 'techtemp/server/+']);
    await server.start();
    // It answers over HTTP before it has subscribed; what is published until then would reach no one.
    await until('it is announced', () =>
      device.on('/main').some(({ payload }) => decodeAnnouncement(payload).state === 'online'),
    );
  });
  afterEach(async () => {
    await device.end();
    await server.dispose();
    await broker.dispose();
  });

  it('takes nothing more once its files are removed, says so everywhere, and has all of it again by the printed remedy (A1)', async () => {
    for (let seq = 1; seq <= 5; seq += 1) await publish(seq);
    await until('all have receipts', () => receipted().length === 5);
    const identity = (JSON.parse(readFileSync(join(server.folder, 'techtemp.db.identity'), 'utf8')) as { id: string })
      .id;
    expect(decodeAnnouncement(device.on('/main').at(-1)?.payload ?? '').record).toBe(identity);

    for (const name of files()) rmSync(join(server.folder, name));
    await publish(6);
    await until('it was noticed and saved', () => server.log.includes('techtemp-server init --from'));
    const ready = await server.get('/ready');
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { parts: { database: { ok: false }, ingest: { ok: false } } },
    ]);
    // A restart would not help, and would close what is still open.
    const health = await server.get('/health');
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'record-lost' }]);
    expect(server.log).toContain('"level":"error"');
    const check = await server.command('check');
    expect([check.code, check.stdout]).toEqual([1, expect.stringContaining('was removed or moved away')]);
    const room = await fetch(`http://127.0.0.1:${server.httpPort}/api/v1/rooms`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"Attic"}',
    });
    expect(room.status).toBe(503);
    expect(receipted()).toEqual([1, 2, 3, 4, 5]);
    await server.kill();

    server.log = '';
    server.spawn();
    await until('it refuses to begin anew', () => /shows that there was one.*init --from/.test(server.log));
    expect(await server.ended()).toBe(65);
    const [, saved = ''] = /techtemp-server init --from (\S+Z)/.exec(server.log) ?? [];
    expect(await server.command('init', '--from', saved)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(identity) as unknown,
    });
    await server.start();
    await until('what came last is stored, too', () => receipted().includes(6));
    expect((await server.readings(UID)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await server.command('verify')).code).toBe(0);
  });

  it('stops at once while its record is lost: no attempt can succeed before a person acts', async () => {
    await publish(1);
    await until('it has its receipt', () => receipted().length === 1);
    rmSync(join(server.folder, 'techtemp.db'));
    await publish(2);
    await until('it was noticed and saved', () => server.log.includes('techtemp-server init --from'));
    expect(await server.stop()).toBe(0);
    expect(server.log).toContain('the store waits for a person');
    // What it says after the ten seconds in which it waits for a store that may take readings again.
    expect(server.log).not.toContain('stopped before all that was taken could be stored');
    expect(server.log).toContain('ends normally');
    expect(receipted()).toEqual([1]);
  });

  it('begins a record that is told to be new as another one for the devices, and keeps the old files', async () => {
    await publish(1);
    await until('it has its receipt', () => receipted().length === 1);
    const old = decodeAnnouncement(device.on('/main').at(-1)?.payload ?? '').record;
    await server.kill();
    rmSync(join(server.folder, 'techtemp.db'));
    server.log = '';
    server.spawn();
    await until('it refuses', () => server.log.includes('techtemp-server init --new-record'));
    expect(await server.ended()).toBe(65);
    const lonely = readFileSync(join(server.folder, 'techtemp.db-wal'), 'hex');
    const { code, stdout } = await server.command('init', '--new-record');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Set aside: .*-wal is .*set-aside-.*-wal now/)]);
    const kept = files().find((name) => /set-aside.*-wal$/.test(name)) ?? '';
    expect(readFileSync(join(server.folder, kept), 'hex')).toBe(lonely);
    await server.start();
    await until('it is announced', () => {
      const { record } = decodeAnnouncement(device.on('/main').at(-1)?.payload ?? '');
      return record !== undefined && record !== old;
    });
  });

  it('is the only one on its record, also after a kill, and the commands work beside it', async () => {
    const { code, stderr } = await server.command('run', '--set', 'http.port=0');
    expect(code).toBe(1);
    expect(stderr).toMatch(/Another techtemp-server uses the record .*Stop the other one/);
    expect((await server.command('init', '--new-record')).code).toBe(1);
    expect((await server.command('verify')).code).toBe(0);
    expect((await server.command('export')).code).toBe(0);
    expect((await server.command('gaps')).code).toBe(0);
    await server.kill();
    await server.start();
    expect((await server.get('/health')).status).toBe(200);
  });

  it('stays the only one when only the file of its lock is removed', async () => {
    const lock = join(server.folder, 'techtemp.db.lock');
    rmSync(lock);
    const { code, stderr } = await server.command('run', '--set', 'http.port=0');
    expect(code).toBe(1);
    expect(stderr).toMatch(/Another techtemp-server uses the record .*Stop/);
    rmSync(lock, { force: true });
    await publish(1);
    await until('it has its receipt', () => receipted().includes(1));
    expect(server.log).toContain('the lock of the record was removed or replaced and was made again');
    expect((await server.command('init', '--new-record')).code).toBe(1);
    expect((await server.get('/ready')).status).toBe(200);
  });

  it('gives no receipt while another program has a new file of its lock, and says so everywhere', async () => {
    const lock = join(server.folder, 'techtemp.db.lock');
    rmSync(lock);
    const other = new Sqlite(lock);
    try {
      other.exec('BEGIN EXCLUSIVE');
      await publish(1);
      await until('the log says so', () => /nothing is acknowledged.*Another techtemp-server/.test(server.log));
      const ready = await server.get('/ready');
      expect([ready.status, await ready.json()]).toMatchObject([503, { parts: { database: { ok: false } } }]);
      const check = await server.command('check');
      expect([check.code, check.stdout]).toEqual([1, expect.stringContaining('Another techtemp-server')]);
      expect(receipted()).toEqual([]);
    } finally {
      other.close();
    }
    await until('it has its receipt', () => receipted().includes(1));
    expect((await server.get('/ready')).status).toBe(200);
  });

  it('tells a person what is wrong in one line, without a stack trace (D11)', async () => {
    await server.stop();
    // A folder where a file belongs; a file where a folder belongs.
    renameSync(join(server.folder, 'techtemp.db.lock'), join(server.folder, 'lock'));
    mkdirSync(join(server.folder, 'techtemp.db.lock'));
    writeFileSync(join(server.folder, 'file'), '');
    const ends = [
      await server.command('run'),
      await server.command('run', '--set', `store.path=${join(server.folder, 'file', 'techtemp.db')}`),
      await server.command('init', '--set', `store.path=${server.folder}`),
      await server.command('verify', '--set', `store.path=${server.folder}`),
      await server.command('export', '--output', join(server.folder, 'none', 'x.csv')),
    ];
    for (const { code, stderr } of ends) {
      expect([1, 2, 65]).toContain(code);
      expect(stderr).not.toMatch(/\n {4}at |node:internal/);
      expect(stderr).toMatch(/techtemp|file|folder/);
    }
    expect(existsSync(join(server.folder, 'none'))).toBe(false);
  });
});
