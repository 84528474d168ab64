import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { waitAny } from '../../../src/platform/tasks.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('waiting for the first of several', () => {
  it('calls the others off when one is over, and leaves neither sleeper nor listener behind', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    for (let round = 0; round < 1_000; round += 1) {
      const waiting = waitAny(controller.signal, [
        (signal) => clock.sleep(10, signal),
        (signal) => clock.sleep(1_000, signal),
      ]);
      await clock.advance(10);
      await waiting;
    }
    expect(clock.sleepers()).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('rejects with the reason of the signal when that is aborted', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const waiting = waitAny(controller.signal, [(signal) => clock.sleep(10, signal)]);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(waitAny(controller.signal, [async () => await Promise.resolve()])).rejects.toBe(reason);
    expect(clock.sleepers()).toBe(0);
  });

  it('rejects with the first failure', async () => {
    const clock = new FakeClock();
    const failing = async (): Promise<void> => await Promise.reject(new Error('broken'));
    const waiting = waitAny(new AbortController().signal, [(signal) => clock.sleep(10, signal), failing]);
    await expect(waiting).rejects.toThrow('broken');
    expect(clock.sleepers()).toBe(0);
  });
});
