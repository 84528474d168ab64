import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf, type SeqRange } from '../../../../src/contract/seq-ranges.ts';
import type { DeviceStatus } from '../../../../src/contract/status.ts';
import type { DeviceNumbers, EpochNumbers } from '../../../../src/server/store/audit-store.ts';
import type { Device, StoredGap } from '../../../../src/server/store/stored.ts';
import type { DeviceVerdict } from '../../../../src/server/verify/explain.ts';
import { verdictOf } from '../../../../src/server/verify/verdict.ts';
import { cases } from '../../../support/cases.ts';
import { MODEL_START_MS, modelTsMs, type RecordModel, recordModels } from '../../../support/record-model.ts';
import { storedDevice } from '../../../support/stored-device.ts';

const LATER_MS = MODEL_START_MS + 3_600_000;

function device(status: Partial<DeviceStatus> | null = null, changes: Partial<Device> = {}): Device {
  return storedDevice({
    createdMs: MODEL_START_MS,
    status: status === null ? null : { state: 'online', ...status },
    statusMs: status === null ? null : LATER_MS,
    ...changes,
  });
}

function epoch(changes: Partial<EpochNumbers>): EpochNumbers {
  return {
    epoch: 'k3v9x2',
    readings: [],
    gapRecords: [],
    rejected: [],
    quarantined: [],
    doubled: [],
    fromMs: MODEL_START_MS,
    toMs: LATER_MS,
    gaps: [],
    ...changes,
  };
}

function gap(changes: Partial<StoredGap>): StoredGap {
  return {
    deviceUid: 'aht20-0a1b2c',
    ofEpoch: 'k3v9x2',
    fromSeq: 1,
    toSeq: 1,
    count: null,
    reason: 'dropped',
    fromTsMs: null,
    toTsMs: null,
    epoch: 'k3v9x2',
    seq: 1,
    tsMs: LATER_MS,
    ...changes,
  };
}

function judge(
  numbers: Partial<EpochNumbers>,
  status: Partial<DeviceStatus> | null = null,
  strict = false,
): DeviceVerdict {
  return verdictOf(device(status), { epochs: [epoch(numbers)], unnumbered: 0 }, { strict });
}

const waits = (buffered: number, dropped = 0): Partial<DeviceStatus> => ({
  journal: { epoch: 'k3v9x2', state: 'ok', buffered, dropped },
});
const holesOf = ({ epochs }: DeviceVerdict): readonly SeqRange[] =>
  epochs.flatMap(({ holes }) => holes.flatMap(({ missing }) => missing));

describe('the verdict about a record', () => {
  it('is content when every number came', () => {
    const verdict = judge({ readings: [[1, 1042]] });
    expect(verdict.isWhole).toBe(true);
    expect(verdict.epochs[0]).toMatchObject({ last: 1042, readings: 1042, missing: 0, holes: [] });
  });

  it('counts gap records and rejected items as numbers that came', () => {
    const verdict = judge({
      readings: [
        [1, 5],
        [8, 9],
      ],
      gapRecords: [[10, 10]],
      rejected: [[6, 7]],
    });
    expect(verdict.isWhole).toBe(true);
    expect(verdict.epochs[0]).toMatchObject({ readings: 7, gapRecords: 1, rejected: [[6, 7]], missing: 0 });
  });

  it('names what is missing without a word', () => {
    const readings: SeqRange[] = [
      [1, 10],
      [12, 20],
      [31, 40],
    ];
    const verdict = judge({ readings });
    expect(verdict.isWhole).toBe(false);
    expect(verdict.epochs[0]?.holes).toEqual([
      { missing: [[11, 11]], count: 1 },
      { missing: [[21, 30]], count: 10 },
    ]);
  });

  it('misses what lies before a gap record without an end, above the highest number that came', () => {
    const verdict = judge({
      readings: [[1, 100]],
      gaps: [gap({ fromSeq: 106, toSeq: null, epoch: 'next', reason: 'damaged' })],
    });
    expect(verdict).toMatchObject({
      outcome: 'faulty',
      epochs: [{ last: 105, holes: [{ missing: [[101, 105]], count: 5 }] }],
    });
  });

  it('does not know the end of an epoch that an older state of the record ended with, until more of it comes', () => {
    const takeover = { lastSeq: 100, takenMs: LATER_MS };
    const open = judge({ readings: [[1, 100]], takeover });
    expect(open).toMatchObject({ isWhole: true, outcome: 'unknown' });
    expect(open.epochs[0]?.unknownEnd).toEqual({ fromMs: LATER_MS, takenMs: LATER_MS });
    expect(judge({ readings: [[1, 101]], takeover })).toMatchObject({
      outcome: 'whole',
      epochs: [{ unknownEnd: null }],
    });
    const holed = judge({
      readings: [
        [1, 100],
        [105, 105],
      ],
      takeover,
    });
    expect(holed).toMatchObject({
      outcome: 'faulty',
      epochs: [{ unknownEnd: null, holes: [{ missing: [[101, 104]] }] }],
    });
  });

  it('knows the end of such an epoch from a gap record of the device', () => {
    const takeover = { lastSeq: 100, takenMs: LATER_MS };
    const lost = gap({ fromSeq: 101, toSeq: null, epoch: 'next', reason: 'damaged' });
    expect(judge({ readings: [[1, 100]], gaps: [lost], takeover })).toMatchObject({ outcome: 'whole' });
  });

  it('takes the word of a gap record whose end is not known for everything behind its beginning, and no more', () => {
    const readings: SeqRange[] = [
      [1, 10],
      [12, 20],
      [90, 95],
    ];
    const verdict = judge({ readings, gaps: [gap({ fromSeq: 21, toSeq: null, reason: 'damaged' })] });
    expect(holesOf(verdict)).toEqual([[11, 11]]);
    expect(verdict.epochs[0]?.explained).toEqual({ damaged: 69 });
  });

  it('believes a thinned stretch as many numbers as its record counts', () => {
    const readings: SeqRange[] = [
      [1, 1],
      [3, 3],
      [5, 5],
      [7, 9],
    ];
    const thinned = gap({ fromSeq: 1, toSeq: 8, count: 3, reason: 'thinned' });
    expect(judge({ readings, gaps: [thinned] }).isWhole).toBe(true);
    const short = judge({ readings, gaps: [{ ...thinned, count: 2 }] });
    expect(short.isWhole).toBe(false);
    expect(short.epochs[0]?.holes).toEqual([
      {
        missing: [
          [2, 2],
          [4, 4],
          [6, 6],
        ],
        count: 1,
      },
    ]);
  });

  it('gives each of two overlapping records what only it can account for', () => {
    const gaps = [
      gap({ fromSeq: 2, toSeq: 9, count: 2, reason: 'thinned' }),
      gap({ fromSeq: 2, toSeq: 5, count: 2, reason: 'thinned' }),
    ];
    const readings: SeqRange[] = [
      [1, 1],
      [4, 5],
      [8, 10],
    ];
    expect(judge({ readings, gaps }).isWhole).toBe(true);
  });

  it('counts what a gap record tells beyond the last number that came', () => {
    const verdict = judge({
      readings: [[1, 5]],
      gaps: [gap({ fromSeq: 6, toSeq: 9, count: 4, reason: 'lost-in-memory' })],
    });
    expect(verdict.isWhole).toBe(true);
    expect(verdict.epochs[0]).toMatchObject({ last: 9, missing: 4, explained: { 'lost-in-memory': 4 } });
  });

  it('does not hold against a device what it gave before this server knew it, unless it is asked to', () => {
    const verdict = judge({ readings: [[500, 600]] });
    expect(verdict.isWhole).toBe(true);
    expect(verdict.epochs[0]?.beforeRecord).toEqual([[1, 499]]);
    expect(holesOf(judge({ readings: [[500, 600]] }, null, true))).toEqual([[1, 499]]);
  });

  it('holds it against an epoch that began when the device had long been known', () => {
    const later = LATER_MS + 86_400_000;
    const numbers: DeviceNumbers = {
      epochs: [
        epoch({ epoch: 'first', readings: [[500, 600]] }),
        epoch({ epoch: 'second', readings: [[3, 9]], fromMs: later }),
      ],
      unnumbered: 0,
    };
    expect(holesOf(verdictOf(device(), numbers, { strict: false }))).toEqual([[1, 2]]);
  });

  it('waits for what the device says that it still holds: the newest of what is missing', () => {
    const readings: SeqRange[] = [
      [1, 10],
      [13, 50],
      [71, 80],
    ];
    const verdict = judge({ readings }, waits(20));
    expect(verdict.epochs[0]?.waiting).toBe(20);
    expect(holesOf(verdict)).toEqual([[11, 12]]);
    expect(holesOf(judge({ readings }, waits(0)))).toEqual([
      [11, 12],
      [51, 70],
    ]);
  });

  it('waits for gap records that are still under way', () => {
    const readings: SeqRange[] = [
      [1, 10],
      [71, 80],
    ];
    expect(judge({ readings }, waits(20, 40)).isWhole).toBe(true);
    expect(judge({ readings }, waits(0, 40)).isWhole).toBe(false);
  });

  it('calls doubled numbers a fault', () => {
    expect(judge({ readings: [[1, 10]], doubled: [[4, 4]] }).isWhole).toBe(false);
  });

  it('says that readings without numbers are beyond proof', () => {
    const verdict = verdictOf(device(), { epochs: [], unnumbered: 52 }, { strict: false });
    expect(verdict).toMatchObject({ unnumbered: 52, isWhole: true, outcome: 'unknown', epochs: [] });
  });

  describe('B1: a lost beginning', () => {
    const DAY_MS = 86_400_000;
    const every30s = { interval_s: 30 };
    /** The record began long ago, with other devices. */
    const old = { strict: false, recordBeganMs: MODEL_START_MS - 30 * DAY_MS };
    const lateBy = (seq: number): Partial<EpochNumbers> => ({
      readings: [[seq, seq + 100]],
      fromMs: modelTsMs(seq),
      toMs: modelTsMs(seq + 100),
    });
    const verdictFor = (numbers: Partial<EpochNumbers>, options: object, changes: Partial<Device> = {}) =>
      verdictOf(device(every30s, changes), { epochs: [epoch(numbers)], unnumbered: 0 }, { ...old, ...options });

    it('is a hole where the epoch began after the record, also of a device that is new to it', () => {
      const verdict = verdictFor(lateBy(471), {}, { createdMs: modelTsMs(471) });
      expect(holesOf(verdict)).toEqual([[1, 470]]);
      expect(verdict).toMatchObject({ isWhole: false, outcome: 'faulty' });
    });

    it('is from before this record where that began later, and the verdict is not that all is there', () => {
      const verdict = verdictFor(lateBy(471), { recordBeganMs: modelTsMs(470) + 1 });
      expect(holesOf(verdict)).toEqual([]);
      expect(verdict).toMatchObject({ isWhole: true, outcome: 'unknown', epochs: [{ beforeRecord: [[1, 470]] }] });
    });

    it('is divided where the record began in the middle of it', () => {
      const verdict = verdictFor(lateBy(471), { recordBeganMs: modelTsMs(200) });
      expect(verdict.epochs[0]?.beforeRecord).toEqual([[1, 202]]);
      expect(holesOf(verdict)).toEqual([[203, 470]]);
    });

    it('is not explained by the wrong time of a clock that was never synchronised', () => {
      const ancient = { ...lateBy(471), fromMs: 0, toMs: 3000, readingTimes: [[0, 3000]] as const };
      const unsynced = { ...ancient, isLowestUnsynced: true, heardMs: modelTsMs(471) };
      expect(holesOf(verdictFor(unsynced, {}))).toEqual([[1, 470]]);
      // Heard of a week after the device, and claims to be older than that.
      const stepped = { ...ancient, heardMs: modelTsMs(471) + 7 * DAY_MS };
      expect(holesOf(verdictFor(stepped, {}, { createdMs: MODEL_START_MS }))).toEqual([[1, 470]]);
    });

    it('is a hole where nobody knows when the record began', () => {
      expect(holesOf(verdictFor(lateBy(3), { recordBeganMs: null }))).toEqual([[1, 2]]);
    });
  });

  describe('B2: what may still lie on the device', () => {
    const readings: SeqRange[] = [
      [1, 3],
      [7, 9],
    ];
    const numbers = { epochs: [epoch({ readings })], unnumbered: 0 };
    const HOUR_MS = 3_600_000;
    const judged = (status: Partial<DeviceStatus>, changes: Partial<Device> = {}) =>
      verdictOf(device(status, changes), numbers, { strict: false });
    const holding = (oldest: object | undefined, buffered = 3): Partial<DeviceStatus> => ({
      journal: { epoch: 'k3v9x2', state: 'ok', buffered, dropped: 0, ...(oldest && { oldest }) } as never,
    });

    it('is lost when the device says that nothing waits', () => {
      expect(judged(waits(0))).toMatchObject({ outcome: 'faulty' });
      expect(judged(waits(0, 1000))).toMatchObject({ outcome: 'faulty' });
    });

    it('is lost when it lies below the oldest that waits', () => {
      expect(judged(holding({ epoch: 'k3v9x2', seq: 10 }))).toMatchObject({ outcome: 'faulty' });
      const some = judged(holding({ epoch: 'k3v9x2', seq: 6 }));
      expect(some).toMatchObject({ outcome: 'faulty', epochs: [{ waiting: 1, holes: [{ missing: [[4, 5]] }] }] });
      expect(judged(holding({ epoch: 'k3v9x2', seq: 4 }))).toMatchObject({
        outcome: 'unknown',
        epochs: [{ waiting: 3 }],
      });
    });

    it('is lost when the word is old and the device has been heard since', () => {
      expect(judged(waits(3), { lastSeenMs: LATER_MS + HOUR_MS })).toMatchObject({ outcome: 'unknown' });
      expect(judged(waits(3), { lastSeenMs: LATER_MS + HOUR_MS + 1 })).toMatchObject({ outcome: 'faulty' });
    });
  });

  describe('B3: a gap record that cannot be true', () => {
    const readings: SeqRange[] = [
      [1, 10],
      [12, 20],
    ];
    const MAX = 2 ** 48 - 1;
    it.each([
      [
        'far beyond what was heard of, counting few',
        { fromSeq: 1, toSeq: MAX, count: 5, epoch: 'other' },
        'never-heard-of',
      ],
      ['far beyond what was heard of, as a whole', { fromSeq: 1, toSeq: MAX, epoch: 'other' }, 'never-heard-of'],
      ['that begins far beyond', { fromSeq: MAX, toSeq: null, epoch: 'other' }, 'never-heard-of'],
      ['thinned far beyond', { fromSeq: 1, toSeq: 1_000_000, count: 5, epoch: 'other' }, 'never-heard-of'],
      ['of numbers that were given after it', { fromSeq: 1, toSeq: 21, count: 5, seq: 21 }, 'not-given-yet'],
      [
        'with a count that its stretch does not hold',
        { fromSeq: 11, toSeq: 11, count: 500, epoch: 'other' },
        'counts-too-many',
      ],
      [
        'that a person dismissed',
        { fromSeq: 11, toSeq: 11, count: 1, epoch: 'other', dismissal: { reason: 'forged', atMs: 1 } },
        'dismissed',
      ],
    ] as const)('explains nothing and makes no hole: %s', (_, changes, doubt) => {
      const verdict = judge({
        readings,
        gapRecords: [[21, 21]],
        gaps: [gap({ seq: 21, reason: 'thinned', ...changes })],
      });
      expect(holesOf(verdict)).toEqual([[11, 11]]);
      expect(verdict.epochs[0]).toMatchObject({ last: 21, missing: 1, explained: {}, doubted: [{ doubt }] });
    });

    it('speaks of nothing that was given after it, where it names no end', () => {
      const open = gap({ fromSeq: 1, toSeq: null, seq: 12, reason: 'damaged' });
      const verdict = judge({
        readings: [
          [1, 10],
          [14, 20],
        ],
        gapRecords: [[12, 12]],
        gaps: [open],
      });
      expect(holesOf(verdict)).toEqual([[13, 13]]);
    });

    it('is no reason for holes either where it is a reading with a number far above the others', () => {
      const verdict = judge({
        readings: [
          [1, 20],
          [MAX, MAX],
        ],
      });
      expect(verdict).toMatchObject({ outcome: 'unknown', epochs: [{ last: 20, missing: 0, leaps: [[MAX, MAX]] }] });
    });
  });

  it('counts numbers in quarantine as numbers that came', () => {
    expect(judge({ readings: [[1, 5]], quarantined: [[6, 9]] })).toMatchObject({ outcome: 'whole' });
  });

  it('stays quick where thinning left a range for every reading', () => {
    // Quadratic work on half a million ranges would not end within the test's time.
    const odd = Array.from({ length: 500_000 }, (_, index): SeqRange => [2 * index + 1, 2 * index + 1]);
    const gaps = Array.from({ length: 500 }, (_, index) =>
      gap({ fromSeq: index * 2000 + 1, toSeq: (index + 1) * 2000, count: 1000, reason: 'thinned' }),
    );
    expect(judge({ readings: odd, gaps }).isWhole).toBe(true);
  });

  it('names exactly the numbers of which nobody said a word, whatever else happened', () => {
    fc.assert(
      fc.property(recordModels('k3v9x2'), fc.boolean(), (model, strict) => {
        // The record began when the first number that came was given.
        const options = { strict, recordBeganMs: modelTsMs(model.firstCame) };
        const verdict = verdictOf(device({ ...waits(model.buffered), interval_s: 30 }), numbersOf(model), options);
        expectVerdict(verdict, model, strict);
      }),
      { seed: 20_261_121, numRuns: cases(200, 2000) },
    );
  });
});

/** What the store would say, taken from the model by hand. */
function numbersOf({ items, rejected }: RecordModel): DeviceNumbers {
  const readings = items.flatMap((item) => ('gap' in item || item.seq === undefined ? [] : [item.seq]));
  const records = items.flatMap((item) => ('gap' in item ? [item] : []));
  const gaps = records.map(({ gap: { ofEpoch, from, to = null, count = null, reason }, seq }) =>
    gap({ ofEpoch, fromSeq: from, toSeq: to, count, reason, seq }),
  );
  const times = readings.map(modelTsMs);
  return {
    epochs: [
      epoch({
        readings: rangesOf(readings),
        gapRecords: rangesOf(records.map(({ seq }) => seq)),
        rejected: rangesOf(rejected),
        gaps,
        fromMs: Math.min(...times),
        toMs: Math.max(...times),
      }),
    ],
    unnumbered: 0,
  };
}

function expectVerdict(verdict: DeviceVerdict, model: RecordModel, strict: boolean): void {
  const isBefore = ([from]: SeqRange): boolean => !strict && from < model.firstCame;
  const { holes, beforeRecord, waiting, explained } = verdict.epochs[0]!;
  const exact = holes.filter(({ missing }) => !model.silentInThinned.some(({ stretch }) => lies(missing, stretch)));
  expect(rangesOf(exact.flatMap(({ missing }) => numbersIn(missing)))).toEqual(
    model.silent.filter((range) => !isBefore(range)),
  );
  expect(beforeRecord).toEqual(model.silent.filter(isBefore));
  expect(holes.filter((hole) => !exact.includes(hole)).map(({ count }) => count)).toEqual(
    model.silentInThinned.map(({ count }) => count),
  );
  expect(waiting).toBe(model.buffered);
  expect(Object.values(explained).reduce((sum, count) => sum + count, 0)).toBe(model.told);
}

const lies = (missing: readonly SeqRange[], [from, to]: SeqRange): boolean =>
  missing.every(([first, last]) => first >= from && last <= to);
const numbersIn = (ranges: readonly SeqRange[]): readonly number[] =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
