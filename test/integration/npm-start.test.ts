import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emulatorMissing, startEmulator } from '../support/emulator.ts';
import { freePort } from '../support/ports.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const root = resolve(import.meta.dirname, '../..');
const READING = /^\d\d:\d\d:\d\d +-?\d+\.\d\d °C +\d+\.\d\d %RH {2}#\d+/m;

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

  function start(port: number, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [join(root, 'dist/techtemp-start.js')], {
      cwd: folder,
      env: { ...process.env, TECHTEMP_START_PORT: String(port), ...env },
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

  it('measures and publishes where there is no sensor, says so, and stops in good order', async () => {
    const port = await freePort();
    const child = start(port, { LD_PRELOAD: '' });
    await shows('no real sensor, so a simulated one');
    await shows(`mosquitto_sub -h 127.0.0.1 -p ${port} -t 'home/+/sensors/+/#' -v`);
    await shows(READING);
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
