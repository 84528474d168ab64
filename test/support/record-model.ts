import fc from 'fast-check';
import type { Gap, GapRecord, Reading } from '../../src/contract/reading.ts';
import { rangesOf, type SeqRange } from '../../src/contract/seq-ranges.ts';

/** What became of a stretch of numbers of one epoch. */
type Fate = 'came' | 'rejected' | 'dropped' | 'damaged' | 'thinned' | 'thinned-twice' | 'silent';

/** A record as an agent and the weather made it: what reaches the server, and what is true about the rest. */
export interface RecordModel {
  readonly epoch: string;
  readonly items: readonly (Reading | GapRecord)[];
  /** Came, and cannot be stored as readings. */
  readonly rejected: readonly number[];
  /** The device says that so many wait on it. */
  readonly buffered: number;
  /** Lost, and nobody said a word. */
  readonly silent: readonly SeqRange[];
  /** Lost without a word inside a stretch that was thinned: how many of each stretch. */
  readonly silentInThinned: readonly { readonly stretch: SeqRange; readonly count: number }[];
  /** Numbers that gap records account for. */
  readonly told: number;
  /** Lowest number that came. */
  readonly firstCame: number;
}

export const MODEL_START_MS = Date.UTC(2026, 0, 1);
export const MODEL_STEP_MS = 30_000;

const fates: readonly Fate[] = ['came', 'rejected', 'dropped', 'damaged', 'thinned', 'thinned-twice', 'silent'];

/** Records of up to some hundred numbers, with every kind of loss in any order. */
export function recordModels(epoch: string): fc.Arbitrary<RecordModel> {
  const stretch = fc.record({
    fate: fc.constantFrom(...fates),
    length: fc.integer({ min: 1, max: 12 }),
    alsoLost: fc.integer({ min: 0, max: 3 }),
  });
  return fc
    .record({
      stretches: fc.array(stretch, { maxLength: 16 }),
      waiting: fc.integer({ min: 0, max: 9 }),
      live: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ stretches, waiting, live }) => build(epoch, stretches, waiting, live));
}

export function modelTsMs(seq: number): number {
  return MODEL_START_MS + seq * MODEL_STEP_MS;
}

function build(
  epoch: string,
  stretches: readonly { readonly fate: Fate; readonly length: number; readonly alsoLost: number }[],
  waiting: number,
  live: number,
): RecordModel {
  const came: number[] = [];
  const rejected: number[] = [];
  const silent: number[] = [];
  const silentInThinned: { stretch: SeqRange; count: number }[] = [];
  const gaps: Gap[] = [];
  let told = 0;
  let next = 1;
  for (const { fate, length, alsoLost } of stretches) {
    const numbers = Array.from({ length }, (_, index) => next + index);
    const [from, to] = [next, next + length - 1];
    next += length;
    const tell = (reason: Gap['reason'], count: number, isCounted = true): void => {
      gaps.push({ ofEpoch: epoch, from, to, reason, ...(isCounted && { count }) });
      told += count;
    };
    if (fate === 'came') came.push(...numbers);
    else if (fate === 'rejected') rejected.push(...numbers);
    else if (fate === 'silent') silent.push(...numbers);
    else if (fate === 'dropped') tell('dropped', length);
    else if (fate === 'damaged') tell('damaged', length, length % 2 === 0);
    else {
      const kept = numbers.filter((_, index) => index % 2 === 0);
      const gone = length - kept.length;
      const lost = gone === 0 ? 0 : Math.min(alsoLost, kept.length);
      came.push(...kept.slice(lost));
      if (lost > 0) silentInThinned.push({ stretch: [from, to], count: lost });
      const first = fate === 'thinned-twice' ? Math.floor(gone / 2) : 0;
      if (first > 0) tell('thinned', first);
      if (gone > 0) tell('thinned', gone - first);
    }
  }
  next += waiting;
  came.push(...Array.from({ length: live }, (_, index) => next + index));
  next += live;
  const readings = came.map(
    (seq): Reading => ({ temperatureCelsius: 21, humidityPercent: 50, tsMs: modelTsMs(seq), epoch, seq }),
  );
  const records = gaps.map(
    (gap, index): GapRecord => ({ gap, epoch, seq: next + index, tsMs: modelTsMs(next + index) }),
  );
  return {
    epoch,
    items: [...readings, ...records],
    rejected,
    buffered: waiting,
    silent: rangesOf(silent),
    silentInThinned,
    told,
    firstCame: Math.min(...came, ...rejected),
  };
}
