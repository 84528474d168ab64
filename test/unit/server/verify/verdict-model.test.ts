import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf, type SeqRange } from '../../../../src/contract/seq-ranges.ts';
import type { DeviceNumbers, EpochNumbers } from '../../../../src/server/store/audit-store.ts';
import type { Device, StoredGap } from '../../../../src/server/store/stored.ts';
import { verdictOf } from '../../../../src/server/verify/verdict.ts';
import { cases } from '../../../support/cases.ts';

/**
 * A device's whole life as the model knows it, number by number, and only what of it reached the record. The verdict must find the
 * difference: nothing that was lost without a word is explained, and nothing that is explained is a hole.
 */

const STEP_MS = 30_000;
const START_MS = Date.UTC(2026, 0, 1);
const PAUSE_MS = 3_600_000;
/** Numbers of the first seconds of a record, about which nobody can be sure: contact takes ten seconds and two intervals. */
const UNSURE = 3;

type Fate = 'came' | 'rejected' | 'quarantined' | 'told' | 'silent';
const FATES: readonly Fate[] = ['came', 'came', 'rejected', 'quarantined', 'told', 'silent'];

const REACHES: ReadonlySet<string> = new Set(['came', 'rejected', 'quarantined']);

interface Life {
  readonly epochs: readonly (readonly { readonly fate: Fate; readonly length: number }[])[];
  /** Where in it the record began: nothing that was given before has come. */
  readonly began: number;
  readonly waiting: number;
  readonly saysOldest: boolean;
  readonly forged: readonly ('endless' | 'future' | 'impossible')[];
}

const lives: fc.Arbitrary<Life> = fc.record({
  epochs: fc.array(
    fc.array(fc.record({ fate: fc.constantFrom(...FATES), length: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 12,
    }),
    { minLength: 1, maxLength: 4 },
  ),
  began: fc.double({ min: 0, max: 1, noNaN: true }),
  waiting: fc.integer({ min: 0, max: 9 }),
  saysOldest: fc.boolean(),
  forged: fc.array(fc.constantFrom('endless', 'future', 'impossible'), { maxLength: 3 }),
});

interface Given {
  readonly epoch: number;
  readonly seq: number;
  readonly tsMs: number;
  readonly fate: Fate | 'waiting';
}

describe('the verdict about any life of a device', () => {
  it('calls a hole what was lost without a word, and nothing else', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const given = numberedOf(life);
        const at = Math.floor(life.began * (given.length - 1));
        const recordBeganMs = (given[at]?.tsMs ?? 0) - STEP_MS / 2;
        const reached = given.filter(({ tsMs }) => tsMs >= recordBeganMs);
        const numbers = recordOf(reached, life);
        const options = { strict: false, recordBeganMs };
        const verdict = verdictOf(deviceOf(life, given), numbers, options);
        for (const epoch of verdict.epochs) {
          const own = given.filter((one) => nameOf(one.epoch) === epoch.epoch);
          // The lowest numbers of an epoch that was under way when the record began.
          const firstCame = own.find((one) => reached.includes(one) && REACHES.has(one.fate))!;
          const isUnsure = ({ tsMs, seq }: Given): boolean =>
            own[0]!.tsMs < recordBeganMs && seq < firstCame.seq && tsMs < recordBeganMs + UNSURE * STEP_MS;
          const silent = own.filter((one) => one.fate === 'silent' && one.tsMs >= recordBeganMs);
          const before = own.filter(({ tsMs, fate }) => tsMs < recordBeganMs && fate !== 'waiting');
          const holes = numbersIn(epoch.holes.flatMap(({ missing }) => missing));
          const beforeRecord = numbersIn(epoch.beforeRecord);
          expect(holes.filter((seq) => !own.some((one) => one.seq === seq && isUnsure(one)))).toEqual(
            silent.filter((one) => !isUnsure(one)).map(({ seq }) => seq),
          );
          for (const { seq } of before) expect(beforeRecord).toContain(seq);
          for (const seq of beforeRecord) {
            const one = own[seq - 1]!;
            expect(before.includes(one) || isUnsure(one)).toBe(true);
          }
          expect(epoch.waiting).toBe(own.filter(({ fate }) => fate === 'waiting').length);
        }
        const doubted = verdict.epochs.flatMap(({ doubted }) => doubted);
        expect(doubted).toHaveLength(life.forged.length);
        const lost = given.filter((one) => one.fate === 'silent' && reached.includes(one));
        if (verdict.outcome === 'whole') expect(lost).toEqual([]);
      }),
      { seed: 20_261_130, numRuns: cases(300, 3000) },
    );
  });
});

/** Every number that was ever given, in order of time. The last epoch ends with what waits, and one live reading. */
function numberedOf({ epochs, waiting }: Life): readonly Given[] {
  const given: Given[] = [];
  let tsMs = START_MS;
  epochs.forEach((stretches, epoch) => {
    let seq = 0;
    const give = (fate: Given['fate'], count: number): void => {
      for (let index = 0; index < count; index += 1) {
        seq += 1;
        tsMs += STEP_MS;
        given.push({ epoch, seq, tsMs, fate });
      }
    };
    for (const { fate, length } of stretches) give(fate, length);
    if (epoch === epochs.length - 1) give('waiting', waiting);
    give('came', 1);
    tsMs += PAUSE_MS;
  });
  return given;
}

function recordOf(reached: readonly Given[], { epochs, forged }: Life): DeviceNumbers {
  const names = [...new Set(reached.map(({ epoch }) => epoch))];
  const found = names.map((index): EpochNumbers => {
    const own = reached.filter(({ epoch }) => epoch === index);
    const seqsOf = (...fates: Given['fate'][]): number[] =>
      own.filter(({ fate }) => fates.includes(fate)).map(({ seq }) => seq);
    const came = own.filter(({ fate }) => fate === 'came');
    const readings = rangesOf(seqsOf('came'));
    const timeOf = (seq: number): number => own.find((one) => one.seq === seq)!.tsMs;
    // Gap records stand in an epoch of their own: the numbers here stay those of the model.
    const told = rangesOf(seqsOf('told')).map(([from, to], at) => gapOf(index, at + 1, from, to, to - from + 1));
    return {
      epoch: nameOf(index),
      readings,
      readingTimes: readings.map(([from, to]) => [timeOf(from), timeOf(to)] as const),
      gapRecords: [],
      rejected: rangesOf(seqsOf('rejected')),
      quarantined: rangesOf(seqsOf('quarantined')),
      doubled: [],
      fromMs: came[0]?.tsMs ?? null,
      toMs: came.at(-1)?.tsMs ?? null,
      gaps: told,
      heardMs: own.find(({ fate }) => REACHES.has(fate))?.tsMs ?? null,
    };
  });
  const last = found.at(-1)!;
  const lies = forged.map((kind, at) => {
    const index = epochs.length - 1;
    if (kind === 'endless') return gapOf(index, 100 + at, 1, 2 ** 48 - 1, 5);
    if (kind === 'future') return gapOf(index, 100 + at, 2 ** 47, null, null);
    return gapOf(index, 100 + at, 2, 3, 77);
  });
  return { epochs: [...found.slice(0, -1), { ...last, gaps: [...last.gaps, ...lies] }], unnumbered: 0 };
}

function gapOf(index: number, seq: number, fromSeq: number, toSeq: number | null, count: number | null): StoredGap {
  const place = { deviceUid: 'd', epoch: 'teller', seq, tsMs: START_MS };
  return { ...place, ofEpoch: nameOf(index), fromSeq, toSeq, count, reason: 'dropped', fromTsMs: null, toTsMs: null };
}

function deviceOf({ epochs, waiting, saysOldest }: Life, given: readonly Given[]): Device {
  const oldest = given.find(({ fate }) => fate === 'waiting');
  const epoch = nameOf(epochs.length - 1);
  const statusMs = given.at(-1)!.tsMs;
  return {
    uid: 'd',
    homeUid: 'home-001',
    label: null,
    model: null,
    state: 'active',
    room: null,
    createdMs: START_MS,
    lastSeenMs: statusMs,
    heardMs: statusMs,
    presence: 'online',
    presenceMs: null,
    status: {
      state: 'online',
      interval_s: STEP_MS / 1000,
      journal: {
        epoch,
        state: 'ok',
        buffered: waiting,
        dropped: 0,
        ...(saysOldest && oldest !== undefined && { oldest: { epoch, seq: oldest.seq } }),
      },
    },
    statusMs,
    latest: null,
  };
}

function nameOf(index: number): string {
  return `epoch-${index}`;
}

function numbersIn(ranges: readonly SeqRange[]): readonly number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
}
