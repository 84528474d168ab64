import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openJournalDirectory } from '../../../src/device/journal/directory.ts';
import { createNodeJournalFs } from '../../../src/device/journal/journal-fs.ts';
import { MemoryJournal } from '../../../src/device/journal/memory-journal.ts';
import { createStateFs } from '../../support/crash-fs.ts';
import { describeJournalContract } from '../../support/journal-contract.ts';
import { DEVICE_UID, noLock, openTestDirectory } from '../../support/journal-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-journal-contract-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeJournalContract(
  'FileJournal with segments of 7 readings',
  async () => {
    const directory = await openTestDirectory(await createStateFs());
    return await directory.activate(DEVICE_UID, () => 'epoch1');
  },
  { keepsReleased: true },
);

describeJournalContract(
  'FileJournal on a real disk',
  async () => {
    const journal = { slotsPerSegment: () => 64, isEpochPresent: () => false, onFault: fail };
    const directory = await openJournalDirectory(
      { fs: createNodeJournalFs(), lock: noLock, journal },
      mkdtempSync(join(folder, 'journal-')),
    );
    return await directory.activate(DEVICE_UID, () => 'epoch1');
  },
  { keepsReleased: true },
);

describeJournalContract(
  'MemoryJournal',
  () =>
    Promise.resolve(
      new MemoryJournal({
        deviceUid: DEVICE_UID,
        epoch: 'epoch1',
        maxEntries: () => 1_000,
        whenFull: () => 'thin',
        nowMs: () => 0,
      }),
    ),
  { keepsReleased: false },
);

function fail(error: unknown): never {
  throw error;
}
