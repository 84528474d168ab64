import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../src/contract/seq-ranges.ts';
import { Acknowledged } from '../../../src/device/publisher/in-flight.ts';

const SEED = 20_261_130;
const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 60 });

describe('the numbers that a broker has acknowledged', () => {
  it('A5: are exactly those that were added and not removed, in whatever order', () => {
    fc.assert(
      fc.property(seqs, seqs, seqs, (added, removed, asked) => {
        const acknowledged = new Acknowledged();
        for (const seq of added) acknowledged.add('e', [seq]);
        acknowledged.add('other', asked);
        acknowledged.remove('e', rangesOf(removed));
        const left = added.filter((seq) => !removed.includes(seq));
        expect(acknowledged.ranges('e')).toEqual(rangesOf(left));
        expect(acknowledged.among('e', rangesOf(asked)).flatMap(([from, to]) => span(from, to))).toEqual(
          asked.filter((seq) => left.includes(seq)).sort((a, b) => a - b),
        );
        for (const seq of asked) expect(acknowledged.has('e', seq)).toBe(left.includes(seq));
        expect(acknowledged.count()).toBe(left.length + asked.length);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('are, after a restart, those that were noted, of journals that are still there, and never more', () => {
    const acknowledged = new Acknowledged({ gone: [[1, 9]] });
    for (let seq = 1; seq <= 1_000; seq += 2) acknowledged.add('e', [seq]);
    const noted = acknowledged.toRemember(new Set(['e']));
    expect(Object.keys(noted)).toEqual(['e']);
    expect(noted['e']?.length).toBeLessThanOrEqual(200);
    const again = new Acknowledged(noted);
    expect(again.among('e', [[1, 1_000]])).toEqual(noted['e']);
    expect(acknowledged.among('e', noted['e'] ?? [])).toEqual(noted['e']);
  });

  it('forget the oldest of too many ranges', () => {
    const done = new Acknowledged();
    for (let seq = 1; seq <= 21; seq += 2) done.addRanges('e', [[seq, seq]], 5);
    expect(done.ranges('e')).toEqual([13, 15, 17, 19, 21].map((seq) => [seq, seq]));
  });
});

function span(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
