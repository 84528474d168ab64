import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createI2cBusOpener, type I2cBus, type NativeI2cBus, type OpenI2cBus } from '../../../drivers/i2c/bus.ts';
import type { Delay } from '../../../drivers/sensor.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { asOrdinaryUser } from '../../support/ordinary-user.ts';

/** Stands in for the native package: each transfer is answered by the test, when the test wants. */
interface FakeNative {
  readonly open: OpenI2cBus;
  readonly log: string[];
  /** Answers the oldest transfer that is waiting: with the number of bytes that it moved, or an error. */
  answer(outcome: number | Error): void;
  waiting(): number;
}

let folder: string;
let clock: FakeClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'i2c-'));
  writeFileSync(join(folder, 'i2c-1'), '');
  clock = new FakeClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

function createFake(delay: Delay = clock.sleep): FakeNative {
  const log: string[] = [];
  const waiting: { resolve: (moved: number) => void; reject: (error: Error) => void }[] = [];
  const transfer = (what: string): Promise<number> => {
    log.push(what);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const native: NativeI2cBus = {
    i2cWrite: async (address, length, buffer) => ({
      bytesWritten: await transfer(`write ${address} ${buffer.subarray(0, length).toString('hex')}`),
    }),
    i2cRead: async (address, length, buffer) => {
      const bytesRead = await transfer(`read ${address} ${length}`);
      buffer.fill(0xa5, 0, bytesRead);
      return { bytesRead };
    },
    close: () => {
      log.push('close');
      return Promise.resolve();
    },
  };
  return {
    log,
    waiting: () => waiting.length,
    answer: (outcome) => {
      const oldest = waiting.shift();
      if (typeof outcome === 'number') oldest?.resolve(outcome);
      else oldest?.reject(outcome);
    },
    open: createI2cBusOpener({
      delay,
      monotonicMs: clock.monotonicMs,
      devicePrefix: join(folder, 'i2c-'),
      loadNative: () =>
        Promise.resolve((busNumber) => {
          log.push(`open ${busNumber}`);
          return Promise.resolve(native);
        }),
    }),
  };
}

const errno = (code: string): Error => Object.assign(new Error(code), { code });
const waitUntil = (condition: () => boolean): Promise<void> =>
  expect.poll(condition, { interval: 1, timeout: 100_000 }).toBe(true);

/** Begins a read and lets it hang until the time limit is over. */
async function hang(fake: FakeNative, bus: I2cBus): Promise<void> {
  const before = fake.waiting();
  const outcome = expect(bus.read(0x38, 7)).rejects.toMatchObject({ code: 'I2C_HUNG' });
  await waitUntil(() => fake.waiting() === before + 1);
  await clock.advance(1200);
  await outcome;
}

describe('opening', () => {
  it('tells a bus that is not there from one that may not be used', async () => {
    const { open } = createFake();
    await expect(open(7)).rejects.toMatchObject({
      code: 'I2C_BUS_MISSING',
      message: expect.stringContaining('i2c-7') as string,
    });
  });

  it('reports a device file that this user may not open', async () => {
    chmodSync(join(folder, 'i2c-1'), 0o000);
    await asOrdinaryUser([folder], async () => {
      await expect(createFake().open(1)).rejects.toMatchObject({ code: 'I2C_PERMISSION' });
    });
  });

  it('reports the absence of the native package with its remedy', async () => {
    const open = createI2cBusOpener({
      delay: clock.sleep,
      monotonicMs: clock.monotonicMs,
      devicePrefix: join(folder, 'i2c-'),
      loadNative: () => Promise.reject(errno('ERR_MODULE_NOT_FOUND')),
    });
    await expect(open(1)).rejects.toMatchObject({
      code: 'I2C_MODULE_MISSING',
      message: expect.stringContaining('npm install') as string,
    });
  });

  it('does not load the native package where there is no bus', async () => {
    let loaded = false;
    const open = createI2cBusOpener({
      delay: clock.sleep,
      monotonicMs: clock.monotonicMs,
      devicePrefix: join(folder, 'none-'),
      loadNative: () => {
        loaded = true;
        return Promise.reject(errno('ERR_MODULE_NOT_FOUND'));
      },
    });
    await expect(open(1)).rejects.toMatchObject({ code: 'I2C_BUS_MISSING' });
    expect(loaded).toBe(false);
  });
});

describe('a transfer', () => {
  it('carries the bytes, and returns those that came', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    const writing = bus.write(0x38, Uint8Array.of(0xac, 0x33, 0x00));
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(3);
    await writing;
    const reading = bus.read(0x38, 2);
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(2);
    expect([...(await reading)]).toEqual([0xa5, 0xa5]);
    await bus.close();
    expect(fake.log).toEqual(['open 1', 'write 56 ac3300', 'read 56 2', 'close']);
    expect(bus.path).toBe(join(folder, 'i2c-1'));
  });

  it('waits for the one before it, also where two sensors opened the bus each for itself', async () => {
    const fake = createFake();
    const [one, other] = [await fake.open(1), await fake.open(1)];
    const first = one.read(0x38, 1);
    const second = other.read(0x39, 1);
    await waitUntil(() => fake.waiting() === 1);
    await clock.advance(10);
    expect(fake.log.filter((line) => line.startsWith('read'))).toEqual(['read 56 1']);
    fake.answer(1);
    await first;
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(1);
    await second;
    expect(fake.log.filter((line) => line.startsWith('read'))).toEqual(['read 56 1', 'read 57 1']);
  });

  it('that moved too few bytes is an error', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    const reading = expect(bus.read(0x38, 7)).rejects.toMatchObject({ code: 'I2C_SHORT_TRANSFER' });
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(6);
    await reading;
  });

  it('leaves a bus behind that refuses everything when it failed, and a bus opened anew works', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    const writing = expect(bus.write(0x38, Uint8Array.of(1))).rejects.toMatchObject({ code: 'I2C_ADDRESS_IN_USE' });
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(errno('EBUSY'));
    await writing;
    await expect(bus.read(0x38, 7)).rejects.toMatchObject({
      code: 'I2C_ADDRESS_IN_USE',
      message: expect.stringContaining('opened again') as string,
    });
    expect(fake.log.filter((line) => line.startsWith('read'))).toEqual([]);
    await bus.close();
    const again = await fake.open(1);
    const reading = again.read(0x38, 1);
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(1);
    await reading;
  });

  it('is refused after closing', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    await bus.close();
    await expect(bus.read(0x38, 1)).rejects.toMatchObject({ message: expect.stringContaining('closed') as string });
  });
});

describe('a transfer that never returns', () => {
  it('is given up on after the time limit and counted, and frees the bus for others', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    await hang(fake, bus);
    expect(bus.hungTransfers()).toBe(1);
    const other = await fake.open(1);
    const reading = other.read(0x39, 1);
    await waitUntil(() => fake.waiting() === 2);
    fake.answer(7);
    fake.answer(1);
    await reading;
  });

  it('is not followed by a third one while two hang, and the bus is usable again when they return', async () => {
    const fake = createFake();
    await hang(fake, await fake.open(1));
    const second = await fake.open(1);
    await hang(fake, second);
    expect(second.hungTransfers()).toBe(2);
    await clock.advance(5000);
    await expect(fake.open(1)).rejects.toMatchObject({
      code: 'I2C_HUNG',
      message: expect.stringMatching(/2 transfers have not returned, the oldest for [67]\.\d s/) as string,
    });
    expect(fake.waiting()).toBe(2);

    fake.answer(7);
    await waitUntil(() => second.hungTransfers() === 1);
    fake.answer(errno('EIO'));
    await waitUntil(() => second.hungTransfers() === 0);
    const bus = await fake.open(1);
    const reading = bus.read(0x38, 7);
    await waitUntil(() => fake.waiting() === 1);
    fake.answer(7);
    expect(await reading).toHaveLength(7);
  });

  it('keeps its descriptor until it returns, so that its number cannot become that of another file', async () => {
    const fake = createFake();
    const bus = await fake.open(1);
    await hang(fake, bus);
    await bus.close();
    await clock.advance(10_000);
    expect(fake.log).not.toContain('close');
    fake.answer(7);
    await waitUntil(() => fake.log.includes('close'));
  });

  it('is not seen in one that has answered while the whole process stood still', async () => {
    // A timer that is long overdue ends at once, and before the answer that came in the meantime is looked at.
    let overdue = 1;
    const fake = createFake((ms, signal) => (overdue-- > 0 ? Promise.resolve() : clock.sleep(ms, signal)));
    const opening = fake.open(1);
    overdue = 1;
    const bus = await opening;
    overdue = 1;
    const reading = bus.read(0x38, 7);
    await waitUntil(() => fake.waiting() === 1);
    await clock.advance(1);
    fake.answer(7);
    expect(await reading).toHaveLength(7);
  });

  it('on one bus leaves another alone', async () => {
    writeFileSync(join(folder, 'i2c-2'), '');
    const fake = createFake();
    await hang(fake, await fake.open(1));
    await hang(fake, await fake.open(1));
    const other = await fake.open(2);
    expect(other.hungTransfers()).toBe(0);
    const reading = other.read(0x38, 1);
    await waitUntil(() => fake.waiting() === 3);
    for (const moved of [7, 7, 1]) fake.answer(moved);
    await reading;
  });
});
