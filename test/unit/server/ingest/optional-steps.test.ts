import { beforeEach, describe, expect, it } from 'vitest';
import { LinkError } from '../../../../src/mqtt/errors.ts';
import {
  createIngestSteps,
  type IngestStep,
  type IngestSteps,
  leftOutInWords,
} from '../../../../src/server/ingest/session.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordingLog } from '../../../support/recording.ts';

interface Step {
  readonly name: IngestStep;
  readonly what: string;
}

const COUNTS: Step = { name: 'drops', what: 'the subscription to $SYS/x' };
const ANNOUNCES: Step = { name: 'announcement', what: 'the announcement' };
const CLOSED = new LinkError('LINK_OFFLINE', 'the broker closed the connection');

let clock: FakeClock;
let log: ReturnType<typeof recordingLog>;
let steps: IngestSteps;
let taken: string[];

beforeEach(() => {
  clock = new FakeClock();
  log = recordingLog();
  steps = createIngestSteps(clock, log);
  taken = [];
});

type Ending = 'never' | { readonly at: Step } | { readonly afterMs: number };

/** One connection, which ends at a step (without an answer), some time after all steps, or not at all. */
async function connection(ending: Ending): Promise<void> {
  steps.begin(new AbortController().signal);
  for (const step of [ANNOUNCES, COUNTS]) {
    try {
      await steps.take(step.name, step.what, () => {
        taken.push(step.what);
        const isEnd = ending !== 'never' && 'at' in ending && ending.at === step;
        return isEnd ? Promise.reject(CLOSED) : Promise.resolve();
      });
    } catch {
      steps.ended(CLOSED);
      return;
    }
  }
  if (ending === 'never') return;
  await clock.advance('afterMs' in ending ? ending.afterMs : 0);
  steps.ended(CLOSED);
}

// C3
describe('a broker that ends the connection on an optional step', () => {
  it('loses that step after two connections, and no other', async () => {
    await connection({ at: COUNTS });
    expect(leftOutInWords(steps)).toEqual([]);
    await connection({ at: COUNTS });
    expect(leftOutInWords(steps)).toEqual([expect.stringContaining('$SYS/x is left out')]);
    taken = [];
    await connection('never');
    expect(taken).toEqual(['the announcement']);
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'the broker ends the connection on the subscription to $SYS/x: it is left out for an hour. Without it it is not known when the broker drops messages',
    ]);
  });

  it('may answer first and end the connection a moment later', async () => {
    await connection({ afterMs: 1_000 });
    await connection({ afterMs: 1_000 });
    expect(leftOutInWords(steps)).toHaveLength(1);
  });

  it('may do so on two steps: both are found', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ at: ANNOUNCES });
    for (let times = 0; times < 2; times += 1) await connection({ at: COUNTS });
    expect(leftOutInWords(steps)).toHaveLength(2);
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
    expect(leftOutInWords(steps)).toEqual([]);
  });

  it('loses the step for longer each time it ends the connection again', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ at: COUNTS });
    await clock.advance(3_600_001);
    await connection({ at: COUNTS });
    expect(steps.nextDueMs()).toBe(7_200_000);
    expect(log.lines.at(-1)?.message).toContain('left out for 2 hours');
  });
});

describe('a step is not blamed', () => {
  it('when the broker says another reason: it is shutting down', async () => {
    const down = new LinkError('LINK_OFFLINE', 'shutting down', { reasonCode: 0x8b });
    for (let times = 0; times < 3; times += 1) {
      steps.begin(new AbortController().signal);
      await steps.take(COUNTS.name, COUNTS.what, () => Promise.resolve());
      steps.ended(down);
    }
    expect(steps.leftOut()).toEqual([]);
  });

  it('for one end that was chance', async () => {
    await connection({ at: COUNTS });
    await connection({ afterMs: 60_000 });
    await connection({ at: COUNTS });
    expect(leftOutInWords(steps)).toEqual([]);
  });

  it('when the connection ends without it too: then it is used again', async () => {
    for (let times = 0; times < 2; times += 1) await connection({ afterMs: 1_000 });
    expect(leftOutInWords(steps)).toHaveLength(1);
    await connection({ afterMs: 1_000 });
    expect(leftOutInWords(steps)).toEqual([]);
    for (let times = 0; times < 5; times += 1) await connection({ afterMs: 1_000 });
    taken = [];
    await connection('never');
    expect(taken).toContain(COUNTS.what);
  });
});
