import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSensorLock, type SensorLock } from '../../drivers/i2c/lock.ts';
import { bundleForChild } from '../support/bundle.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;

/** A file that stands for a bus that no other test has. */
function newDevice(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'i2c-1');
  writeFileSync(path, '');
  return path;
}

function createLock(clock: FakeClock, devicePath: string, address = 0x38): SensorLock {
  return createSensorLock({ busNumber: 1, address, devicePath, delay: clock.sleep, monotonicMs: clock.monotonicMs });
}

/** Lets the fake time pass in small steps until the promise has settled. */
async function pass<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  const state = { settled: false };
  const done = (): void => {
    state.settled = true;
  };
  promise.then(done, done);
  for (let step = 0; step < 50_000 && !state.settled; step++) {
    await clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return promise;
}

async function holdInChild(devicePath: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [await bundleForChild('test/support/children/hold-sensor-lock.ts'), devicePath],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  // Gone before its file is: the next test's file may get the same inode, and with it the same lock.
  const gone = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  await once(child.stdout, 'data');
  return child;
}

describe.skipIf(process.platform !== 'linux')('the lock of a sensor', () => {
  it('lets one measurement run at a time, and the next one when it has ended', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    const log: string[] = [];
    const measure = (name: string): Promise<void> =>
      createLock(clock, devicePath).runExclusive(async () => {
        log.push(`${name} begins`);
        await clock.sleep(85);
        log.push(`${name} ends`);
      }, never);
    const first = measure('first');
    await until('the first one has begun', () => log.length > 0);
    await pass(clock, Promise.all([first, measure('second')]));
    expect(log).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  it('is one for each address', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    const inner = createLock(clock, devicePath, 0x39);
    const startMs = clock.monotonicMs();
    await createLock(clock, devicePath).runExclusive(() => inner.runExclusive(() => Promise.resolve(), never), never);
    expect(clock.monotonicMs()).toBe(startMs);
  });

  it('is the same by whatever path the device file is found, and none where there is no such file', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    symlinkSync(devicePath, `${devicePath}-alias`);
    const stop = new AbortController();
    await createLock(clock, devicePath).runExclusive(async () => {
      const waiting = createLock(clock, `${devicePath}-alias`).runExclusive(() => Promise.resolve(), stop.signal);
      const refused = expect(waiting).rejects.toThrow('stopped');
      await clock.advance(100);
      stop.abort(new Error('stopped'));
      await refused;
      await createLock(clock, `${devicePath}-none`).runExclusive(() => Promise.resolve(), never);
    }, never);
  });

  // A9: a container has a device file of its own for the same device.
  it('is the same for two device files of one device', async ({ skip }) => {
    const clock = new FakeClock();
    const [one, another] = [`${newDevice()}-one`, `${newDevice()}-another`];
    for (const path of [one, another]) {
      // Any device will do, as nothing is read from it: a number that no driver has.
      if (spawnSync('mknod', [path, 'c', '89', '253']).status !== 0) return skip('needs root to make a device file');
    }
    const stop = new AbortController();
    await createLock(clock, one).runExclusive(async () => {
      const waiting = createLock(clock, another).runExclusive(() => Promise.resolve(), stop.signal);
      const refused = expect(waiting).rejects.toThrow('stopped');
      await clock.advance(100);
      stop.abort(new Error('stopped'));
      await refused;
    }, never);
  });

  it('is free again when its holder was killed', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    const child = await holdInChild(devicePath);
    const lock = createLock(clock, devicePath);
    let entered = false;
    const waiting = lock.runExclusive(() => {
      entered = true;
      return Promise.resolve();
    }, never);
    await clock.advance(100);
    expect(entered).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await pass(clock, waiting);
    expect(clock.monotonicMs()).toBeLessThan(1_000 + 400);
  });

  it('is not waited for longer than half a second, and then not a second time while it is still held', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    await holdInChild(devicePath);
    const lock = createLock(clock, devicePath);
    const startMs = clock.monotonicMs();
    expect(
      await pass(
        clock,
        lock.runExclusive(() => Promise.resolve('measured'), never),
      ),
    ).toBe('measured');
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(500);
    expect(clock.monotonicMs() - startMs).toBeLessThan(600);
    const againMs = clock.monotonicMs();
    await lock.runExclusive(() => Promise.resolve(), never);
    expect(clock.monotonicMs()).toBe(againMs);
  });

  it('ends its waiting with the reason of whoever stops it, and is free after a measurement that failed', async () => {
    const clock = new FakeClock();
    const devicePath = newDevice();
    const stop = new AbortController();
    await createLock(clock, devicePath)
      .runExclusive(async () => {
        const waiting = createLock(clock, devicePath).runExclusive(() => Promise.resolve(), stop.signal);
        stop.abort(new Error('stopped'));
        await expect(waiting).rejects.toThrow('stopped');
        throw new Error('no value');
      }, never)
      .catch((error: unknown) => expect(error).toMatchObject({ message: 'no value' }));
    expect(await createLock(clock, devicePath).runExclusive(() => Promise.resolve('free'), never)).toBe('free');
  });
});
