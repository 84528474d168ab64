import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countOfRanges, rangesInclude, rangesOf, subtractRanges } from '../../../src/contract/seq-ranges.ts';
import { InFlight } from '../../../src/device/publisher/in-flight.ts';

const SEED = 20_261_121;

describe('what is in transit', () => {
  it('is missed when its receipt is overdue, from the PUBACK on', () => {
    const transit = new InFlight();
    const outgoing = { epoch: 'e', urgency: 'backlog', seqs: [1, 2, 3], bytes: 9 } as const;
    transit.add(outgoing);
    expect(transit.nextDueMs()).toBe(Infinity);
    transit.awaitReceipt(outgoing, 500);
    expect(transit.nextDueMs()).toBe(500);
    transit.forgetAwaited();
    expect(transit.entries).toBe(0);
  });

  it('is confirmed by the numbers of its own epoch only, and in parts', () => {
    const transit = new InFlight();
    transit.add({ epoch: 'e', urgency: 'backlog', seqs: [1, 2, 3, 5], bytes: 9 });
    expect(transit.confirm('other', [[1, 5]])).toEqual([]);
    expect(transit.confirm('e', [[6, 9]])).toEqual([]);
    expect(transit.confirm('e', [[2, 2]])).toMatchObject([{ order: 1 }]);
    expect([1, 2, 3, 4, 5].map((seq) => transit.has('e', seq))).toEqual([true, false, true, false, true]);
    expect(transit.entries).toBe(3);
    expect(transit.messages.backlog).toBe(1);
    expect(transit.confirm('e', [[1, 100]])).toHaveLength(1);
    expect(transit.messages.backlog).toBe(0);
  });

  it('does not wait for a receipt that was faster than the PUBACK', () => {
    const transit = new InFlight();
    const outgoing = { epoch: 'e', urgency: 'live', seqs: [7], bytes: 9 } as const;
    transit.add(outgoing);
    transit.confirm('e', [[7, 7]]);
    transit.awaitReceipt(outgoing, 500);
    expect(transit.nextDueMs()).toBe(Infinity);
    expect(transit.messages.live).toBe(0);
  });

  // A5
  it('keeps a receipt that was faster than the PUBACK until that comes, for numbers that are on their way alone', () => {
    const transit = new InFlight();
    const outgoing = { epoch: 'e', urgency: 'live', seqs: [7, 8], bytes: 9 } as const;
    transit.add(outgoing);
    expect(transit.confirmEarly('e', [[1, 7]])).toEqual([[7, 7]]);
    expect(transit.confirmEarly('other', [[1, 9]])).toEqual([]);
    expect(transit.earlyOf(outgoing)).toEqual([[7, 7]]);
    expect(transit.has('e', 7)).toBe(true);
  });

  it('keeps what the broker has not acknowledged when receipts are given up', () => {
    const transit = new InFlight();
    const acknowledged = { epoch: 'e', urgency: 'live', seqs: [1], bytes: 9 } as const;
    transit.add(acknowledged);
    transit.add({ epoch: 'e', urgency: 'live', seqs: [2], bytes: 9 });
    transit.awaitReceipt(acknowledged, 500);
    transit.forgetAwaited();
    expect([1, 2].map((seq) => transit.has('e', seq))).toEqual([false, true]);
  });
});

describe('taking ranges out of ranges', () => {
  it('leaves exactly the numbers that were not taken', () => {
    const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 40 });
    fc.assert(
      fc.property(seqs, seqs, (all, taken) => {
        const left = subtractRanges(rangesOf(all), rangesOf(taken));
        const expected = all.filter((seq) => !taken.includes(seq));
        expect(countOfRanges(left)).toBe(expected.length);
        for (const seq of expected) expect(rangesInclude(left, seq)).toBe(true);
        expect(left).toEqual(rangesOf(expected));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
