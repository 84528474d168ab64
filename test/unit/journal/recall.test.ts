import { describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/device/journal/journal.ts';
import { type CrashFs, createStateFs, errnoError } from '../../support/crash-fs.ts';
import { indexOf, openTestSet, readSet, type SetRig, seededRandom, testReading } from '../../support/journal-rig.ts';

const SEED = 20_261_130;
const SMALL = { maxReadings: 500 };
/** Two whole segments of 64 and a part of a third. */
const READINGS = 150;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

async function appendMany({ set }: SetRig, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) await set.append(testReading(index));
}

function release({ set }: SetRig, from: number, to: number): void {
  for (const journal of set.journals()) journal.release([[from, to]]);
}

async function indexes(rig: SetRig): Promise<number[]> {
  return (await readSet(rig.set)).flatMap(({ entry }) => (entry.kind === 'reading' ? [indexOf(entry)] : []));
}

/** 1 waits, 2 to 140 are released and behind it, the rest waits. */
async function releasedRig(fs: CrashFs): Promise<SetRig> {
  const rig = await openTestSet(fs, { section: SMALL });
  await appendMany(rig, 1, READINGS);
  release(rig, 2, READINGS - 10);
  return rig;
}

describe('a recall of what a foreign record gave receipts for', () => {
  it('gives again what still lies in the files, also after a restart and beside new readings', async () => {
    const fs = await createStateFs();
    const rig = await releasedRig(fs);
    expect(await rig.set.recall()).toEqual({ count: READINGS - 11, durable: true });
    expect(rig.set.stats().unreleased).toBe(READINGS);
    await appendMany(rig, READINGS + 1, READINGS + 100);
    for (const state of [fs.copy(), fs]) {
      if (state === fs) await rig.set.close();
      const again = await openTestSet(state, { section: SMALL });
      expect(await indexes(again)).toEqual(upTo(READINGS + 100));
      expect(again.events).toEqual([]);
    }
  });

  it('is over once the new record has them: they are released and go as ever', async () => {
    const fs = await createStateFs();
    const rig = await releasedRig(fs);
    await rig.set.recall();
    release(rig, 1, READINGS);
    await appendMany(rig, READINGS + 1, READINGS + 2);
    await rig.set.close();
    const again = await openTestSet(fs, { section: SMALL });
    expect(await indexes(again)).toEqual([READINGS + 1, READINGS + 2]);
    expect(fs.files().filter((path) => path.endsWith('.seg')).length).toBe(1);
  });

  it('loses nothing by a power cut at any step of it, and has happened for good when it is over', async () => {
    console.info(`seed ${SEED}`);
    const random = seededRandom(SEED);
    const waiting = [1, ...upTo(READINGS).slice(READINGS - 10)];
    const look = async (state: CrashFs): Promise<number[]> => {
      const again = await openTestSet(state, { section: SMALL });
      const there = await indexes(again);
      expect(there).toEqual(expect.arrayContaining(waiting));
      // Nothing passes for lost that had only been released.
      expect(again.events).toEqual([]);
      return there;
    };
    const fs = await createStateFs();
    const rig = await releasedRig(fs);
    const states: CrashFs[] = [];
    fs.onOperation = ({ kind }) => {
      if (kind !== 'read' && kind !== 'open') states.push(...fs.crashes(4, random));
    };
    await rig.set.recall();
    fs.onOperation = () => undefined;
    expect(states.length).toBeGreaterThan(5);
    for (const state of states) await look(state);
    for (const state of fs.crashes(8, random)) expect(await look(state)).toEqual(upTo(READINGS));
  });

  it('says when the disk did not note it, gives the entries again all the same, and can be repeated', async () => {
    const fs = await createStateFs();
    const rig = await releasedRig(fs);
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'write' && path.endsWith('released')) throw errnoError('EIO', path);
    };
    expect(await rig.set.recall()).toMatchObject({ durable: false });
    expect(await indexes(rig)).toEqual(upTo(READINGS));
    fs.onOperation = () => undefined;
    expect(await rig.set.recall()).toEqual({ count: 0, durable: true });
    const again = await openTestSet(fs.copy(), { section: SMALL });
    expect(await indexes(again)).toEqual(upTo(READINGS));
  });

  it('does not bring back what had to go and is told', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: { maxReadings: 128, whenFull: 'drop-oldest' } });
    // The file of what is dropped stays: the disk does not remove it.
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'remove' && path.endsWith('.seg')) throw errnoError('EIO', path);
    };
    await appendMany(rig, 1, 200);
    const before = await readSet(rig.set);
    release(rig, 1, 250);
    fs.onOperation = () => undefined;
    await rig.set.recall();
    const after = await readSet(rig.set);
    expect(before.filter(({ entry }) => isMissing(entry, after))).toEqual([]);
    expect(after.filter(({ entry }) => isMissing(entry, before))).toEqual([]);
  });

  it('covers readings that were in memory while the disk refused, and earlier journals', async () => {
    const fs = await createStateFs();
    const rig = await openTestSet(fs, { section: SMALL });
    await appendMany(rig, 1, 3);
    fs.onOperation = ({ kind, path, mode }) => {
      if (kind === 'write' || (kind === 'open' && mode === 'create')) throw errnoError('EIO', path);
    };
    await appendMany(rig, 4, 5);
    fs.onOperation = () => undefined;
    await rig.clock.advance(60_000);
    await appendMany(rig, 6, 6);
    for (const journal of rig.set.journals()) journal.release([[1, 1]]);
    const { count } = await rig.set.recall();
    expect(count).toBe(rig.set.journals().length);
    expect((await indexes(rig)).sort((a, b) => a - b)).toEqual(upTo(6));
    for (const journal of rig.set.journals()) journal.release([[1, 9]]);
    await appendMany(rig, 7, 8);
    expect(await indexes(rig)).toEqual([7, 8]);
  });
});

function isMissing(entry: JournalEntry, among: readonly { readonly entry: JournalEntry }[]): boolean {
  return !among.some((other) => other.entry.seq === entry.seq);
}
