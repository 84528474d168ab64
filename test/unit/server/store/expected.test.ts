import { describe, expect, it } from 'vitest';
import { createSqliteReader } from '../../../../src/server/store/sqlite/reader.ts';
import { emptyDatabase, StoreRows } from '../../../support/store-rows.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function expected(
  intervals: readonly (readonly [fromMs: number, ms: number])[],
  edgesMs: readonly number[],
  nowMs: number,
) {
  const store = new StoreRows(emptyDatabase());
  const device = store.device('d1');
  for (const [fromMs, ms] of intervals)
    store.db.prepare('INSERT INTO intervals VALUES (?, ?, ?)').run(device, fromMs, ms);
  return createSqliteReader(store.db).expected('d1', edgesMs, nowMs);
}

describe('how many readings were to be expected', () => {
  it('is how often the interval fits', () => {
    expect(expected([[0, 30_000]], [0, HOUR_MS, DAY_MS], 2 * DAY_MS)).toEqual([120, 2760]);
    // 23 and 25 hours are given by the edges.
    expect(expected([[0, 300_000]], [0, 23 * HOUR_MS, 48 * HOUR_MS], 2 * DAY_MS)).toEqual([276, 300]);
  });

  it('is rounded down: a device that skipped nothing may have given that few', () => {
    expect(expected([[0, 7_000]], [0, HOUR_MS], DAY_MS)).toEqual([514]);
    expect(expected([[0, HOUR_MS]], [0, HOUR_MS / 2, HOUR_MS], DAY_MS)).toEqual([0, 0]);
  });

  it('follows each change of the interval', () => {
    const history = [
      [0, 60_000],
      [HOUR_MS / 2, 30_000],
      [2 * HOUR_MS, 300_000],
    ] as const;
    expect(expected(history, [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS], DAY_MS)).toEqual([90, 120, 12]);
  });

  it('is not disturbed by quotients that a double does not hold', () => {
    // Ten tenths, added up, are 0.9999999999999999.
    const history = Array.from({ length: 10 }, (_, index) => [index * 10, 100] as const);
    expect(expected(history, [0, 100], DAY_MS)).toEqual([1]);
  });

  it('is not known before the first interval was, and then begins with it', () => {
    expect(expected([], [0, HOUR_MS], DAY_MS)).toEqual([null]);
    expect(expected([[1.5 * HOUR_MS, 60_000]], [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS], DAY_MS)).toEqual([null, 30, 60]);
    expect(expected([[HOUR_MS, 60_000]], [0, HOUR_MS], DAY_MS)).toEqual([null]);
  });

  it('counts up to now, and nothing in the future', () => {
    expect(expected([[0, 60_000]], [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS], 1.5 * HOUR_MS)).toEqual([60, 30, 0]);
  });

  it('is not known of a device that nobody knows', () => {
    expect(createSqliteReader(emptyDatabase()).expected('nobody', [0, 1, 2], 5)).toEqual([null, null]);
    expect(createSqliteReader(emptyDatabase()).expected('nobody', [], 5)).toEqual([]);
  });
});
