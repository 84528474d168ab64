import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { JournalError } from '../../../src/device/journal/journal.ts';
import { HEADER_BYTES } from '../../../src/device/journal/segment.ts';
import { type CrashFs, createStateFs, errnoError, type Operation } from '../../support/crash-fs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  BOOT_A,
  BOOT_B,
  DEVICE_UID,
  indexOf,
  journalSection,
  openTestSet,
  pendingReading,
  readSet,
  type SetRig,
  testReading,
  unreleasedOnDisk,
} from '../../support/journal-rig.ts';

const SMALL = { maxReadings: 500 };
const WRITES: readonly Operation['kind'][] = ['write', 'sync', 'rename', 'remove', 'makeDirectory', 'syncDirectory'];

async function appendMany({ set }: SetRig, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) await set.append(testReading(index));
}

async function indexes({ set }: SetRig): Promise<number[]> {
  return (await readSet(set)).flatMap(({ entry }) => (entry.kind === 'reading' ? [indexOf(entry)] : []));
}

function releaseAll({ set }: SetRig): void {
  for (const journal of set.journals()) journal.release([[1, journal.stats.lastSeq]]);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** Every change to the disk fails from now on. */
function refuse(fs: CrashFs, code: string): void {
  const isThere = fs.files().length > 0;
  fs.onOperation = ({ kind, path, mode }) => {
    if (kind === 'makeDirectory' && isThere) return;
    if (WRITES.includes(kind) || (kind === 'open' && mode !== 'read')) throw errnoError(code, path);
  };
}

function accept(fs: CrashFs): void {
  fs.onOperation = () => undefined;
}

describe('the journals of an agent', () => {
  it('go on where they were after a restart', async () => {
    const fs = await createStateFs();
    const first = await openTestSet(fs, { section: SMALL });
    await appendMany(first, 1, 100);
    const epoch = first.set.activeEpoch();
    await first.set.close();
    const second = await openTestSet(fs, { section: SMALL });
    const { journal, entry } = await second.set.append(testReading(101));
    expect([journal.epoch, entry.seq]).toEqual([epoch, 101]);
    expect(await indexes(second)).toEqual(upTo(101));
  });

  it('never name two epochs alike', async () => {
    const names = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const { set } = await openTestSet(await createStateFs(), { section: SMALL });
      expect(set.activeEpoch()).toMatch(/^[a-z0-9]{8}$/);
      names.add(set.activeEpoch());
    }
    expect(names.size).toBe(20);
  });

  it('keep no file that holds nothing but released readings, save the one that is written to', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    for (let round = 0; round < 20; round += 1) {
      await appendMany(rig, 1, 60);
      releaseAll(rig);
    }
    await rig.set.append(testReading(1));
    expect(fs.files().filter((path) => path.endsWith('.seg')).length).toBeLessThanOrEqual(2);
  });

  it('free the space of released readings behind one that stays', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 20_000 } });
    await appendMany(rig, 1, 8_000);
    const full = rig.set.stats().bytesOnDisk;
    for (const journal of rig.set.journals()) journal.release([[2, 7_999]]);
    await rig.set.append(testReading(8_001));
    expect(rig.set.stats().bytesOnDisk).toBeLessThan(full / 1.5);
    expect(await indexes(rig)).toEqual([1, 8_000, 8_001]);
    await rig.set.close();
    const again = await openTestSet(fs, { section: { maxReadings: 20_000 } });
    expect(await indexes(again)).toEqual([1, 8_000, 8_001]);
    expect(again.events).toEqual([]);
  });
});

describe('a disk that refuses', () => {
  it.each([
    ['ENOSPC', /no space/],
    ['EROFS', /read-write/],
    ['EIO', /SD card/],
    ['EACCES', /agent's user/],
  ])('(%s) sends readings to memory, says so, and gets them back when it works again', async (code, remedy) => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    const onDisk = rig.set.activeEpoch();
    refuse(fs, code);
    const { journal } = await rig.set.append(testReading(4));
    expect(journal.durable).toBe(false);
    expect(journal.epoch).not.toBe(onDisk);
    expect(rig.set.activeEpoch()).toBe(journal.epoch);
    expect(rig.set.stats()).toMatchObject({ durable: false, unreleased: 4 });
    expect(rig.set.stats().fault).toMatch(remedy);
    await rig.clock.advance(60_000);
    await appendMany(rig, 5, 6);
    expect(await indexes(rig)).toEqual(upTo(6));
    expect(rig.set.journals().at(-1)).toBe(journal);

    accept(fs);
    await rig.clock.advance(60_000);
    const { journal: back } = await rig.set.append(testReading(7));
    expect(back.durable).toBe(true);
    expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 7 });
    expect(rig.set.stats().fault).toBeUndefined();
    expect((await indexes(rig)).sort((a, b) => a - b)).toEqual(upTo(7));
    expect(rig.events.filter(({ level }) => level === 'error').length).toBe(1);
    expect(rig.events.at(-1)).toMatchObject({ level: 'info' });
  });

  it('from the start does not keep the agent from starting', async () => {
    const fs = await createStateFs();
    refuse(fs, 'EROFS');
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 2);
    expect(rig.set.stats()).toMatchObject({ durable: false, unreleased: 2 });
    accept(fs);
    await rig.clock.advance(60_000);
    await appendMany(rig, 3, 3);
    expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 3 });
  });

  it('but can be read still gives what is on it', async () => {
    const fs = await createStateFs();
    const first = await openTestSet(fs, { section: SMALL });
    await appendMany(first, 1, 100);
    await first.set.close();
    refuse(fs, 'EROFS');
    const second = await openTestSet(fs, { section: SMALL });
    await appendMany(second, 101, 102);
    expect(await indexes(second)).toEqual(upTo(102));
    await second.set.close();
  });

  it('is tried again less and less often', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 1);
    let attempts = 0;
    fs.onOperation = ({ kind, path }) => {
      if (kind !== 'write') return;
      attempts += 1;
      throw errnoError('EROFS', path);
    };
    for (let second = 0; second < 3_600; second += 1) {
      await rig.set.append(testReading(second));
      await rig.clock.advance(1_000);
    }
    expect(attempts).toBeGreaterThan(20);
    expect(attempts).toBeLessThan(200);
  });

  it('with damage in one file goes on in another at once', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    const bad = fs.files().find((path) => path.endsWith('.seg'));
    fs.onOperation = ({ kind, path }) => {
      if (path === bad && (kind === 'write' || kind === 'sync')) throw errnoError('EIO', path);
    };
    const { journal } = await rig.set.append(testReading(4));
    expect(journal.durable).toBe(true);
    expect(await indexes(rig)).toEqual(upTo(4));
    expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 4 });
  });

  it('after a failed sync does not bring the reading to light under a second number', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'sync') throw errnoError('EROFS', path);
    };
    await appendMany(rig, 4, 4);
    accept(fs);
    const killed = await openTestSet(fs.copy(), { section: SMALL });
    expect(await indexes(killed)).toEqual(upTo(3));
  });

  it('keeps what is in memory across a restart once it works again, under the same numbers', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    refuse(fs, 'ENOSPC');
    await appendMany(rig, 4, 9);
    await rig.set.append(pendingReading(10));
    const inMemory = rig.set.journals().at(-1);
    inMemory?.release([[2, 3]]);
    accept(fs);
    await rig.clock.advance(60_000);
    await appendMany(rig, 11, 11);
    inMemory?.release([[5, 5]]);
    expect(rig.set.stats()).toMatchObject({ unreleased: 8, pending: 1 });

    const killed = await openTestSet(fs.copy(), { section: SMALL });
    const entries = (await unreleasedOnDisk(fs)).filter(({ epoch }) => epoch === inMemory?.epoch);
    expect(entries.map(({ entry }) => [entry.seq, indexOf(entry)])).toEqual([
      [1, 4],
      [4, 7],
      [5, 8],
      [6, 9],
      [7, 10],
    ]);
    expect(killed.set.stats()).toMatchObject({ unreleased: 9, pending: 1 });
    expect(killed.events).toEqual([]);

    expect(await rig.set.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 1e12, state: 'synced' })).toBe(1);
    releaseAll(rig);
    await appendMany(rig, 12, 13);
    expect(rig.set.stats()).toMatchObject({ unreleased: 2 });
    expect(fs.files().some((path) => path.includes(inMemory?.epoch ?? ''))).toBe(false);
  });

  it('at the stop gets what is only in memory, if it takes it', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    refuse(fs, 'ENOSPC');
    await appendMany(rig, 1, 5);
    accept(fs);
    await rig.set.close();
    const again = await openTestSet(fs, { section: SMALL });
    expect(await indexes(again)).toEqual(upTo(5));
  });

  it('for good: what is lost with the memory is said', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    refuse(fs, 'ENOSPC');
    await appendMany(rig, 1, 5);
    await rig.set.close();
    expect(rig.events.at(-1)).toMatchObject({ level: 'error' });
    expect(rig.events.at(-1)?.message).toContain('5 readings');
  });

  it('for long does not fill the memory; what goes is told', async () => {
    const fs = await createStateFs();
    refuse(fs, 'ENOSPC');
    const rig = await openTestSet(fs, { section: { maxReadings: 100 } });
    await appendMany(rig, 1, 5_000);
    const entries = await readSet(rig.set);
    expect(entries.length).toBeLessThanOrEqual(101);
    const counted = entries.reduce((sum, { entry }) => sum + (entry.kind === 'gap' ? (entry.gap.count ?? 0) : 0), 0);
    expect(entries.length + counted).toBe(rig.set.journals().at(-1)?.stats.lastSeq);
    expect(entries.some(({ entry }) => entry.kind === 'gap' && entry.gap.reason === 'lost-in-memory')).toBe(true);
  });

  it('keeps readings waiting for their time until it can note the time, then makes up for it', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await rig.set.append(pendingReading(1));
    refuse(fs, 'EROFS');
    expect(await rig.set.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 1e12, state: 'synced' })).toBe(0);
    expect(rig.set.pendingBootIds()).toEqual([BOOT_A]);
    accept(fs);
    await rig.set.append(testReading(2));
    expect(rig.set.pendingBootIds()).toEqual([]);
    expect((await readSet(rig.set))[0]?.entry).toMatchObject({ stamp: { state: 'synced', tsMs: 1e12 + 1_000 } });
  });
});

describe('a journal that is full', () => {
  it.each(['thin', 'drop-oldest'] as const)('stays within its limit and accounts for all: %s', async (whenFull) => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 400, whenFull } });
    await appendMany(rig, 1, 6_000);
    expect(rig.set.stats().unreleased).toBeLessThanOrEqual(400);
    const entries = await readSet(rig.set);
    const counted = entries.reduce((sum, { entry }) => sum + (entry.kind === 'gap' ? (entry.gap.count ?? 0) : 0), 0);
    expect(entries.length + counted).toBe(rig.set.journals()[0]?.stats.lastSeq);
    const readings = await indexes(rig);
    expect(readings.at(-1)).toBe(6_000);
    if (whenFull === 'drop-oldest') expect(readings).toEqual(upTo(6_000).slice(-readings.length));
    else
      expect(Math.max(...readings.slice(0, -1).map((index, at) => (readings[at + 1] ?? 0) - index))).toBeLessThan(256);
    expect(entries.filter(({ entry }) => entry.kind === 'gap').length).toBeLessThan(100);
    await rig.set.close();
    const again = await openTestSet(fs, { section: { maxReadings: 400, whenFull } });
    expect(await readSet(again.set)).toEqual(entries);
  });

  it('says so once and then now and then, not with each reading', async () => {
    const rig = await openTestSet(await createStateFs(), { section: { maxReadings: 100, whenFull: 'drop-oldest' } });
    await appendMany(rig, 1, 2_000);
    expect(rig.events.length).toBe(1);
    await rig.clock.advance(3_600_000);
    await appendMany(rig, 2_001, 3_000);
    expect(rig.events.length).toBe(2);
    expect(rig.events[1]?.message).toMatch(/full: (1[89]|2\d)\d\d readings had to go/);
    expect(rig.events[1]).toMatchObject({ level: 'warn', what: 'full' });
  });

  it('says which time the gap spans', async () => {
    const rig = await openTestSet(await createStateFs(), { section: { maxReadings: 128, whenFull: 'drop-oldest' } });
    await appendMany(rig, 1, 140);
    const gap = (await readSet(rig.set)).map(({ entry }) => entry).find((entry) => entry.kind === 'gap');
    expect(gap?.gap).toMatchObject({ reason: 'dropped', from: 1, fromTsMs: testReading(1).stamp.tsMs });
    expect(gap?.gap.toTsMs).toBe(testReading(gap?.gap.to ?? 0).stamp.tsMs);
  });

  it('writes no more for it than another tenth of its appends', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 20_000, whenFull: 'drop-oldest' } });
    await appendMany(rig, 1, 20_000);
    const before = { ...fs.counts };
    await appendMany(rig, 20_001, 30_000);
    expect(fs.counts.syncs - before.syncs).toBeLessThan(1.1 * 10_000);
    expect(fs.counts.blocksSynced - before.blocksSynced).toBeLessThan(1.1 * 10_000);
  });

  it('works with limits smaller than a segment, and with one that is lowered while it runs', async () => {
    const rig = await openTestSet(await createStateFs(), { section: { maxReadings: 10, whenFull: 'thin' } });
    await appendMany(rig, 1, 200);
    expect(rig.set.stats().unreleased).toBeLessThanOrEqual(10);
    rig.settings.set(journalSection({ maxReadings: 500 }));
    await appendMany(rig, 201, 600);
    expect(rig.set.stats().unreleased).toBeGreaterThan(300);
    rig.settings.set(journalSection({ maxReadings: 50 }));
    await appendMany(rig, 601, 601);
    expect(rig.set.stats().unreleased).toBeLessThanOrEqual(50);
    const entries = await readSet(rig.set);
    const counted = entries.reduce((sum, { entry }) => sum + (entry.kind === 'gap' ? (entry.gap.count ?? 0) : 0), 0);
    expect(entries.length + counted).toBe(rig.set.journals()[0]?.stats.lastSeq);
  });

  it('does not grow while little of the disk is free', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 500, whenFull: 'drop-oldest', minFreeBytes: 1e6 } });
    fs.setFreeBytes(1e9);
    await appendMany(rig, 1, 250);
    fs.setFreeBytes(900_000);
    const before = rig.set.stats().bytesOnDisk;
    await appendMany(rig, 251, 450);
    expect(rig.set.stats().bytesOnDisk).toBeLessThanOrEqual(before + 8_192);
    expect(rig.set.stats()).toMatchObject({ durable: true });
    const readings = await indexes(rig);
    expect(readings).toEqual(upTo(450).slice(-readings.length));
    expect(readings.length).toBeGreaterThan(150);
  });

  it('on a full disk gives up its oldest readings for the newest', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 200);
    let removed = 0;
    fs.onOperation = ({ kind, path, mode }) => {
      if (kind === 'remove' && path.endsWith('.seg')) removed += 1;
      if (kind === 'open' && mode === 'create' && removed === 0) throw errnoError('ENOSPC', path);
    };
    await appendMany(rig, 201, 300);
    expect(rig.set.stats()).toMatchObject({ durable: true });
    const readings = await indexes(rig);
    expect(readings).toEqual(upTo(300).slice(-readings.length));
    expect(readings.length).toBeGreaterThan(200);
  });
});

describe('a journal that is full and has a segment that cannot be read', () => {
  it.each(['thin', 'drop-oldest'] as const)('takes readings all the same: %s', async (whenFull) => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 200, whenFull } });
    await appendMany(rig, 1, 150);
    const bad = fs.files().find((path) => path.endsWith('.seg'));
    fs.onOperation = ({ kind, path }) => {
      if (path === bad && kind === 'read') throw errnoError('EIO', path);
    };
    await appendMany(rig, 151, 900);
    expect(rig.set.stats()).toMatchObject({ durable: true });
    expect(rig.set.stats().unreleased).toBeLessThanOrEqual(200);
    const entries = await readSet(rig.set);
    const counted = entries.reduce((sum, { entry }) => sum + (entry.kind === 'gap' ? (entry.gap.count ?? 0) : 0), 0);
    expect(entries.length + counted).toBe(rig.set.journals()[0]?.stats.lastSeq);
    expect(rig.events.length).toBeLessThan(10);
  });
});

describe('a change of settings', () => {
  it('of the device goes on in another directory and drains the old one, then removes it', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    const old = rig.set.journals()[0];
    rig.device.set({ deviceUid: 'aht20-new' });
    const { journal, entry } = await rig.set.append(testReading(4));
    expect([journal.deviceUid, entry.seq]).toEqual(['aht20-new', 1]);
    expect(rig.set.journals()).toEqual([old, journal]);
    expect(await indexes(rig)).toEqual(upTo(4));
    old?.release([[1, 3]]);
    await appendMany(rig, 5, 5);
    expect(rig.set.journals()).toEqual([journal]);
    expect(fs.files().filter((path) => path.includes(DEVICE_UID))).toEqual([]);
  });

  it('of the path goes on there, and finds the old path again after a restart', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    rig.settings.set(journalSection({ ...SMALL, path: '/state/elsewhere' }));
    await appendMany(rig, 4, 6);
    expect(fs.files().filter((path) => path.startsWith('/state/elsewhere')).length).toBeGreaterThan(0);
    await rig.set.close();

    const again = await openTestSet(fs, { section: { ...SMALL, path: '/state/elsewhere' } });
    expect(await indexes(again)).toEqual(upTo(6));
    releaseAll(again);
    await appendMany(again, 7, 8);
    expect(await indexes(again)).toEqual([7, 8]);
    expect(fs.files().filter((path) => path.startsWith('/state/journal'))).toEqual([]);
    expect(fs.files().some((path) => path.endsWith('earlier-paths.txt'))).toBe(false);
  });

  it('to a path that cannot be used keeps readings in memory until it can', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 2);
    fs.onOperation = ({ path }) => {
      if (path.startsWith('/usb')) throw errnoError('EACCES', path);
    };
    rig.settings.set(journalSection({ ...SMALL, path: '/usb/journal' }));
    await appendMany(rig, 3, 4);
    expect(rig.set.stats()).toMatchObject({ durable: false });
    expect(rig.set.stats().fault).toContain('/usb/journal');
    expect(await indexes(rig)).toEqual(upTo(4));
    accept(fs);
    await rig.clock.advance(60_000);
    await appendMany(rig, 5, 5);
    expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 5 });
  });
});

describe('the times of readings', () => {
  it('of a boot three hours in the past become true once the clock is synchronised, across a restart of the agent', async () => {
    const fs = await createStateFs();
    const trueStartMs = Date.UTC(2026, 0, 1, 12);
    const clock = new FakeClock({ bootId: BOOT_A, nowMs: trueStartMs - 3 * 3_600_000, monotonicMs: 20_000 });
    const trueMs = (monotonicMs: number): number => trueStartMs + monotonicMs - 20_000;
    const taken: number[] = [];
    let rig = await openTestSet(fs, { section: SMALL, clock });
    for (let index = 1; index <= 120; index += 1) {
      if (index === 60) {
        await rig.set.close();
        rig = await openTestSet(fs, { section: SMALL, clock });
      }
      await clock.advance(1_000.4);
      taken.push(trueMs(clock.monotonicMs()));
      const stamp = { state: 'pending' as const, tsMs: clock.nowMs() };
      await rig.set.append(testReading(index, { stamp, monotonicMs: clock.monotonicMs(), bootId: clock.bootId }));
    }
    expect(await readSet(rig.set)).toEqual([]);
    clock.stepWall(3 * 3_600_000);
    const wallMinusMonotonicMs = clock.nowMs() - clock.monotonicMs();
    expect(await rig.set.settle({ bootId: clock.bootId, wallMinusMonotonicMs, state: 'synced' })).toBe(120);
    const times = (await readSet(rig.set)).map(({ entry }) => (entry.kind === 'reading' ? entry.stamp.tsMs : 0));
    times.forEach((tsMs, at) => expect(Math.abs(tsMs - (taken[at] ?? 0))).toBeLessThan(50));

    // Killed between the settlement and the sending: the times are the same ones, not new ones.
    const killed = await openTestSet(fs.copy(), { section: SMALL });
    expect(await killed.set.settle({ bootId: clock.bootId, wallMinusMonotonicMs: 5, state: 'synced' })).toBe(0);
    expect(await readSet(killed.set)).toEqual(await readSet(rig.set));
  });

  it('of an earlier boot are settled on their own', async () => {
    const fs = await createStateFs();
    const first = await openTestSet(fs, { section: SMALL });
    await first.set.append(pendingReading(1, { bootId: BOOT_A }));
    const second = await openTestSet(fs.copy(), { section: SMALL });
    await second.set.append(pendingReading(2, { bootId: BOOT_B }));
    expect([...second.set.pendingBootIds()].sort()).toEqual([BOOT_A, BOOT_B]);
    await second.set.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 'as-stamped', state: 'unsynced' });
    expect(second.set.pendingBootIds()).toEqual([BOOT_B]);
    expect(second.set.stats()).toMatchObject({ unreleased: 2, pending: 1 });
  });

  it('of a boot without a boot id of the kernel are settled by its own name', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await rig.set.append(pendingReading(1, { bootId: 'process-12-1757537685793' }));
    expect(rig.set.pendingBootIds()).toEqual(['process-12-1757537685793']);
    const again = await openTestSet(fs.copy(), { section: SMALL });
    const [name] = again.set.pendingBootIds();
    expect(await again.set.settle({ bootId: name ?? '', wallMinusMonotonicMs: 5, state: 'synced' })).toBe(1);
    expect(await rig.set.settle({ bootId: 'process-12-1757537685793', wallMinusMonotonicMs: 5, state: 'synced' })).toBe(
      1,
    );
  });
});

describe('a journal of a later version', () => {
  it('is left untouched, and the agent begins its own beside it', async () => {
    const fs = await createStateFs();
    const first = await openTestSet(fs, { section: SMALL });
    await appendMany(first, 1, 3);
    await first.set.close();
    for (const path of fs.files().filter((name) => name.endsWith('.seg')))
      fs.setContent(path, ofVersion(fs.content(path), 2));
    const before = new Map(fs.files().map((path) => [path, fs.content(path).toString('hex')]));
    const second = await openTestSet(fs, { section: SMALL });
    expect(second.events.length).toBe(1);
    expect(second.events[0]?.message).toContain('later version');
    await appendMany(second, 4, 6);
    expect(await indexes(second)).toEqual([4, 5, 6]);
    await second.set.close();
    for (const [path, content] of before) expect(fs.content(path).toString('hex')).toBe(content);
  });
});

describe('a path that another agent uses', () => {
  it('is refused with what to do about it', async () => {
    const fs = await createStateFs();
    const lock = (): Promise<never> => Promise.reject(new JournalError('JOURNAL_LOCKED', 'in use'));
    await expect(openTestSet(fs, { lock })).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
  });
});

function ofVersion(content: Buffer, version: number): Buffer {
  for (const offset of [0, 2048]) {
    const copy = content.subarray(offset, Math.min(offset + 256, HEADER_BYTES));
    copy.writeUInt16LE(version, 8);
    copy.writeUInt32LE(0, 12);
    copy.writeUInt32LE(crc32(copy), 12);
  }
  return content;
}
