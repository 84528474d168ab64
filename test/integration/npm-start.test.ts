import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emulatorMissing, startEmulator } from '../support/emulator.ts';
import { freePort } from '../support/ports.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const root = resolve(import.meta.dirname, '../..');
const READING = /^\d\d:\d\d:\d\d device +-?\d+\.\d\d °C +\d+\.\d\d %RH {2}#\d+/m;

interface Answer {
  readonly data: readonly { readonly status?: { readonly delivery?: string } | null }[];
}

describe('npm start', () => {
  let folder = '';
  let program: ChildProcess | undefined;
  let output = '';

  beforeAll(() => {
    // What `npm start` does first.
    execFileSync(process.execPath, [join(root, 'scripts/setup.mjs'), 'test'], { cwd: root });
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'techtemp-start-'));
    output = '';
  });

  afterEach(async () => {
    if (program !== undefined && program.exitCode === null && program.signalCode === null) {
      program.kill('SIGKILL');
      await once(program, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function start(
    port: number,
    env: Readonly<Record<string, string>> = {},
    script = join(root, 'dist/techtemp-start.js'),
  ): ChildProcess {
    const child = spawn(process.execPath, [script], {
      cwd: folder,
      // Any free port for the API, unless a test says otherwise: several run at the same time.
      env: { ...process.env, TECHTEMP_START_PORT: String(port), TECHTEMP_START_HTTP_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    program = child;
    return child;
  }

  const shows = async (words: string | RegExp): Promise<void> =>
    await until(`the screen shows ${words}`, () =>
      typeof words === 'string' ? output.includes(words) : words.test(output),
    ).catch((error: unknown) => {
      throw new Error(output, { cause: error });
    });

  it('measures and publishes where there is no sensor, says so, and stops normally', async () => {
    const port = await freePort();
    const child = start(port, { LD_PRELOAD: '' });
    await shows('no real sensor, so a simulated one');
    await shows(`mosquitto_sub -h 127.0.0.1 -p ${port} -t 'home/+/sensors/+/#' -v`);
    await shows(READING);
    // Each line is for people, and says which program speaks.
    await shows(/^\d\d:\d\d:\d\d device INFO +sensor: simulated sensor$/m);
    await shows(/^\d\d:\d\d:\d\d server INFO +the API answers/m);
    expect(output).not.toMatch(/^\{/m);
    expect(readFileSync(join(folder, 'var/device.conf'), 'utf8')).toContain('\nroom = Living room\n');
    const watcher = await TestClient.connect(port, ['home/+/sensors/+/#'], { protocolVersion: 4 });
    await until('its status is retained', () => watcher.on('/status').length > 0);
    await watcher.end();
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
  });

  it('takes another port when 1883 is busy, and says so', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as { port: number };
    start(port);
    await shows(`port ${port} is in use`);
    await shows(READING);
    expect(output).not.toContain(`-p ${port} `);
    other.close();
  });

  it('shows the reading through the API that it names, with receipts in force', async () => {
    start(await freePort());
    await shows(READING);
    const api = /API: +(http:\/\/127\.0\.0\.1:\d+)\/api\/v1\/readings\/latest/.exec(output)?.[1] ?? '';
    const answer = async (path: string): Promise<Answer> => (await (await fetch(`${api}${path}`)).json()) as Answer;
    await until('the reading is in the store', async () => (await answer('/api/v1/readings/latest')).data.length === 1);
    await until('the device delivers with receipts', async () => {
      const [device] = (await answer('/api/v1/devices')).data;
      return device?.status?.delivery === 'receipt';
    });
    expect((await fetch(`${api}/docs`)).headers.get('content-type')).toContain('text/html');
    expect(readFileSync(join(folder, 'var/server.conf'), 'utf8')).toBe(
      readFileSync(join(root, 'config/server.conf'), 'utf8'),
    );
  });

  it('takes another port for the API when 3000 is busy, and says so', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as { port: number };
    start(await freePort(), { TECHTEMP_START_HTTP_PORT: String(port) });
    await shows(`port ${port} is in use`);
    await shows(READING);
    const url = /API: +(http:\S+)/.exec(output)?.[1] ?? '';
    expect(url).not.toContain(`:${port}/`);
    expect((await fetch(url)).status).toBe(200);
    other.close();
  });

  it('goes on without better-sqlite3, and says what is missing', async () => {
    // The build as it is, beside every package but those.
    const release = join(folder, 'release');
    cpSync(join(root, 'dist'), join(release, 'dist'), { recursive: true });
    cpSync(join(root, 'config'), join(release, 'config'), { recursive: true });
    cpSync(join(root, 'package.json'), join(release, 'package.json'));
    mkdirSync(join(release, 'node_modules'));
    for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => !entry.startsWith('better-sqlite3'))) {
      symlinkSync(join(root, 'node_modules', name), join(release, 'node_modules', name));
    }
    start(await freePort(), {}, join(release, 'dist/techtemp-start.js'));
    await shows('better-sqlite3');
    await shows('the server could not start');
    await shows(READING);
  });

  it('follows var/device.conf while it runs', async () => {
    start(await freePort());
    await shows(READING);
    const path = join(folder, 'var/device.conf');
    writeFileSync(path, readFileSync(path, 'utf8').replace('read_interval_seconds = 5', 'read_interval_seconds = 0.2'));
    await shows('changed: [sensor]');
    await shows(/#8$/m);
  });

  it.skipIf(emulatorMissing !== undefined)(
    'takes the real sensor where one answers, and simulates none that is faulty',
    async () => {
      const emulator = await startEmulator({ source: { kind: 'constant', temperature: 33.3, humidity: 44.4 } });
      start(await freePort(), emulator.env);
      await shows('33.30 °C   44.40 %RH  #1');
      expect(output).not.toContain('simulated');
      program?.kill('SIGKILL');
      await emulator.fault('crc');
      output = '';
      rmSync(join(folder, 'var'), { recursive: true });
      start(await freePort(), emulator.env);
      await shows('no reading:');
      expect(output).not.toContain('simulated');
      program?.kill('SIGKILL');
      await emulator.stop();
    },
  );
});
