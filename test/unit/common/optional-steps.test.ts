import { beforeEach, describe, expect, it } from 'vitest';
import { OptionalSteps } from '../../../src/mqtt/optional-steps.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../../support/recording.ts';

const COUNTS = { what: 'the subscription to $SYS/x', without: 'drops are not known' };
const ANNOUNCES = { what: 'the announcement', without: 'agents do not know' };

let clock: FakeClock;
let log: ReturnType<typeof recordingLog>;
let steps: OptionalSteps;
let taken: string[];

beforeEach(() => {
  clock = new FakeClock();
  log = recordingLog();
  steps = new OptionalSteps({ clock, log });
  taken = [];
});

type Ending = 'never' | { readonly at: typeof COUNTS } | { readonly afterMs: number };

/** One connection, which ends at a step (without an answer), some time after all steps, or not at all. */
async function connection(ending: Ending): Promise<void> {
  steps.opened();
  for (const step of [ANNOUNCES, COUNTS]) {
    try {
      await steps.take(step, () => {
        taken.push(step.what);
        const isEnd = ending !== 'never' && 'at' in ending && ending.at === step;
        return isEnd ? Promise.reject(new Error('closed')) : Promise.resolve();
      });
    } catch {
      steps.ended();
      return;
    }
  }
  if (ending === 'never') return;
  await clock.advance('afterMs' in ending ? ending.afterMs : 0);
  steps.ended();
}

// C3
describe('a broker that ends the connection on an optional step', () => {
  it('loses that step after two connections, and no other', async () => {
    await connection({ at: COUNTS });
    expect(steps.leftOut()).toEqual([]);
    await connection({ at: COUNTS });
    expect(steps.leftOut()).toEqual([expect.stringContaining('$SYS/x is left out')]);
    taken = [];
    await connection('never');
    expect(taken).toEqual(['the announcement']);
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'the broker ends the connection on the subscription to $SYS/x: it is left out for an hour. Without it drops are not known',
    ]);
  });

  it('may answer first and end the connection a moment later', async () => {
    await connection({ afterMs: 1_000 });
    await connection({ afterMs: 1_000 });
    expect(steps.leftOut()).toHaveLength(1);
  });

  it('may do so on two steps: both are found', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ at: ANNOUNCES });
    for (let times = 0; times < 2; times += 1) await connection({ at: COUNTS });
    expect(steps.leftOut()).toHaveLength(2);
    taken = [];
    await connection('never');
    expect(taken).toEqual([]);
  });

  it('gets the step again after an hour', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ at: COUNTS });
    await connection('never');
    await clock.advance(3_600_001);
    taken = [];
    await connection('never');
    expect(taken).toContain(COUNTS.what);
    expect(steps.leftOut()).toEqual([]);
  });
});

describe('a step is not blamed', () => {
  it('for one end that was chance', async () => {
    await connection({ at: COUNTS });
    await connection({ afterMs: 60_000 });
    await connection({ at: COUNTS });
    expect(steps.leftOut()).toEqual([]);
  });

  it('when the connection ends without it too: then it is used again', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ afterMs: 1_000 });
    expect(steps.leftOut()).toHaveLength(1);
    await connection({ afterMs: 1_000 });
    expect(steps.leftOut()).toEqual([]);
    for (let times = 0; times < 5; times += 1) await connection({ afterMs: 1_000 });
    taken = [];
    await connection('never');
    expect(taken).toContain(COUNTS.what);
  });
});
