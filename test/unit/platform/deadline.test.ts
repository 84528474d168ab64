import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { DeadlineError, withDeadline } from '../../../src/platform/tasks.ts';
import { cases } from '../../support/cases.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const never = new Promise<never>(() => undefined);
const ITERATIONS = cases(1_000, 10_000);

test('passes on the result and the failure of work that is in time', async () => {
  const clock = new FakeClock();
  const limits = { clock, limitMs: 100, what: 'reading' };
  await expect(withDeadline(Promise.resolve(7), limits)).resolves.toBe(7);
  await expect(withDeadline(Promise.reject(new Error('NACK')), limits)).rejects.toThrow('NACK');
});

test('work that never ends is given up when its time is over, not before', async () => {
  const clock = new FakeClock();
  let outcome: unknown = 'waiting';
  const waiting = withDeadline(never, { clock, limitMs: 100, what: 'closing the connection' }).catch(
    (error: unknown) => {
      outcome = error;
    },
  );
  await clock.advance(99);
  expect(outcome).toBe('waiting');
  await clock.advance(1);
  await waiting;
  expect(outcome).toBeInstanceOf(DeadlineError);
  expect(outcome).toMatchObject({
    code: 'DEADLINE',
    limitMs: 100,
    message: 'closing the connection took longer than 100 ms',
  });
});

test("an abort ends the waiting with the signal's own reason, also when it came first", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const reason = new Error('stopped');
  const waiting = withDeadline(never, { clock, limitMs: 100, what: 'x', signal: stop.signal });
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(withDeadline(never, { clock, limitMs: 100, what: 'x', signal: stop.signal })).rejects.toBe(reason);
  expect(clock.sleepers()).toBe(0);
});

test.each([
  ['a fake clock', new FakeClock()],
  ["the machine's clock", createSystemClock()],
])(`${ITERATIONS} waits by %s leave no listener and no timer behind`, async (_title, clock) => {
  const { signal } = new AbortController();
  const timers = runningTimers();
  for (let i = 0; i < ITERATIONS; i += 1) {
    const work = i % 2 === 0 ? Promise.resolve(i) : Promise.reject(new Error('x'));
    await withDeadline(work, { clock, limitMs: 1e9, what: 'x', signal }).catch(() => undefined);
  }
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(runningTimers()).toBe(timers);
  if (clock instanceof FakeClock) expect(clock.sleepers()).toBe(0);
});

function runningTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('a failure after the deadline is nobody’s: no unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const remember = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', remember);
  try {
    const clock = new FakeClock();
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    const waiting = withDeadline(work, { clock, limitMs: 1, what: 'x' }).catch(() => undefined);
    await clock.advance(1);
    await waiting;
    fail(new Error('late'));
    await clock.advance(1);
  } finally {
    process.off('unhandledRejection', remember);
  }
  expect(unhandled).toEqual([]);
});

test('an answer that came in time counts, although the process was kept from running until after the limit', async () => {
  // The stall: the timer fires long after it was due, before anything else of the process.
  let sleeps = 0;
  let answer: (value: string) => void = () => undefined;
  const work = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const sleep = async (): Promise<void> => {
    sleeps += 1;
    // The socket is read once timers have had their turn.
    if (sleeps === 2) answer('in time');
    await Promise.resolve();
  };
  await expect(withDeadline(work, { clock: { sleep }, limitMs: 1_000, what: 'connecting' })).resolves.toBe('in time');
});
