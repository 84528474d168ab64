import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { lockDirectory } from '../../src/device/journal/directory-lock.ts';
import { createNodeJournalFs } from '../../src/device/journal/journal-fs.ts';
import { DEVICE_UID, indexOf, openTestSet, readSet, type SetRig, testReading } from '../support/journal-rig.ts';

/** Segments of 64: two are full, the third is written to. */
const BEFORE = 150;
/** Some slots stay free for gap records and settlements. */
const PER_SEGMENT = 55;
const IN_TAIL = 2 * PER_SEGMENT + 1;
const AFTER = 30;

const root = mkdtempSync(join(tmpdir(), 'techtemp-journal-gone-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Rig extends SetRig {
  readonly path: string;
  readonly epochFolder: () => string;
}

async function open(path: string): Promise<Rig> {
  const rig = await openTestSet(createNodeJournalFs(), { section: { path, maxReadings: 500 }, lock: lockDirectory });
  const device = join(path, DEVICE_UID);
  return { ...rig, path, epochFolder: () => join(device, readdirSync(device).sort().at(-1) ?? '') };
}

async function appendMany({ set }: SetRig, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) await set.append(testReading(index));
}

interface Account {
  /** Readings that would be sent. */
  readonly indexes: readonly number[];
  /** `epoch/number` of what gap records tell of. */
  readonly told: ReadonlySet<string>;
  readonly openGaps: number;
}

async function account({ set }: SetRig): Promise<Account> {
  const entries = await readSet(set);
  const gaps = entries.flatMap(({ entry }) => (entry.kind === 'gap' ? [entry.gap] : []));
  const told = gaps.flatMap(({ ofEpoch, from, to }) =>
    to === undefined ? [] : Array.from({ length: to - from + 1 }, (_, at) => `${ofEpoch}/${from + at}`),
  );
  const numbers = entries.map(({ epoch, entry }) => `${epoch}/${entry.seq}`);
  expect(new Set(numbers).size).toBe(numbers.length);
  return {
    indexes: entries.flatMap(({ entry }) => (entry.kind === 'reading' ? [indexOf(entry)] : [])).sort((a, b) => a - b),
    told: new Set(told),
    openGaps: gaps.filter(({ to }) => to === undefined).length,
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

const tailOf = (rig: Rig): string =>
  join(rig.epochFolder(), readdirSync(rig.epochFolder()).filter(isSegment).sort().at(-1) ?? '');
const isSegment = (name: string): boolean => name.endsWith('.seg');

/** What somebody does to a journal that is being written; and which of the readings before it can still be read after it. */
const troubles: readonly { name: string; make: (rig: Rig) => void; left: readonly number[] }[] = [
  {
    name: 'the whole folder is removed',
    make: ({ path }) => rmSync(path, { recursive: true }),
    left: range(IN_TAIL, BEFORE),
  },
  {
    name: 'what is in the folder is removed',
    make: ({ path }) => {
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
    },
    left: range(IN_TAIL, BEFORE),
  },
  {
    name: 'the folder is moved away',
    make: ({ path }) => renameSync(path, `${path}-moved`),
    left: range(IN_TAIL, BEFORE),
  },
  {
    name: 'the folder of the epoch is removed',
    make: (rig) => rmSync(rig.epochFolder(), { recursive: true }),
    left: range(IN_TAIL, BEFORE),
  },
  {
    name: 'the segment that is written to is removed',
    make: (rig) => rmSync(tailOf(rig)),
    left: range(1, BEFORE),
  },
  {
    name: 'the segment that is written to is replaced by a copy',
    make: (rig) => {
      cpSync(tailOf(rig), `${tailOf(rig)}.copy`);
      renameSync(`${tailOf(rig)}.copy`, tailOf(rig));
    },
    left: range(1, BEFORE),
  },
  {
    name: 'the folder is replaced by a copy',
    make: ({ path }) => {
      cpSync(path, `${path}-copy`, { recursive: true, filter: (from) => !from.endsWith('.lock') });
      renameSync(path, `${path}-original`);
      renameSync(`${path}-copy`, path);
    },
    left: range(1, BEFORE),
  },
  {
    name: 'the folder is replaced by a link to an empty one',
    make: ({ path }) => {
      renameSync(path, `${path}-original`);
      mkdirSync(`${path}-other`);
      symlinkSync(`${path}-other`, path);
    },
    left: range(IN_TAIL, BEFORE),
  },
  {
    name: 'the segment that is written to is cut short',
    make: (rig) => truncateSync(tailOf(rig), 4096 + 64 * 10),
    left: range(1, IN_TAIL + 9),
  },
  {
    name: 'another file lies where the folder was',
    make: ({ path }) => {
      rmSync(path, { recursive: true });
      writeFileSync(path, '');
    },
    left: range(IN_TAIL, BEFORE),
  },
];

// A6
describe('a journal whose files somebody takes away while the agent runs', () => {
  it.each(troubles)('$name: says so, loses no more than it must, and tells exactly what', async ({ make, left }) => {
    const path = mkdtempSync(join(root, 'journal-'));
    const rig = await open(path);
    await appendMany(rig, 1, BEFORE);
    const epoch = rig.set.activeEpoch();
    make(rig);

    const { journal, entry } = await rig.set.append(testReading(BEFORE + 1));
    expect(journal.durable).toBe(false);
    expect(journal.epoch).not.toBe(epoch);
    expect(entry.seq).toBe(1);
    expect(rig.set.stats()).toMatchObject({ durable: false });
    expect(rig.set.stats().fault).toMatch(/removed, moved, replaced or cut short/);
    expect(rig.events.map(({ level }) => level)).toEqual(['error']);
    // Nothing that can still be read is given up meanwhile.
    expect((await account(rig)).indexes).toEqual(expect.arrayContaining([...left, BEFORE + 1]));

    if (existsSync(path) && !readdirSafe(path)) rmSync(path);
    await rig.clock.advance(60_000);
    await appendMany(rig, BEFORE + 2, BEFORE + AFTER);
    expect(rig.set.stats()).toMatchObject({ durable: true });
    expect([epoch, journal.epoch]).not.toContain(rig.set.activeEpoch());
    const lost = range(1, BEFORE).filter((index) => !left.includes(index));
    const expected = {
      indexes: [...left, ...range(BEFORE + 1, BEFORE + AFTER)],
      told: numbers(epoch, lost),
      openGaps: 0,
    };
    expect(await account(rig)).toEqual(expected);
    expect(rig.set.stats().dropped).toBe(lost.length);

    // The same after a restart, killed or not: it is on disk, in the folder that is there now.
    await rig.set.close();
    const again = await open(path);
    expect(again.events).toEqual([]);
    expect(await account(again)).toEqual(expected);
    for (const one of again.set.journals()) one.release([[1, 1_000]]);
    await appendMany(again, 1_001, 1_002);
    expect((await account(again)).indexes).toEqual([1_001, 1_002]);
    await again.set.close();
  });

  it('finds within a minute that an older segment is gone, and tells exactly what was in it', async () => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, BEFORE);
    const epoch = rig.set.activeEpoch();
    for (const journal of rig.set.journals()) journal.release([[1, 10]]);
    rmSync(join(rig.epochFolder(), '00000001.seg'));
    await rig.clock.advance(60_000);
    await appendMany(rig, BEFORE + 1, BEFORE + 1);
    expect(rig.set.stats()).toMatchObject({ durable: false });
    await rig.clock.advance(60_000);
    await appendMany(rig, BEFORE + 2, BEFORE + 2);
    expect(await account(rig)).toEqual({
      indexes: range(PER_SEGMENT + 1, BEFORE + 2),
      told: numbers(epoch, range(11, PER_SEGMENT)),
      openGaps: 0,
    });
    await rig.set.close();
  });

  it('keeps a second agent out again when only the lock was removed', async () => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, 3);
    for (const name of readdirSync(rig.path).filter((entry) => entry.endsWith('.lock'))) rmSync(join(rig.path, name));
    await rig.clock.advance(60_000);
    await appendMany(rig, 4, 4);
    await rig.clock.advance(60_000);
    await appendMany(rig, 5, 5);
    await expect(lockDirectory(rig.path)).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
    expect(await account(rig)).toMatchObject({ indexes: range(1, 5), openGaps: 0 });
    await rig.set.close();
  });

  it('stays in memory while another agent has taken the place, and takes no number from it', async () => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, 3);
    renameSync(rig.path, `${rig.path}-moved`);
    const other = await open(rig.path);
    await appendMany(other, 101, 103);
    await appendMany(rig, 4, 4);
    await rig.clock.advance(60_000);
    await appendMany(rig, 5, 5);
    expect(rig.set.stats()).toMatchObject({ durable: false });
    expect(rig.set.stats().fault).toMatch(/in use by another agent/);
    expect((await account(rig)).indexes).toEqual(range(1, 5));
    await other.set.close();
    await rig.clock.advance(60_000);
    await appendMany(rig, 6, 6);
    expect((await account(rig)).indexes).toEqual([...range(1, 6), ...range(101, 103)]);
    await rig.set.close();
  });

  it('comes back to its folder when that is moved back, and goes on where it was', async () => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, 3);
    const epoch = rig.set.activeEpoch();
    renameSync(rig.path, `${rig.path}-moved`);
    await appendMany(rig, 4, 4);
    renameSync(`${rig.path}-moved`, rig.path);
    await rig.clock.advance(60_000);
    await appendMany(rig, 5, 5);
    expect(rig.set.activeEpoch()).toBe(epoch);
    expect(await account(rig)).toEqual({ indexes: range(1, 5), told: new Set(), openGaps: 0 });
    await rig.set.close();
  });

  it('is not fooled by another disk that is mounted over the folder', async ({ skip }) => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, BEFORE);
    if (spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', rig.path]).status !== 0) return skip('needs root for a mount');
    onTestFinished(() => void spawnSync('umount', ['--lazy', rig.path]));
    await appendMany(rig, BEFORE + 1, BEFORE + 1);
    expect(rig.set.stats()).toMatchObject({ durable: false });
    await rig.clock.advance(60_000);
    await appendMany(rig, BEFORE + 2, BEFORE + 2);
    expect(rig.set.stats()).toMatchObject({ durable: true });
    expect((await account(rig)).indexes).toEqual(range(IN_TAIL, BEFORE + 2));
    await rig.set.close();
  });

  it('at a stop brings to disk what it has in memory, where the folder can be made again', async () => {
    const rig = await open(mkdtempSync(join(root, 'journal-')));
    await appendMany(rig, 1, 3);
    rmSync(rig.path, { recursive: true });
    await appendMany(rig, 4, 5);
    await rig.set.close();
    const again = await open(rig.path);
    expect(await account(again)).toEqual({ indexes: range(1, 5), told: new Set(), openGaps: 0 });
    await again.set.close();
  });
});

function numbers(epoch: string, seqs: readonly number[]): ReadonlySet<string> {
  return new Set(seqs.map((seq) => `${epoch}/${seq}`));
}

function readdirSafe(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}
