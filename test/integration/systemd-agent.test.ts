import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';
import { type Emulator, emulatorMissing, startEmulator } from '../support/emulator.ts';
import { type FakeSystemd, type NotifyMessage, playSystemd, whyNoFakeSystemd } from '../support/notify-socket.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const AGENT = fileURLToPath(new URL('../../src/device/main.ts', import.meta.url));
const RELOAD = fileURLToPath(new URL('../../systemd/techtemp-reload', import.meta.url));
const WATCHDOG_USEC = 3_000_000;
/** A transfer that hangs is given up on, the measurement fails, the loop's last word runs out. */
const HANG_LIMIT_MS = 60_000;

const missing = whyNoFakeSystemd() ?? emulatorMissing;

describe.skipIf(missing !== undefined)(
  `the agent and systemd${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let script = '';
    let directory = '';
    let config = '';
    let brokerPort = 0;
    let systemd: FakeSystemd;
    let emulator: Emulator;
    let agent: ChildProcess | undefined;
    let log = '';

    beforeAll(async () => {
      script = await bundleForChild(AGENT);
    });
    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'techtemp-agent-'));
      config = join(directory, 'device.conf');
      for (const name of ['state', 'run']) mkdirSync(join(directory, name));
      brokerPort = await freePort();
      systemd = await playSystemd();
      emulator = await startEmulator();
      log = '';
    });
    afterEach(async () => {
      if (agent !== undefined && agent.exitCode === null && agent.signalCode === null) {
        agent.kill('SIGKILL');
        await once(agent, 'exit');
      }
      agent = undefined;
      await emulator.stop();
      await systemd[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    /** No broker listens on its port: being without one is healthy. */
    function configure(interval: string): void {
      const lines = [
        '[device]',
        'device_uid = aht20-systemd',
        '[sensor]',
        `read_interval_seconds = ${interval}`,
        '[mqtt]',
        'broker_host = 127.0.0.1',
        `broker_port = ${brokerPort}`,
      ];
      writeFileSync(config, `${lines.join('\n')}\n`);
    }

    function environment(): NodeJS.ProcessEnv {
      return {
        ...process.env,
        ...emulator.env,
        ...systemd.env,
        WATCHDOG_USEC: String(WATCHDOG_USEC),
        STATE_DIRECTORY: join(directory, 'state'),
        RUNTIME_DIRECTORY: join(directory, 'run'),
      };
    }

    function start(): ChildProcess {
      const child = spawn(process.execPath, [script, 'run', '--config', config], {
        env: environment(),
        stdio: ['ignore', 'inherit', 'pipe'],
      });
      child.stderr.on('data', (part: Buffer) => {
        log += part.toString();
      });
      agent = child;
      return child;
    }

    async function startReady(): Promise<ChildProcess> {
      configure('0.2');
      const child = start();
      await systemd.waitFor(says('READY=1')).catch((error: unknown) => {
        throw new Error(`no READY; the agent's log:\n${log}`, { cause: error });
      });
      return child;
    }

    async function reload(): Promise<{ readonly code: number; readonly words: string }> {
      const env = { PATH: process.env['PATH'], MAINPID: String(agent?.pid), RUNTIME_DIRECTORY: join(directory, 'run') };
      return await new Promise((resolve) => {
        execFile(RELOAD, ['60'], { env }, (error, _stdout, words) =>
          resolve({ code: error === null ? 0 : Number(error.code), words }),
        );
      });
    }

    const fedUsec = (): readonly number[] =>
      systemd.messages.filter(says('WATCHDOG=1')).map((message) => message.atUsec);
    const sinceFedUsec = (): number => Number(process.hrtime.bigint() / 1000n) - (fedUsec().at(-1) ?? 0);

    test('READY comes with the first reading, beside a status worth reading; without a broker the watchdog is fed on', async () => {
      const child = await startReady();
      const ready = systemd.messages.findIndex(says('READY=1'));
      expect(systemd.messages[ready]?.pid).toBe(child.pid);
      expect(
        systemd.messages
          .slice(0, ready + 1)
          .flatMap((message) => message.lines)
          .join('\n'),
      ).toMatch(/STATUS=21\.50 °C/);
      const before = fedUsec().length;
      await until('ten meals of the watchdog', () => fedUsec().length >= before + 10, 60_000);
      const gaps = fedUsec()
        .slice(1)
        .map((atUsec, i) => atUsec - (fedUsec()[i] ?? 0));
      expect(Math.max(...gaps)).toBeLessThan(WATCHDOG_USEC);
      expect(systemd.lines().filter((line) => line === 'READY=1')).toHaveLength(1);
    });

    test('a good file is answered by RELOADING with its time, READY and success; a bad one by failure, and it runs on', async () => {
      const child = await startReady();
      const from = systemd.messages.length;
      configure('0.3');
      const beforeUsec = Number(process.hrtime.bigint() / 1000n);
      expect(await reload()).toMatchObject({ code: 0 });
      const reloading = await systemd.waitFor(says('RELOADING=1'), { from });
      const sentUsec = Number(/MONOTONIC_USEC=(\d+)/.exec(reloading.lines.join())?.[1]);
      expect(sentUsec).toBeGreaterThanOrEqual(beforeUsec);
      expect(sentUsec).toBeLessThanOrEqual(reloading.atUsec);
      const words = (): readonly string[] => systemd.messages.slice(from).flatMap((message) => message.lines);
      await until('READY after the reload', () => words().includes('READY=1'));
      expect(words().indexOf('READY=1')).toBeGreaterThan(words().indexOf('RELOADING=1'));

      configure('soon');
      const refused = await reload();
      expect(refused.code).toBe(1);
      expect(refused.words).toMatch(/read_interval_seconds.*soon/s);
      await systemd.waitFor((message) => message.lines.join().includes('device.conf has an error'), { from });
      expect(words().filter((line) => line === 'READY=1').length).toBe(
        words().filter((line) => line === 'RELOADING=1').length,
      );
      const fed = fedUsec().length;
      await until('the watchdog is fed after the bad file', () => fedUsec().length > fed + 1);
      expect(child.exitCode).toBeNull();
    });

    test('a bus that hangs ends the feeding for longer than systemd waits', async () => {
      const child = await startReady();
      await emulator.fault('hang');
      await until('the watchdog starves', () => sinceFedUsec() > WATCHDOG_USEC * 1.2, HANG_LIMIT_MS);
      expect(child.exitCode).toBeNull();
    });

    test('an absent sensor is no reason to starve', async () => {
      const child = await startReady();
      await emulator.fault('absent');
      const before = fedUsec().length;
      await until('ten meals of the watchdog', () => fedUsec().length >= before + 10, 60_000);
      const gaps = fedUsec()
        .slice(before)
        .map((atUsec, i) => atUsec - (fedUsec()[before + i - 1] ?? 0));
      expect(Math.max(...gaps)).toBeLessThan(WATCHDOG_USEC);
      await systemd.waitFor((message) => /STATUS=.*sensor fault/.test(message.lines.join()));
      expect(child.exitCode).toBeNull();
    });

    test('a process that does not get on feeds nobody, and goes on when it does', async () => {
      const child = await startReady();
      child.kill('SIGSTOP');
      await until('the watchdog starves', () => sinceFedUsec() > WATCHDOG_USEC * 1.2);
      const from = systemd.messages.length;
      child.kill('SIGCONT');
      await systemd.waitFor(says('WATCHDOG=1'), { from });
    });

    test('SIGTERM: STOPPING, then an end in good order, also without a broker', async () => {
      const child = await startReady();
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      const words = systemd.lines();
      expect(words.filter((line) => line === 'STOPPING=1')).toHaveLength(1);
      expect(words.slice(words.indexOf('STOPPING=1'))).not.toContain('READY=1');
    });

    test('a configuration that it cannot start with: exit 78, never READY, and the reason in the status', async () => {
      configure('soon');
      const [code] = (await once(start(), 'exit')) as [number];
      expect(code).toBe(78);
      await systemd.waitFor((message) => /^STATUS=.*read_interval_seconds/.test(message.lines[0] ?? ''));
      expect(systemd.lines()).not.toContain('READY=1');
    });
  },
);

function says(line: string): (message: NotifyMessage) => boolean {
  return (message) => message.lines.includes(line);
}
