import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';
import { type FakeSystemd, playSystemd, whyNoFakeSystemd } from '../support/notify-socket.ts';
import { until } from '../support/until.ts';

const missing = whyNoFakeSystemd();

const PROGRAM = fileURLToPath(new URL('../support/children/obedient-service.ts', import.meta.url));

interface Service {
  readonly process: ChildProcess;
  readonly firstLine: string;
  /** Resolves when it has been done; with the monotonic µs at which that was. */
  tell(word: string): Promise<number>;
}

describe.skipIf(missing !== undefined)(
  `what systemd hears${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let script = '';
    const services: ChildProcess[] = [];
    beforeAll(async () => {
      script = await bundleForChild(PROGRAM);
    });
    afterEach(async () => {
      for (const service of services.splice(0)) {
        if (service.exitCode === null && service.signalCode === null) {
          service.kill('SIGKILL');
          await once(service, 'close');
        }
      }
    });

    async function start(env: Record<string, string>): Promise<Service> {
      const child = spawn(process.execPath, [script], {
        env: { ...process.env, ...env },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      services.push(child);
      const lines: string[] = [];
      const wanted: ((line: string) => void)[] = [];
      let rest = '';
      child.stdout.on('data', (part: Buffer) => {
        const parts = (rest + part.toString()).split('\n');
        rest = parts.pop() ?? '';
        for (const line of parts) (wanted.shift() ?? ((l) => lines.push(l)))(line);
      });
      const nextLine = async (): Promise<string> =>
        lines.shift() ?? (await new Promise((resolve) => void wanted.push(resolve)));
      return {
        process: child,
        firstLine: await nextLine(),
        async tell(word) {
          child.stdin.write(`${word}\n`);
          return Number((await nextLine()).split(' ')[2]);
        },
      };
    }

    test.each(['path', 'abstract'] as const)(
      'READY, STATUS and STOPPING arrive whole from the main process (%s socket)',
      async (kind) => {
        await using systemd = await playSystemd(kind);
        const service = await start(systemd.env);
        await service.tell('ready');
        await service.tell('status');
        await service.tell('stopping');
        const last = await systemd.waitFor((message) => message.lines.includes('STOPPING=1'));
        expect(systemd.messages.map((message) => message.lines)).toEqual([
          ['READY=1'],
          ['STATUS=21.5 °C, 100%s %n READY=1'],
          ['STOPPING=1'],
        ]);
        expect(last.pid).toBe(service.process.pid);
      },
    );

    test('RELOADING carries the monotonic time of its sending, as systemd 253 and later demand', async () => {
      await using systemd = await playSystemd();
      const service = await start(systemd.env);
      const before = await service.tell('nothing');
      const after = await service.tell('reloading');
      const { lines, atUsec } = await systemd.waitFor((message) => message.lines.includes('RELOADING=1'));
      const sentUsec = Number(/^MONOTONIC_USEC=(\d+)$/.exec(lines[1] ?? '')?.[1]);
      expect(lines).toHaveLength(2);
      expect(sentUsec).toBeGreaterThanOrEqual(before);
      expect(sentUsec).toBeLessThanOrEqual(Math.min(after, atUsec));
    });

    test('the watchdog is fed while every loop moves, not when one hangs, again when it moves again', async () => {
      await using systemd = await playSystemd();
      const service = await start({ ...systemd.env, WATCHDOG_USEC: '400000', WATCHDOG_PID: '' });
      expect(service.firstLine).toBe('watchdog 400');
      await service.tell('publish');
      await fed(systemd, 3);
      // The sampler names 300 ms and then hangs; it is late after 400. The publisher goes on all the time.
      const hungUsec = await service.tell('sample');
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      // What was sent in time may arrive late on a busy machine; one meal of a feeder that goes on would be among the rest.
      const afterHangUsec = feedsUsec(systemd).filter((atUsec) => atUsec > hungUsec + 1_500_000);
      expect(afterHangUsec).toEqual([]);
      const from = systemd.messages.length;
      await service.tell('sample');
      await systemd.waitFor((message) => message.lines.includes('WATCHDOG=1'), { from });
    });

    test('a blocked event loop feeds nobody', async () => {
      await using systemd = await playSystemd();
      const service = await start({ ...systemd.env, WATCHDOG_USEC: '400000' });
      await service.tell('publish');
      await fed(systemd, 3);
      const afterUsec = await service.tell('block');
      await until('it is fed again', () => feedsUsec(systemd).some((atUsec) => atUsec > afterUsec));
      // It was blocked for three seconds up to then; what was sent just before may have arrived a little later.
      const gaps = feedsUsec(systemd).filter((atUsec) => atUsec > afterUsec - 2_500_000 && atUsec < afterUsec);
      expect(gaps).toEqual([]);
    });
  },
);

function feedsUsec(systemd: FakeSystemd): readonly number[] {
  return systemd.messages.filter((message) => message.lines.includes('WATCHDOG=1')).map((message) => message.atUsec);
}

async function fed(systemd: FakeSystemd, times: number): Promise<void> {
  await systemd.waitFor(() => feedsUsec(systemd).length >= times);
}
