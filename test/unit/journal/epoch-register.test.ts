import { describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/contract/reading.ts';
import { type CrashFs, createStateFs, errnoError } from '../../support/crash-fs.ts';
import {
  DEVICE_UID,
  indexOf,
  JOURNAL_PATH,
  openTestSet,
  readSet,
  type SetRig,
  type SetRigOptions,
  seededRandom,
  testReading,
} from '../../support/journal-rig.ts';

const REGISTER = '/state/journal-epochs.json';
const SMALL = { maxReadings: 500 };
const SEED = 20_261_201;

function open(fs: CrashFs, section: SetRigOptions['section'] = {}): Promise<SetRig> {
  return openTestSet(fs, { section: { ...SMALL, ...section }, registerPath: REGISTER });
}

async function appendMany({ set }: SetRig, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) await set.append(testReading(index));
}

function release({ set }: SetRig, from: number, to: number): void {
  for (const journal of set.journals()) journal.release([[from, to]]);
}

async function gaps({ set }: SetRig): Promise<Gap[]> {
  return (await readSet(set)).flatMap(({ entry }) => (entry.kind === 'gap' ? [entry.gap] : []));
}

async function indexes({ set }: SetRig): Promise<number[]> {
  return (await readSet(set)).flatMap(({ entry }) => (entry.kind === 'reading' ? [indexOf(entry)] : []));
}

// A6, while the agent is stopped
describe('a journal whose folder was removed while the agent was stopped', () => {
  it('tells exactly what was in it after a clean stop, once', async () => {
    const fs = await createStateFs();
    const first = await open(fs);
    const epoch = first.set.activeEpoch();
    await appendMany(first, 1, 150);
    release(first, 1, 10);
    release(first, 20, 29);
    await first.set.close();
    fs.deleteFile(JOURNAL_PATH);

    const second = await open(fs);
    const gap = { ofEpoch: epoch, from: 11, to: 150, count: 130, reason: 'damaged' };
    expect(await gaps(second)).toEqual([gap]);
    expect(second.events).toMatchObject([{ level: 'error', message: expect.stringContaining('11 to 150') as string }]);
    expect(second.set.activeEpoch()).not.toBe(epoch);
    await second.set.close();
    const third = await open(fs);
    expect(await gaps(third)).toEqual([gap]);
    expect(third.events).toEqual([]);
  });

  it('tells where the loss begins after a kill, and does not say where it ends', async () => {
    const fs = await createStateFs();
    const first = await open(fs);
    const epoch = first.set.activeEpoch();
    await appendMany(first, 1, 100);
    const killed = fs.copy();
    killed.deleteFile(`${JOURNAL_PATH}/${DEVICE_UID}`);
    const second = await open(killed);
    expect(await gaps(second)).toEqual([{ ofEpoch: epoch, from: 1, reason: 'damaged' }]);
    expect(second.events.map(({ level }) => level)).toEqual(['error']);
  });

  it('tells nothing where everything had been released', async () => {
    const fs = await createStateFs();
    const first = await open(fs);
    await appendMany(first, 1, 100);
    release(first, 1, 100);
    await first.set.close();
    fs.deleteFile(JOURNAL_PATH);
    const second = await open(fs);
    expect(await readSet(second.set)).toEqual([]);
    expect(second.events).toEqual([]);
  });

  it('does not forget what a recall has made wait again', async () => {
    const fs = await createStateFs();
    const first = await open(fs);
    await appendMany(first, 1, 20);
    release(first, 1, 20);
    await first.set.close();
    const second = await open(fs);
    await second.set.recall();
    const killed = fs.copy();
    killed.deleteFile(JOURNAL_PATH);
    expect(await gaps(await open(killed))).toMatchObject([{ from: 1 }]);
  });
});

describe('what a start says of earlier epochs', () => {
  it('is nothing when they were delivered and removed, whenever the power goes', async () => {
    console.info(`seed ${SEED}`);
    const random = seededRandom(SEED);
    const fs = await createStateFs();
    const rig = await open(fs);
    await appendMany(rig, 1, 5);
    const delivered = rig.set.activeEpoch();
    rig.device.set({ deviceUid: 'aht20-new' });
    await appendMany(rig, 6, 6);
    release(rig, 1, 5);
    const states: CrashFs[] = [];
    fs.onOperation = ({ kind }) => {
      if (kind !== 'read' && kind !== 'identify') states.push(...fs.crashes(4, random));
    };
    await appendMany(rig, 7, 8);
    fs.onOperation = () => undefined;
    expect(fs.files().filter((path) => path.includes(DEVICE_UID))).toEqual([]);
    expect(states.length).toBeGreaterThan(10);
    for (const state of [...states, fs]) {
      const again = await open(state);
      // A record that the power cut in two is told as ever.
      expect((await gaps(again)).filter(({ ofEpoch }) => ofEpoch === delivered)).toEqual([]);
      expect(again.events.filter(({ level }) => level === 'error')).toEqual([]);
    }
  });

  it('names readings that were in memory when the agent was killed', async () => {
    const fs = await createStateFs();
    const rig = await open(fs);
    await appendMany(rig, 1, 3);
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'write' && path.startsWith(JOURNAL_PATH) && !path.startsWith(REGISTER))
        throw errnoError('EIO', path);
    };
    await appendMany(rig, 4, 6);
    const epoch = rig.set.activeEpoch();
    const again = await open(fs.copy());
    expect(await gaps(again)).toEqual([{ ofEpoch: epoch, from: 1, reason: 'lost-in-memory' }]);
    expect(await indexes(again)).toEqual([1, 2, 3]);
    expect(again.events).toMatchObject([{ level: 'error', message: expect.stringContaining('in memory') as string }]);
  });

  it('does not judge a path that is not there, such as a disk that is not mounted, and finds it again', async () => {
    const fs = await createStateFs();
    await fs.makeDirectory('/usb');
    const first = await open(fs, { path: '/usb/journal' });
    await appendMany(first, 1, 3);
    await first.set.close();
    const unmounted = fs.copy();
    unmounted.deleteFile('/usb/journal');
    const second = await open(unmounted, { path: JOURNAL_PATH });
    expect(await gaps(second)).toEqual([]);
    expect(second.events).toMatchObject([{ level: 'warn', path: '/usb/journal' }]);
    // Changed in the file while the agent was stopped: what waits under the old path is still delivered.
    expect(await indexes(await open(fs, { path: JOURNAL_PATH }))).toEqual([1, 2, 3]);
  });

  it('is nothing where the register is damaged or cannot be written, and readings go on', async () => {
    const fs = await createStateFs();
    const first = await open(fs);
    await appendMany(first, 1, 3);
    await first.set.close();
    fs.setContent(REGISTER, Buffer.from('[{"deviceUid":"x"'));
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'open' && path === `${REGISTER}.tmp`) throw errnoError('EROFS', path);
    };
    const second = await open(fs);
    await appendMany(second, 4, 6);
    expect(await indexes(second)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(second.set.stats()).toMatchObject({ durable: true });
    expect(second.events).toMatchObject([{ level: 'warn' }]);
  });

  it('costs no write per reading', async () => {
    const fs = await createStateFs();
    const rig = await open(fs);
    await appendMany(rig, 1, 2);
    let writes = 0;
    fs.onOperation = ({ kind, path }) => {
      if (kind === 'write' && path.startsWith(REGISTER)) writes += 1;
    };
    await appendMany(rig, 3, 120);
    expect(writes).toBe(2);
  });
});
