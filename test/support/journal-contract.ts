import { describe, expect, it } from 'vitest';
import { type Journal, JournalError } from '../../src/device/journal/journal.ts';
import { BOOT_A, BOOT_B, indexOf, pendingReading, readAll, testReading } from './journal-rig.ts';

const GAP = { ofEpoch: 'other1', from: 3, to: 9, count: 4, reason: 'dropped' as const, fromTsMs: 5, toTsMs: 6 };

/** What src/device/journal/journal.ts promises, for every implementation. */
export function describeJournalContract(
  name: string,
  open: () => Promise<Journal>,
  /** Whether released entries stay for a recall until room is needed. */
  { keepsReleased }: { readonly keepsReleased: boolean },
): void {
  describe(`${name} keeps the journal's promises`, () => {
    it('numbers entries from 1 without holes, readings and gap records alike', async () => {
      const journal = await open();
      expect((await journal.append(testReading(1))).seq).toBe(1);
      expect((await journal.appendGap(GAP, 77)).seq).toBe(2);
      expect((await journal.append(testReading(2))).seq).toBe(3);
      expect(journal.stats).toMatchObject({ lastSeq: 3, unreleased: 3, pending: 0 });
      await journal.close();
    });

    it('gives back what it was given, values rounded to two decimals', async () => {
      const journal = await open();
      const reading = {
        temperatureCelsius: -21.0249,
        humidityPercent: 63.335,
        stamp: { state: 'unsynced' as const, tsMs: 1_757_537_685_793 },
        bootId: BOOT_A,
        monotonicMs: 12.5,
        trigger: 'command' as const,
        frame: Uint8Array.of(0x1c, 0x65, 0xb4, 0x25, 0xcd, 0x26, 0xc6),
      };
      const entry = await journal.append(reading);
      expect(entry).toEqual({
        ...reading,
        kind: 'reading',
        seq: 1,
        temperatureCelsius: -21.02,
        humidityPercent: 63.34,
      });
      await journal.appendGap(GAP, 77);
      expect(await journal.read(0, 10)).toEqual([entry, { kind: 'gap', seq: 2, gap: GAP, tsMs: 77 }]);
      await journal.close();
    });

    it('takes values that are zero, and the ends of the scale', async () => {
      const journal = await open();
      await journal.append(testReading(0, { temperatureCelsius: -0, humidityPercent: 0 }));
      await journal.append(testReading(0, { temperatureCelsius: 150, humidityPercent: 100 }));
      const entries = await journal.read(0, 10);
      expect(entries).toMatchObject([
        { temperatureCelsius: 0, humidityPercent: 0 },
        { temperatureCelsius: 150, humidityPercent: 100 },
      ]);
      await journal.close();
    });

    it('refuses what is no reading, without giving a number', async () => {
      const journal = await open();
      await expect(journal.append(testReading(1, { temperatureCelsius: Number.NaN }))).rejects.toThrow(RangeError);
      await expect(journal.append(testReading(1, { humidityPercent: 101 }))).rejects.toThrow(RangeError);
      expect((await journal.append(testReading(1))).seq).toBe(1);
      await journal.close();
    });

    it('reads oldest first, from any number, no more than asked for', async () => {
      const journal = await open();
      for (let index = 1; index <= 300; index += 1) await journal.append(testReading(index));
      expect((await journal.read(0, 3)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect((await journal.read(127, 3)).map(({ seq }) => seq)).toEqual([128, 129, 130]);
      expect((await journal.read(298, 50)).map(({ seq }) => seq)).toEqual([299, 300]);
      expect(await journal.read(300, 50)).toEqual([]);
      expect((await readAll(journal)).map(indexOf)).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
      await journal.close();
    });

    it('does not yield again what was released, in whatever pieces and however often', async () => {
      const journal = await open();
      for (let index = 1; index <= 100; index += 1) await journal.append(testReading(index));
      journal.release([
        [10, 19],
        [1, 4],
      ]);
      journal.release([
        [15, 25],
        [99, 5_000],
      ]);
      journal.release([[3, 3]]);
      expect((await readAll(journal)).map(({ seq }) => seq)).toEqual([
        ...[5, 6, 7, 8, 9],
        ...Array.from({ length: 73 }, (_, at) => at + 26),
      ]);
      expect(journal.stats).toMatchObject({ unreleased: 78, lastSeq: 100 });
      await journal.append(testReading(101));
      expect(journal.stats).toMatchObject({ unreleased: 79, lastSeq: 101 });
      await journal.close();
    });

    it('releases everything and goes on counting', async () => {
      const journal = await open();
      for (let round = 0; round < 5; round += 1) {
        for (let index = 1; index <= 40; index += 1) await journal.append(testReading(index));
        journal.release([[1, journal.stats.lastSeq]]);
        expect(await journal.read(0, 10)).toEqual([]);
      }
      expect(journal.stats).toMatchObject({ unreleased: 0, lastSeq: 200 });
      await journal.close();
    });

    it('gives released entries again once they are recalled, under the same numbers and times, as far as it has them', async () => {
      const journal = await open();
      for (let index = 1; index <= 5; index += 1) await journal.append(testReading(index));
      await journal.appendGap(GAP, 77);
      await journal.append(pendingReading(7));
      const before = await readAll(journal);
      journal.release([
        [2, 4],
        [6, 6],
      ]);
      const count = await journal.recall();
      expect(count).toBe(keepsReleased ? 4 : 0);
      const again = await readAll(journal);
      expect(again).toEqual(keepsReleased ? before : before.filter(({ seq }) => [1, 5].includes(seq)));
      expect(journal.stats).toMatchObject({ unreleased: 3 + count, pending: 1, lastSeq: 7 });
      expect(await journal.recall()).toBe(0);
      journal.release([[1, 7]]);
      expect(await journal.read(0, 10)).toEqual([]);
      await journal.close();
    });

    it('keeps readings back until their time is known, and lets others pass', async () => {
      const journal = await open();
      await journal.append(pendingReading(1));
      await journal.append(testReading(2));
      await journal.append(pendingReading(3, { bootId: BOOT_B }));
      expect((await journal.read(0, 10)).map(({ seq }) => seq)).toEqual([2]);
      expect([...journal.pendingBootIds()].sort()).toEqual([BOOT_A, BOOT_B]);
      expect(journal.stats).toMatchObject({ unreleased: 3, pending: 2 });
      await journal.close();
    });

    it('does not take a release for a reading that cannot have been sent', async () => {
      const journal = await open();
      await journal.append(pendingReading(1));
      await journal.append(testReading(2));
      journal.release([[1, 2]]);
      await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 'as-stamped', state: 'unsynced' });
      expect((await journal.read(0, 10)).map(({ seq }) => seq)).toEqual([1]);
      await journal.close();
    });

    it('gives the readings of one boot their time by its monotonic clock, and no others', async () => {
      const journal = await open();
      for (let index = 1; index <= 3; index += 1) await journal.append(pendingReading(index));
      await journal.append(pendingReading(4, { bootId: BOOT_B }));
      const settled = await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 1e12, state: 'synced' });
      expect(settled).toBe(3);
      expect(journal.pendingBootIds()).toEqual([BOOT_B]);
      expect((await journal.read(0, 10)).map((entry) => entry.kind === 'reading' && entry.stamp)).toEqual([
        { state: 'synced', tsMs: 1e12 + 1_000 },
        { state: 'synced', tsMs: 1e12 + 2_000 },
        { state: 'synced', tsMs: 1e12 + 3_000 },
      ]);
      await journal.close();
    });

    it('keeps what the clock said where nothing better is known', async () => {
      const journal = await open();
      await journal.append(pendingReading(7));
      expect(await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 'as-stamped', state: 'unsynced' })).toBe(1);
      expect(await journal.read(0, 10)).toMatchObject([{ stamp: { state: 'unsynced', tsMs: 86_407_000 } }]);
      await journal.close();
    });

    it('never changes a time that was given', async () => {
      const journal = await open();
      await journal.append(pendingReading(1));
      await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 1e12, state: 'synced' });
      expect(await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 2e12, state: 'synced' })).toBe(0);
      await journal.append(pendingReading(2));
      expect(await journal.settle({ bootId: BOOT_A, wallMinusMonotonicMs: 3e12, state: 'synced' })).toBe(1);
      expect((await journal.read(0, 10)).map((entry) => entry.kind === 'reading' && entry.stamp.tsMs)).toEqual([
        1e12 + 1_000,
        3e12 + 2_000,
      ]);
      await journal.close();
    });

    it('keeps the order when callers do not wait for each other', async () => {
      const journal = await open();
      const entries = await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append(testReading(index))));
      expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
      expect(entries.map(indexOf)).toEqual(Array.from({ length: 50 }, (_, at) => at));
      await journal.close();
    });

    it('is closed once and for all, and says so', async () => {
      const journal = await open();
      await journal.append(testReading(1));
      await journal.close();
      await journal.close();
      await expect(journal.append(testReading(2))).rejects.toThrow(JournalError);
      await expect(journal.append(testReading(2))).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
      expect(await journal.read(0, 10)).toEqual([]);
    });
  });
}
