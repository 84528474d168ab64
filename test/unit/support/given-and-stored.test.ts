import { expect, test } from 'vitest';
import type { FrameEntry } from '../../support/emulator-log.ts';
import { compareGivenAndStored, type StoredValues } from '../../support/given-and-stored.ts';

const given = (...temperatures: readonly number[]): FrameEntry[] =>
  temperatures.map((temperature, row) => ({ row, temperature, humidity: 40 }) as FrameEntry);
const stored = (...temperatures: readonly number[]): StoredValues[] =>
  temperatures.map((temperatureCelsius) => ({ temperatureCelsius, humidityPercent: 40 }));

test('what was given and stored in this order is the same', () => {
  expect(compareGivenAndStored(given(20, 21, 21, 22), stored(20, 21, 21, 22))).toEqual({ lost: [], foreign: [] });
});

test('a row that is not stored is lost, also at the ends', () => {
  const lost = (...rows: readonly number[]): unknown => rows.map((row) => ({ first: row, last: row }));
  expect(compareGivenAndStored(given(20, 21, 22, 23), stored(20, 22, 23)).lost).toEqual(lost(1));
  expect(compareGivenAndStored(given(20, 21, 22, 23), stored(21, 22)).lost).toEqual(lost(0, 3));
});

test('of equal rows in a row any may be the one that was lost', () => {
  expect(compareGivenAndStored(given(20, 21, 21, 21, 22, 21), stored(20, 21, 21, 22, 21))).toEqual({
    lost: [{ first: 1, last: 3 }],
    foreign: [],
  });
});

test('what is stored and was never given, or twice, is foreign', () => {
  expect(compareGivenAndStored(given(20, 21), stored(20, 21, 21)).foreign).toEqual(stored(21));
  expect(compareGivenAndStored(given(20, 21), stored(19, 20, 21)).foreign).toHaveLength(3);
});
