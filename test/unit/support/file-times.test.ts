import { describe, expect, it } from 'vitest';
import { longFiles, overBudget } from '../../support/file-times.ts';

/** A hundred files that take a second each, beside those named. */
const among = (named: Readonly<Record<string, number>>, slowness = 1) =>
  [
    ...Object.entries(named).map(([file, ms]) => ({ file, ms })),
    ...Array.from({ length: 100 }, (_, index) => ({ file: `short-${index}`, ms: 1_000 })),
  ].map(({ file, ms }) => ({ file, ms: ms * slowness }));

describe('the budget of long test files', () => {
  it('counts files of more than 20 s, the longest first', () => {
    const long = longFiles(among({ a: 21_000, b: 60_000, c: 19_000 }));
    expect(long.map(({ file }) => file)).toEqual(['b', 'a']);
  });

  it('does not count more of them on a slow machine', () => {
    expect(longFiles(among({ a: 5_000 }, 30)).map(({ file }) => file)).toEqual(['a']);
    expect(longFiles(among({ a: 3_000 }, 30))).toEqual([]);
  });

  it('is kept by as many as it allows, and names all of them when there is one more', () => {
    const times = among({ a: 30_000, b: 40_000 });
    expect(overBudget(times, 2)).toBeUndefined();
    expect(overBudget(times, 1)).toMatch(/^2 test files .* may have 1 of them\. .*: b, a$/);
  });
});
