import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as realSleep } from 'node:timers/promises';
import type { LiveConfig, ReloadResult } from '../../src/config/live.ts';
import { type DeviceConfig, openDeviceConfig } from '../../src/device/config.ts';
import { FakeClock } from './fake-clock.ts';

/** How long the real file system may take for anything. */
const REAL_DEADLINE_MS = 30_000;
/** Time that passes on the fake clock at each turn. */
const TURN_MS = 25;

/** A device.conf on a real disk, followed by a live config whose time only passes when the test lets it. */
export interface ConfigBench {
  readonly folder: string;
  readonly path: string;
  readonly clock: FakeClock;
  readonly live: LiveConfig<DeviceConfig>;
  readonly results: ReloadResult[];
  /** Every configuration that was in force, the first one included. */
  readonly inForce: DeviceConfig[];
  /** Starts the watching loop. */
  watch(): void;
  /** Lets this much time pass, and the disk do what it is asked meanwhile. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until the condition holds; throws after `withinMs` of it. */
  until(condition: () => boolean, withinMs?: number): Promise<void>;
  /** Waits for something that needs the clock to go on. */
  finish<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** `place` says where in the temporary folder the file is; its folder is made. */
export async function openConfigBench(text: string, place = 'etc/device.conf'): Promise<ConfigBench> {
  const folder = await mkdtemp(join(tmpdir(), 'techtemp-config-'));
  const path = join(folder, place);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  return await openConfigBenchAt(folder, path);
}

export async function openConfigBenchAt(folder: string, path: string): Promise<ConfigBench> {
  const clock = new FakeClock();
  const results: ReloadResult[] = [];
  const inForce: DeviceConfig[] = [];
  const keep = (result: ReloadResult): void => {
    results.push(result);
    if (result.outcome === 'applied') inForce.push(live.current);
  };
  const hooks = { onApplied: keep, onUnchanged: keep, onRejected: keep };
  const fallbackUid = async (): Promise<string> => Promise.resolve('aht20-000001');
  const live = await openDeviceConfig({ path, env: {}, flags: {}, fallbackUid, clock, ...hooks });
  inForce.push(live.current);
  const stop = new AbortController();
  let watching: Promise<unknown> = Promise.resolve();

  const turn = async (): Promise<void> => {
    await clock.advance(TURN_MS);
    await realSleep(1);
    // Behind whatever the live config has asked of the disk: its time must not run ahead of a slow machine.
    await stat(folder);
  };
  const until = async (condition: () => boolean, withinMs = 60_000): Promise<void> => {
    const endMs = clock.monotonicMs() + withinMs;
    const realEndMs = performance.now() + REAL_DEADLINE_MS;
    while (!condition()) {
      if (clock.monotonicMs() >= endMs)
        throw new Error(`still not so after ${withinMs} ms; ${JSON.stringify(results.at(-1))}`);
      if (performance.now() >= realEndMs) throw new Error('the file system did not answer in time');
      await turn();
    }
  };

  return {
    folder,
    path,
    clock,
    live,
    results,
    inForce,
    watch() {
      watching = live.watch(stop.signal).catch((error: unknown) => {
        if (error !== stop.signal.reason) throw error;
      });
    },
    async pass(ms) {
      for (const endMs = clock.monotonicMs() + ms; clock.monotonicMs() < endMs; ) await turn();
    },
    until,
    async finish(work) {
      let done = false;
      const settled = work.finally(() => {
        done = true;
      });
      settled.catch(() => undefined);
      await until(() => done);
      return await settled;
    },
    async close() {
      stop.abort(new Error('the test is over'));
      await watching;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
