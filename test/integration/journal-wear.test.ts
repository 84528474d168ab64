import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createNodeJournalFs, type JournalFs } from '../../src/device/journal/journal-fs.ts';
import { createStateFs } from '../support/crash-fs.ts';
import { openTestSet, testReading } from '../support/journal-rig.ts';
import { type DeviceCounts, mountExt4OnLoop } from '../support/own-file-system.ts';

/** Three segments and a bit: their making, filling and removal are all in it. */
const READINGS = 12_500;
const RECORD_BYTES = 64;
const PAGE_BYTES = 4096;
/** Goal D of the performance goals: against a bare append to a preallocated file with fdatasync. */
const GOAL = 1.15;
const DEVICE_BYTES = 64 * 1024 * 1024;

/** The limit that nothing durable can beat: one write into a file that is there, one sync. */
async function appendBare(fs: JournalFs, path: string): Promise<void> {
  const file = await fs.open(path, 'create');
  const record = Buffer.alloc(RECORD_BYTES, 0x5a);
  for (let index = 0; index < READINGS; index += 1) {
    if (index === 0) await preallocate();
    await file.write(record, index * RECORD_BYTES);
    await file.dataSync();
  }
  await file.close();

  async function preallocate(): Promise<void> {
    await file.write(Buffer.alloc(READINGS * RECORD_BYTES), 0);
    await file.sync();
  }
}

/** As the agent does: append, send, hear that it is stored. */
async function appendToJournal(fs: JournalFs, path: string): Promise<void> {
  const { set, events } = await openTestSet(fs, { section: { path } });
  for (let index = 1; index <= READINGS; index += 1) {
    const { journal, entry } = await set.append(testReading(index));
    if (index % 10 === 0) await journal.read(entry.seq - 10, 50);
    journal.release([[entry.seq, entry.seq]]);
  }
  await set.close();
  expect(events).toEqual([]);
}

describe('the wear of the disk, releases and the making and removal of segments included', { timeout: 900_000 }, () => {
  it(`is at most ${GOAL} times that of a bare append, by counted calls`, async () => {
    const bare = await createStateFs();
    await appendBare(bare, '/state/bare');
    const ours = await createStateFs();
    await appendToJournal(ours, '/state/journal');
    const syncs = (fs: typeof ours): number => fs.counts.syncs + fs.counts.directorySyncs;
    const blocks = ours.counts.blocksSynced / bare.counts.blocksSynced;
    const flushes = syncs(ours) / syncs(bare);
    console.info(
      `counted calls: ${((ours.counts.blocksSynced * PAGE_BYTES) / READINGS).toFixed(0)} bytes and ` +
        `${(syncs(ours) / READINGS).toFixed(4)} syncs a reading; ${blocks.toFixed(4)} and ${flushes.toFixed(4)} times bare`,
    );
    expect(blocks).toBeLessThanOrEqual(GOAL);
    expect(flushes).toBeLessThanOrEqual(GOAL);
    expect(ours.files().filter((path) => path.endsWith('.seg')).length).toBe(1);
  });

  it(`is at most ${GOAL} times that of a bare append, at a block device`, async ({ skip }) => {
    const disk = mountExt4OnLoop(DEVICE_BYTES);
    if (disk === undefined) return skip('needs root and a loop device');
    try {
      const fs = createNodeJournalFs();
      const measure = async (work: () => Promise<void>): Promise<DeviceCounts> => {
        const before = disk.deviceCounts();
        await work();
        const after = disk.deviceCounts();
        return {
          bytesWritten: after.bytesWritten - before.bytesWritten,
          writes: after.writes - before.writes,
          flushes: after.flushes - before.flushes,
        };
      };
      const bare = await measure(() => appendBare(fs, join(disk.mountPoint, 'bare')));
      const ours = await measure(() => appendToJournal(fs, join(disk.mountPoint, 'journal')));
      const bytes = ours.bytesWritten / bare.bytesWritten;
      const flushes = ours.flushes / bare.flushes;
      console.info(
        `block device: bare ${(bare.bytesWritten / READINGS).toFixed(0)} bytes, ${(bare.flushes / READINGS).toFixed(3)} ` +
          `flushes a reading; journal ${(ours.bytesWritten / READINGS).toFixed(0)} bytes, ` +
          `${(ours.flushes / READINGS).toFixed(3)} flushes; ${bytes.toFixed(4)} and ${flushes.toFixed(4)} times bare`,
      );
      expect(bytes).toBeLessThanOrEqual(GOAL);
      expect(flushes).toBeLessThanOrEqual(GOAL);
    } finally {
      disk.remove();
    }
  });
});
