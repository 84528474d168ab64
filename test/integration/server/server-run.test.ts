import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { type FakeSystemd, type NotifyMessage, playSystemd, whyNoFakeSystemd } from '../../support/notify-socket.ts';
import { freePort } from '../../support/ports.ts';
import { serverMissing } from '../../support/server-process.ts';
import { Sqlite } from '../../support/sqlite.ts';
import { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const root = resolve(import.meta.dirname, '../../..');
const PROGRAM = join(root, 'dist/techtemp-server.js');
const RELOAD = join(root, 'systemd/techtemp-reload');
const WATCHDOG_USEC = 3_000_000;

let folder = '';
let conf = '';
let httpPort = 0;
let brokerPort = 0;
let server: ChildProcess | undefined;
let log = '';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-server-run-'));
  conf = join(folder, 'server.conf');
  for (const name of ['state', 'run']) mkdirSync(join(folder, name));
  [httpPort, brokerPort] = [await freePort(), await freePort()];
  log = '';
});
afterEach(async () => {
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** By default no broker listens on its port. */
function configure(more: Readonly<Record<string, readonly string[]>> = {}): void {
  const sections: Record<string, readonly string[]> = {
    mqtt: ['broker_host = 127.0.0.1', `broker_port = ${brokerPort}`, 'reconnect_max_seconds = 1'],
    http: [`port = ${httpPort}`],
  };
  for (const [section, lines] of Object.entries(more)) sections[section] = [...(sections[section] ?? []), ...lines];
  const text = Object.entries(sections).map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`);
  writeFileSync(conf, text.join(''));
}

function start(env: NodeJS.ProcessEnv = {}, cwd = folder): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, 'run', '--config', conf], {
    cwd,
    env: {
      ...process.env,
      NOTIFY_SOCKET: undefined,
      STATE_DIRECTORY: join(folder, 'state'),
      RUNTIME_DIRECTORY: join(folder, 'run'),
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (part: Buffer) => (log += part.toString()));
  server = child;
  return child;
}

async function startAnswering(env: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
  const child = start(env);
  await until('the server answers', async () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${log}`);
    return (await get('/health').catch(() => undefined))?.status === 200;
  });
  return child;
}

const get = async (path: string): Promise<Response> => await fetch(`http://127.0.0.1:${httpPort}${path}`);

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  return ((await once(child, 'exit')) as [number | null])[0];
}

async function reload(): Promise<{ readonly code: number; readonly words: string }> {
  const env = { PATH: process.env['PATH'], MAINPID: String(server?.pid), RUNTIME_DIRECTORY: join(folder, 'run') };
  return await new Promise((done) => {
    execFile(RELOAD, ['60'], { env }, (error, _stdout, words) =>
      done({ code: error === null ? 0 : Number(error.code), words }),
    );
  });
}

describe.skipIf(serverMissing !== undefined)('techtemp-server run', () => {
  it.skipIf(!mosquittoInstalled)(
    'S2: starts without a broker, answers, says that it is away, and stores as soon as there is one',
    async () => {
      const broker = await Mosquitto.prepare();
      brokerPort = broker.port;
      configure();
      await startAnswering();
      const ready = await get('/ready');
      expect(ready.status).toBe(503);
      expect(JSON.stringify(await ready.json())).toMatch(/broker.*nothing listens there/);

      await broker.start();
      await until('it is ready', async () => (await get('/ready')).status === 200);
      const device = await TestClient.connect(broker.port);
      await device.publish('home/h/sensors/a/reading', `{"temperature_c":0,"humidity_pct":0,"ts":${Date.now()}}`);
      await until('the reading is in the store', async () =>
        (await (await get('/api/v1/readings/latest')).text()).includes('"temperature":0,'),
      );
      await device.end();
      await broker.dispose();
    },
  );

  it.each([
    ['has 0 bytes', ''],
    ['holds blank lines and comments only', '\n# nothing\n  ; is set\n\n'],
    ['is missing', undefined],
  ])('D13: runs by the older variables when server.conf %s, and says so', async (_, text) => {
    if (text !== undefined) writeFileSync(conf, text);
    const database = join(folder, 'older.db');
    const variables = { DB_PATH: database, HTTP_PORT: String(httpPort), MQTT_URL: `mqtt://127.0.0.1:${brokerPort}` };
    await startAnswering(variables);
    expect(existsSync(database)).toBe(true);
    expect(log).toContain('holds no setting; the variables DB_PATH, MQTT_URL, HTTP_PORT and the defaults are in force');
  });

  it('D13: an empty server.conf without any variable is a fault, and says what to do', async () => {
    writeFileSync(conf, '');
    expect(await endOf(start())).toBe(78);
    expect(log).toContain(conf);
    expect(log).toMatch(/empty/);
    expect(log).not.toMatch(/\n {4}at /);
  });

  it('runs from any folder, and shows the documentation with its own files', async () => {
    configure();
    await startAnswering();
    expect((await get('/docs')).headers.get('content-type')).toContain('text/html');
    const style = await get('/docs/static/swagger-ui.css');
    expect([style.status, (await style.text()).length > 1000]).toEqual([200, true]);
    expect(existsSync(join(folder, 'state/techtemp.db'))).toBe(true);
    expect(readdirSync(folder)).not.toContain('var');
  });

  it('says where it listens', async () => {
    configure({ http: ['base_path = /climate'] });
    await startAnswering();
    expect(log).toContain(`the API answers at http://127.0.0.1:${httpPort}/climate`);
  });

  it('ends normally when it is asked to, also without a broker and with somebody who watches', async () => {
    configure();
    const child = await startAnswering();
    const stream = await get('/api/v1/events');
    expect(stream.status).toBe(200);
    child.kill('SIGTERM');
    expect(await endOf(child)).toBe(0);
    expect(log).toContain('ends normally');
    // The write-ahead log is emptied into the file by the last connection that closes.
    expect(readdirSync(join(folder, 'state')).filter((name) => name.endsWith('-wal'))).toEqual([]);
    await stream.body?.cancel().catch(() => undefined);
  });

  it('S17: takes its leave of the broker when it ends', async () => {
    if (!mosquittoInstalled) return;
    const broker = await Mosquitto.start();
    brokerPort = broker.port;
    configure();
    const child = await startAnswering();
    const watcher = await TestClient.connect(broker.port, ['techtemp/server/+']);
    await until('it is announced', () => watcher.heard.at(-1)?.payload.includes('online') === true);
    child.kill('SIGTERM');
    expect(await endOf(child)).toBe(0);
    await until('its absence is announced', () => watcher.heard.at(-1)?.payload.includes('offline') === true);
    await watcher.end();
    await broker.dispose();
  });
});

describe.skipIf(serverMissing !== undefined)('techtemp-server run does not start, and says why', () => {
  it('with a config that cannot be used: 78, with file, line and key', async () => {
    configure({ http: ['reading = sometimes'] });
    expect(await endOf(start())).toBe(78);
    expect(log).toMatch(/server\.conf:\d+: http\.reading = .*must be open or token/);
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('with a bad variable of the older server: 78, with its name', async () => {
    configure();
    expect(await endOf(start({ MQTT_URL: 'ws://me:hush-hush@broker' }))).toBe(78);
    expect(log).toContain('environment variable MQTT_URL');
    expect(log).not.toContain('hush-hush');
  });

  it('on a port that is taken: 1, with the port and what to do', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(httpPort, '127.0.0.1', done));
    configure();
    expect(await endOf(start())).toBe(1);
    expect(log).toMatch(
      new RegExp(`cannot listen on 127\\.0\\.0\\.1, port ${httpPort}: another program.*section \\[http\\]`),
    );
    other.close();
  });

  it('with certificates that are missing or none: 78, with the key', async () => {
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    configure({ http: [`tls_cert_file = ${files.cert}`, `tls_key_file = ${files.key}`] });
    expect(await endOf(start())).toBe(78);
    expect(log).toContain('http.tls_cert_file');
    log = '';
    writeFileSync(files.cert, 'no certificate');
    writeFileSync(files.key, 'no key');
    expect(await endOf(start())).toBe(78);
    expect(log).toContain('tls_key_file');
  });

  it('on a file that is no database of ours: 65, and leaves it as it is', async () => {
    const path = join(folder, 'letter.txt');
    writeFileSync(path, 'Dear Sir or Madam, this is a letter.\n');
    configure({ store: [`path = ${path}`] });
    expect(await endOf(start())).toBe(65);
    expect(log).toContain('is no SQLite database');
    expect(readdirSync(folder).filter((name) => name.startsWith('letter'))).toEqual(['letter.txt']);
  });

  it('with a path whose folder does not exist: 78, and makes no record in a place that nobody meant (D4)', async () => {
    configure();
    const path = join(folder, 'volume', 'techtemp.db');
    expect(await endOf(start({ DB_PATH: path }))).toBe(78);
    expect(log).toMatch(/the folder .*volume does not exist.*mkdir -p/);
    expect(readdirSync(folder)).not.toContain('volume');
    mkdirSync(join(folder, 'volume'));
    await startAnswering({ DB_PATH: path });
    expect(log).toMatch(new RegExp(`the record is ${path}, made 20\\d\\d-`));
  });

  it('S20: on a record of a newer version: 65, and leaves it as it is', async () => {
    configure();
    const child = await startAnswering();
    child.kill('SIGTERM');
    expect(await endOf(child)).toBe(0);
    const db = new Sqlite(join(folder, 'state/techtemp.db'));
    db.pragma('user_version = 9000');
    db.close();
    log = '';
    expect(await endOf(start())).toBe(65);
    expect(log).toMatch(/newer TechTemp: its schema is version 9000/);
  });
});

const noSystemd = whyNoFakeSystemd() ?? serverMissing;

describe.skipIf(noSystemd !== undefined)(
  `the server and systemd${noSystemd === undefined ? '' : ` (skipped: ${noSystemd})`}`,
  () => {
    let systemd: FakeSystemd;
    beforeEach(async () => (systemd = await playSystemd()));
    afterEach(async () => await systemd[Symbol.asyncDispose]());

    const startWatched = async (): Promise<ChildProcess> => {
      const child = start({ ...systemd.env, WATCHDOG_USEC: String(WATCHDOG_USEC) });
      await systemd.waitFor(says('READY=1')).catch((error: unknown) => {
        throw new Error(`no READY; the log:\n${log}`, { cause: error });
      });
      return child;
    };
    const fedUsec = (): readonly number[] =>
      systemd.messages.filter(says('WATCHDOG=1')).map((message) => message.atUsec);

    it('READY comes when HTTP answers and the store is open; a broker that is away starves no watchdog', async () => {
      configure();
      await startWatched();
      expect((await get('/health')).status).toBe(200);
      expect(existsSync(join(folder, 'state/techtemp.db'))).toBe(true);
      const before = fedUsec().length;
      await until('six meals of the watchdog', () => fedUsec().length >= before + 6, 60_000);
      const gaps = fedUsec()
        .slice(1)
        .map((atUsec, i) => atUsec - (fedUsec()[i] ?? 0));
      expect(Math.max(...gaps)).toBeLessThan(WATCHDOG_USEC);
      expect(systemd.lines().filter((line) => line === 'READY=1')).toHaveLength(1);
      const status = systemd.lines().filter((line) => line.startsWith('STATUS='));
      expect(status.join('\n')).toMatch(new RegExp(`broker 127\\.0\\.0\\.1:${brokerPort} is away`));
    });

    it('a process that does not get on feeds nobody, and goes on when it does', async () => {
      configure();
      const child = await startWatched();
      child.kill('SIGSTOP');
      const sinceFedUsec = (): number => Number(process.hrtime.bigint() / 1000n) - (fedUsec().at(-1) ?? 0);
      await until('the watchdog starves', () => sinceFedUsec() > WATCHDOG_USEC * 1.2);
      const from = systemd.messages.length;
      child.kill('SIGCONT');
      await systemd.waitFor(says('WATCHDOG=1'), { from });
    });

    it('reload: a good file is in force, a key that must wait is named, a bad file is refused and changes nothing', async () => {
      configure();
      const child = await startWatched();
      configure({ http: ['reading = token'] });
      expect(await reload()).toMatchObject({ code: 0 });
      // Either the signal or the watched file was noticed first.
      expect(log).toContain('changed: [http]');
      expect((await get('/api/v1/devices')).status).toBe(401);

      configure({ store: [`path = ${join(folder, 'other.db')}`] });
      const waiting = await reload();
      expect(waiting.code).toBe(0);
      expect(waiting.words).toMatch(/server\.conf:\d+: store\.path = .*needs a restart/);
      expect(waiting.words).toContain('needs a restart: store.path');
      expect(log).toContain('needs a restart: store.path');
      expect((await get('/api/v1/devices')).status).toBe(200);
      expect(existsSync(join(folder, 'other.db'))).toBe(false);

      configure({ http: ['reading = sometimes'] });
      const refused = await reload();
      expect(refused.code).toBe(1);
      expect(refused.words).toMatch(/http\.reading = .*sometimes.*must be open or token/);
      await systemd.waitFor((message) => message.lines.join().includes('the edited server.conf was refused'));
      expect((await get('/api/v1/devices')).status).toBe(200);
      expect(child.exitCode).toBeNull();
      const lines = systemd.lines();
      expect(lines.filter((line) => line === 'READY=1').length).toBe(
        lines.filter((line) => line === 'RELOADING=1').length + 1,
      );
    });

    it('SIGTERM: STOPPING, then an end in good order', async () => {
      configure();
      const child = await startWatched();
      child.kill('SIGTERM');
      expect(await endOf(child)).toBe(0);
      const words = systemd.lines();
      expect(words.filter((line) => line === 'STOPPING=1')).toHaveLength(1);
      expect(words.slice(words.indexOf('STOPPING=1'))).not.toContain('READY=1');
    });

    it('a start that fails is never READY, and its reason is in the status', async () => {
      const other = createServer();
      await new Promise<void>((done) => other.listen(httpPort, '127.0.0.1', done));
      configure();
      expect(await endOf(start({ ...systemd.env, WATCHDOG_USEC: String(WATCHDOG_USEC) }))).toBe(1);
      await systemd.waitFor((message) => /^STATUS=can't start: cannot listen/.test(message.lines[0] ?? ''));
      expect(systemd.lines()).not.toContain('READY=1');
      other.close();
    });
  },
);

function says(line: string): (message: NotifyMessage) => boolean {
  return (message) => message.lines.includes(line);
}
