import { describe, expect, it } from 'vitest';
import { accountOf, type Evidence, type Numbered, type Told } from '../../support/chaos/account.ts';

const AGENT = 1;
/** Ten conversions, numbered from 1 in epoch `a`; the record has those that `kept` says. */
const evidence = (kept: readonly number[], changes: Partial<Evidence> = {}): Evidence => ({
  given: Array.from({ length: 10 }, (_, sample) => ({ sample, pid: AGENT, ns: sample })),
  record: kept.map(numbered),
  elsewhere: {},
  gaps: [],
  seen: [],
  killed: new Set(),
  ...changes,
});
const numbered = (sample: number): Numbered => ({ epoch: 'a', seq: sample + 1, sample });
const gap = (from: number, to?: number, ofEpoch = 'a'): Told => ({ ofEpoch, from, ...(to !== undefined && { to }) });
const ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const without = (...samples: readonly number[]): number[] => ALL.filter((sample) => !samples.includes(sample));

describe('the account of a chaos run', () => {
  it('is content with every conversion once', () => {
    expect(accountOf(evidence(ALL))).toMatchObject({
      found: { record: 10 },
      lost: [],
      holes: [],
      doubled: [],
      foreign: [],
    });
  });

  it('misses one that is nowhere, and its number', () => {
    expect(accountOf(evidence(without(4)))).toMatchObject({ lostSamples: [4], holes: ['a/5'] });
    expect(accountOf(evidence(without(9)))).toMatchObject({ lostSamples: [9], holes: [] });
    expect(accountOf(evidence(without(9), { seen: [{ epoch: 'a', seq: 10 }] })).holes).toEqual(['a/10']);
  });

  it('finds it in another place', () => {
    const account = accountOf(evidence(without(4), { elsewhere: { quarantine: [numbered(4)] } }));
    expect(account).toMatchObject({ found: { record: 9, quarantine: 1 }, lost: [], holes: [] });
  });

  it('believes a gap record for what it speaks of, and for no more', () => {
    expect(accountOf(evidence(without(4, 5), { gaps: [gap(5, 6)] }))).toMatchObject({ told: 2, lost: [], holes: [] });
    expect(accountOf(evidence(without(4, 5), { gaps: [gap(5, 5)] }))).toMatchObject({
      lostSamples: [4, 5],
      holes: ['a/6'],
    });
    expect(accountOf(evidence(without(8, 9), { gaps: [gap(9)] }))).toMatchObject({ told: 2, lost: [] });
    expect(accountOf(evidence(without(8, 9), { gaps: [gap(9, undefined, 'b')] })).lost).toEqual([]);
    expect(accountOf(evidence(without(4), { gaps: [gap(1, undefined, 'b')] })).lostSamples).toEqual([4]);
  });

  it('allows one under way for each agent that was killed, the last one that it got', () => {
    expect(accountOf(evidence(without(9), { killed: new Set([AGENT]) }))).toMatchObject({ underWay: 1, lost: [] });
    expect(accountOf(evidence(without(8, 9), { killed: new Set([AGENT]) })).lostSamples).toEqual([8, 9]);
    expect(accountOf(evidence(without(4), { killed: new Set([AGENT]) })).lostSamples).toEqual([4]);
  });

  it('sees what is in the record twice, and what was never measured', () => {
    const record = [...ALL.map(numbered), { epoch: 'b', seq: 1, sample: 3 }, { epoch: 'b', seq: 2, sample: 77 }];
    expect(accountOf(evidence([], { record }))).toMatchObject({
      doubled: ['conversion 3'],
      foreign: ['b/2 (conversion 77)'],
    });
  });
});
