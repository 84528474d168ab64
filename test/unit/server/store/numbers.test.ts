import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../../src/contract/seq-ranges.ts';
import { createGrowingRanges } from '../../../../src/server/store/sqlite/read/gaps.ts';
import { createSqliteReader } from '../../../../src/server/store/sqlite/reader.ts';
import { emptyDatabase, StoreRows } from '../../../support/store-rows.ts';

describe('ranges that grow', () => {
  it('hold what was added, in any order, and tell what they held already', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 80 }), (seqs) => {
        const growing = createGrowingRanges();
        const seen = new Set<number>();
        for (const seq of seqs) {
          expect(growing.add(seq)).toBe(!seen.has(seq));
          seen.add(seq);
          expect(growing.ranges).toEqual(rangesOf(seen));
        }
      }),
      { seed: 20261121 },
    );
  });
});

describe('the numbers of a device', () => {
  it('are told by epoch, the oldest first: readings, gap records, rejected, doubled, and what is said to be missing', () => {
    const store = new StoreRows(emptyDatabase());
    const read = (epoch: string, seq: number, tsMs: number) => store.reading({ deviceUid: 'd1', epoch, seq, tsMs });
    // The newer epoch was heard of first.
    read('new', 1, 5000);
    for (const [seq, tsMs] of [
      [1, 100],
      [2, 200],
      [3, 300],
      [7, 700],
      [6, 750],
      [2, 900],
    ] as const)
      read('old', seq, tsMs);
    store.reading({ deviceUid: 'd1', tsMs: 50 });
    store.reading({ deviceUid: 'd1', tsMs: 60 });
    store.reading({ deviceUid: 'other', epoch: 'old', seq: 4, tsMs: 400 });
    const gap = {
      ofEpoch: 'old',
      fromSeq: 4,
      toSeq: 5,
      count: 2,
      reason: 'dropped',
      fromTsMs: 400,
      toTsMs: 500,
    } as const;
    store.gap({ ...gap, deviceUid: 'd1', epoch: 'new', seq: 2, tsMs: 5100 });
    const lost = {
      ofEpoch: 'lost',
      fromSeq: 1,
      toSeq: null,
      count: null,
      reason: 'damaged',
      fromTsMs: null,
      toTsMs: null,
    } as const;
    store.gap({ ...lost, deviceUid: 'd1', epoch: 'new', seq: 3, tsMs: 5200 });
    const numbers = store.db.prepare('INSERT INTO rejected_ranges VALUES (?, ?, ?, ?, 0, 0)');
    numbers.run(store.epoch('d1', 'old'), 'dropped', 9, 9);
    // In conflict: a reading has the number.
    numbers.run(store.epoch('d1', 'old'), 'conflict', 1, 1);
    store.quarantined({ deviceUid: 'd1', epoch: 'old', seq: 12 });

    const carried = { deviceUid: 'd1', epoch: 'new' };
    expect(createSqliteReader(store.db).numbers('d1')).toEqual({
      unnumbered: 2,
      epochs: [
        {
          epoch: 'old',
          readings: [
            [1, 3],
            [6, 7],
          ],
          gapRecords: [],
          rejected: [[9, 9]],
          quarantined: [[12, 12]],
          doubled: [[2, 2]],
          readingTimes: [
            [100, 300],
            [750, 700],
          ],
          isLowestUnsynced: false,
          heardMs: null,
          takeover: null,
          fromMs: 100,
          toMs: 900,
          gaps: [{ ...carried, ...gap, seq: 2, tsMs: 5100 }],
        },
        {
          epoch: 'new',
          readings: [[1, 1]],
          gapRecords: [[2, 3]],
          rejected: [],
          quarantined: [],
          doubled: [],
          readingTimes: [[5000, 5000]],
          isLowestUnsynced: false,
          heardMs: null,
          takeover: null,
          fromMs: 5000,
          toMs: 5000,
          gaps: [],
        },
        {
          epoch: 'lost',
          readings: [],
          gapRecords: [],
          rejected: [],
          quarantined: [],
          doubled: [],
          readingTimes: [],
          isLowestUnsynced: false,
          heardMs: null,
          takeover: null,
          fromMs: null,
          toMs: null,
          gaps: [{ ...carried, ...lost, seq: 3, tsMs: 5200 }],
        },
      ],
    });
  });

  it('of a device that nobody knows are none', () => {
    expect(createSqliteReader(emptyDatabase()).numbers('nobody')).toEqual({ epochs: [], unnumbered: 0 });
  });
});
