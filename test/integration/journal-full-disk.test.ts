import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDirectory } from '../../src/device/journal/directory-lock.ts';
import { createNodeJournalFs } from '../../src/device/journal/journal-fs.ts';
import { indexOf, openTestSet, readSet, testReading } from '../support/journal-rig.ts';
import { mountTmpfs } from '../support/own-file-system.ts';

const DISK_BYTES = 1024 * 1024;

describe('a real disk', { timeout: 300_000 }, () => {
  it('that is full makes the oldest readings give way, and takes the newest again', async ({ skip }) => {
    const disk = mountTmpfs(DISK_BYTES);
    if (disk === undefined) return skip('needs root and the right to mount a tmpfs');
    try {
      const path = join(disk.mountPoint, 'journal');
      const rig = await openTestSet(createNodeJournalFs(), {
        section: { path, maxReadings: 8_000 },
        lock: lockDirectory,
      });
      const filler = join(disk.mountPoint, 'filler');
      for (let index = 1; index <= 3_000; index += 1) await rig.set.append(testReading(index));
      fillUp(filler);
      for (let index = 3_001; index <= 5_000; index += 1) await rig.set.append(testReading(index));
      expect(rig.set.stats()).toMatchObject({ durable: true });
      const entries = await readSet(rig.set);
      const readings = entries.flatMap(({ entry }) => (entry.kind === 'reading' ? [indexOf(entry)] : []));
      expect(readings.at(-1)).toBe(5_000);
      expect(new Set(readings).size).toBe(readings.length);
      const counted = entries.reduce((sum, { entry }) => sum + (entry.kind === 'gap' ? (entry.gap.count ?? 0) : 0), 0);
      expect(entries.length + counted).toBe(rig.set.journals()[0]?.stats.lastSeq);
      rmSync(filler);
      await rig.set.close();
    } finally {
      disk.remove();
    }
  });

  it('with no space for a journal at all leaves readings in memory until there is some', async ({ skip }) => {
    const disk = mountTmpfs(DISK_BYTES);
    if (disk === undefined) return skip('needs root and the right to mount a tmpfs');
    try {
      const filler = join(disk.mountPoint, 'filler');
      fillUp(filler);
      const path = join(disk.mountPoint, 'journal');
      const rig = await openTestSet(createNodeJournalFs(), { section: { path }, lock: lockDirectory });
      for (let index = 1; index <= 5; index += 1) await rig.set.append(testReading(index));
      expect(rig.set.stats()).toMatchObject({ durable: false, unreleased: 5 });
      rmSync(filler);
      await rig.clock.advance(60_000);
      await rig.set.append(testReading(6));
      expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 6 });
      await rig.set.close();
    } finally {
      disk.remove();
    }
  });

  it('that becomes read-only is drained, and written to again when it can be', async ({ skip }) => {
    const disk = mountTmpfs(8 * DISK_BYTES);
    if (disk === undefined) return skip('needs root and the right to mount a tmpfs');
    try {
      const path = join(disk.mountPoint, 'journal');
      const fs = createNodeJournalFs();
      const first = await openTestSet(fs, { section: { path }, lock: lockDirectory });
      for (let index = 1; index <= 10; index += 1) await first.set.append(testReading(index));
      await first.set.close();
      disk.remount('ro');
      const rig = await openTestSet(fs, { section: { path }, lock: lockDirectory });
      await rig.set.append(testReading(11));
      expect(rig.set.stats()).toMatchObject({ durable: false, unreleased: 11 });
      expect(rig.set.stats().fault).toContain('read-write');
      expect((await readSet(rig.set)).map(({ entry }) => indexOf(entry))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      disk.remount('rw');
      await rig.clock.advance(60_000);
      await rig.set.append(testReading(12));
      expect(rig.set.stats()).toMatchObject({ durable: true, unreleased: 12 });
      await rig.set.close();
    } finally {
      disk.remove();
    }
  });
});

/** Takes what is free, to the last block. */
function fillUp(path: string): void {
  for (let bytes = DISK_BYTES; bytes >= 4096; bytes /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      // Smaller pieces may still fit.
    }
  }
}
