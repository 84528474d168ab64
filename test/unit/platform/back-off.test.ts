import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backOffMs } from '../../../src/platform/pacing.ts';

const limits = { minMs: 1_000, maxMs: 60_000 };

test('the ceiling doubles from attempt to attempt until the maximum', () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 7, 5_000].map((attempt) => backOffMs(attempt, limits, () => 1));
  expect(ceilings).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
});

test('never less than the minimum, never more than the maximum, for any attempt', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (attempt, chance) => {
      const delay = backOffMs(attempt, limits, () => chance);
      expect(delay).toBeGreaterThanOrEqual(limits.minMs);
      expect(delay).toBeLessThanOrEqual(limits.maxMs);
    }),
    { seed: 20 },
  );
});

test('the whole range below the ceiling is used, so that many agents spread', () => {
  expect(backOffMs(9, limits, () => 0)).toBe(1_000);
  expect(backOffMs(9, limits, () => 0.5)).toBe(30_500);
});

test('a maximum below the minimum gives the minimum', () => {
  expect(backOffMs(3, { minMs: 500, maxMs: 100 }, () => 0.9)).toBe(500);
});
