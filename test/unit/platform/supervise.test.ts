import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { type Loop, LoopEndedError, supervise } from '../../../src/platform/tasks.ts';

/** Runs until it is told to stop, as a clock's sleep does: rejecting with the signal's reason. */
const idle: Loop = (signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

test('resolves when the signal is aborted and every loop has ended', async () => {
  const stop = new AbortController();
  let ended = false;
  const slow: Loop = async (signal) => {
    await idle(signal).catch(() => undefined);
    await new Promise(setImmediate);
    ended = true;
  };
  const running = supervise({ idle, slow }, stop.signal);
  stop.abort(new Error('enough'));
  await running;
  expect(ended).toBe(true);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('the first failure ends the other loops and is the one that is thrown; each failure is told', async () => {
  const first = new Error('the disk is gone');
  const second = new Error('and so is the bus');
  const told: [string, unknown][] = [];
  const stop = new AbortController();
  const failsWhileEnding: Loop = async (signal) => {
    await idle(signal).catch(() => undefined);
    throw second;
  };
  const running = supervise(
    { idle, fails: async () => Promise.reject(first), failsWhileEnding },
    stop.signal,
    (name, error) => told.push([name, error]),
  );
  await expect(running).rejects.toBe(first);
  expect(told).toEqual([
    ['fails', first],
    ['failsWhileEnding', second],
  ]);
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('a failure while stopping is not taken for the stop', async () => {
  const stop = new AbortController();
  const lost = new Error('the last reading could not be written');
  const running = supervise({ loses: (signal) => idle(signal).catch(() => Promise.reject(lost)) }, stop.signal);
  stop.abort(new Error('enough'));
  await expect(running).rejects.toBe(lost);
});

test.each([
  ['its reason', (reason: Error) => reason],
  ['an error caused by its reason', (reason: Error) => new Error('wait ended', { cause: reason })],
  ["the platform's AbortError", () => new DOMException('This operation was aborted', 'AbortError')],
])('an aborted loop may end with %s', async (_title, toError) => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const running = supervise(
    { loop: (signal) => idle(signal).catch(() => Promise.reject(toError(reason))) },
    stop.signal,
  );
  stop.abort(reason);
  await running;
});

test('a loop that ends unasked is a failure that names it', async () => {
  const running = supervise({ idle, publisher: async () => Promise.resolve() }, new AbortController().signal);
  await expect(running).rejects.toThrow(LoopEndedError);
  await expect(running).rejects.toThrow('The publisher loop ended');
});

test('a loop that throws before its first wait is a failure like any other', async () => {
  const running = supervise(
    {
      idle,
      broken: () => {
        throw new RangeError('no bus');
      },
    },
    new AbortController().signal,
  );
  await expect(running).rejects.toThrow('no bus');
});

test('loops started under an aborted signal end at once', async () => {
  let seen = false;
  await supervise({ loop: async (signal) => Promise.resolve(void (seen = signal.aborted)) }, AbortSignal.abort());
  expect(seen).toBe(true);
});
