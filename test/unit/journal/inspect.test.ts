import { describe, expect, it } from 'vitest';
import { inspectEntries, inspectJournals } from '../../../src/device/journal/inspect.ts';
import { createStateFs } from '../../support/crash-fs.ts';
import {
  BOOT_B,
  DEVICE_UID,
  JOURNAL_PATH,
  openTestSet,
  pendingReading,
  testReading,
} from '../../support/journal-rig.ts';

describe('looking into a journal', () => {
  it('tells what is in it and changes nothing', async () => {
    const fs = await createStateFs();
    const { set } = await openTestSet(fs, { section: { maxReadings: 500 }, createEpochName: () => 'epoch1' });
    for (let index = 1; index <= 80; index += 1) await set.append(testReading(index));
    await set.append(pendingReading(81, { bootId: BOOT_B }));
    set.journals()[0]?.release([[1, 10]]);
    await set.close();
    fs.onOperation = ({ kind, path, mode }) => {
      if (kind !== 'list' && kind !== 'read' && mode !== 'read') throw new Error(`${kind} ${path}`);
    };
    const reports = await inspectJournals(JOURNAL_PATH, fs);
    expect(reports).toMatchObject([
      {
        deviceUid: DEVICE_UID,
        epoch: 'epoch1',
        newerVersion: false,
        lastSeq: 81,
        unreleased: 71,
        unreleasedReadings: 71,
        pending: 1,
        losses: [],
      },
    ]);
    expect(reports[0]?.uncertain).toBeUndefined();
    const entries = [];
    for await (const { entry, released } of inspectEntries(JOURNAL_PATH, fs)) entries.push([entry.seq, released]);
    expect(entries).toEqual(Array.from({ length: 81 }, (_, at) => [at + 1, at < 10]));
  });

  it('finds nothing where there is nothing', async () => {
    const fs = await createStateFs();
    expect(await inspectJournals('/state/nowhere', fs)).toEqual([]);
    for await (const entry of inspectEntries('/state/nowhere', fs)) throw new Error(JSON.stringify(entry));
  });

  it('says of damage what is gone, without telling it on disk', async () => {
    const fs = await createStateFs();
    const { set } = await openTestSet(fs, { section: { maxReadings: 500 } });
    for (let index = 1; index <= 5; index += 1) await set.append(testReading(index));
    await set.close();
    const path = fs.files().find((name) => name.endsWith('.seg')) ?? '';
    fs.setContent(path, fs.content(path).fill(0xaa, 4096 + 64, 4096 + 128));
    for (let round = 0; round < 2; round += 1) {
      expect((await inspectJournals(JOURNAL_PATH, fs))[0]?.losses).toMatchObject([{ from: 2, to: 2, count: 1 }]);
    }
  });

  it('notices damage that happens while the journal is open, and tells of it', async () => {
    const fs = await createStateFs();
    const { set, events } = await openTestSet(fs, { section: { maxReadings: 500 } });
    for (let index = 1; index <= 100; index += 1) await set.append(testReading(index));
    const path = fs.files().find((name) => name.endsWith('.seg')) ?? '';
    const content = fs.content(path).fill(0xaa, 4096 + 19 * 64, 4096 + 21 * 64);
    const file = await fs.open(path, 'write');
    await file.write(content, 0);
    const journal = set.journals()[0];
    expect((await journal?.read(10, 12))?.map(({ seq }) => seq)).toEqual([
      11, 12, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24,
    ]);
    const { entry } = await set.append(testReading(101));
    expect(entry.seq).toBe(102);
    expect((await journal?.read(100, 5))?.find(({ kind }) => kind === 'gap')).toMatchObject({
      gap: { from: 20, to: 21, count: 2, reason: 'damaged' },
    });
    expect(set.stats()).toMatchObject({ unreleased: 100, dropped: 2 });
    expect(events.length).toBe(1);
  });
});
