import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createLiveValue } from '../../../src/platform/live.ts';

const signal = new AbortController().signal;

describe('a live value', () => {
  it('wakes everyone who waits when it changes', async () => {
    const value = createLiveValue({ n: 1 });
    const waits = [value.changed(0, signal), value.changed(0, signal)];
    value.set({ n: 2 });
    await Promise.all(waits);
    expect(value.current).toEqual({ n: 2 });
    expect(value.version).toBe(1);
  });

  it('does not let anyone who was busy wait for a change that has happened', async () => {
    const value = createLiveValue(1);
    value.set(2);
    value.set(3);
    await value.changed(0, signal);
    await value.changed(1, signal);
    expect(value.version).toBe(2);
  });

  it('keeps its object and wakes nobody when it is set to an equal one', () => {
    const first = { a: { b: [1] } };
    const value = createLiveValue(first);
    value.set({ a: { b: [1] } });
    expect(value.current).toBe(first);
    expect(value.version).toBe(0);
  });

  it('gives up waiting with the reason of the signal', async () => {
    const value = createLiveValue(1);
    const stop = new AbortController();
    const reason = new Error('stop');
    const wait = value.changed(0, stop.signal);
    stop.abort(reason);
    await expect(wait).rejects.toBe(reason);
    value.set(2);
    await expect(value.changed(0, stop.signal)).rejects.toBe(reason);
  });

  it('leaves no listener behind, however the wait ends', async () => {
    const value = createLiveValue(0);
    const stop = new AbortController();
    for (let n = 1; n <= 100; n += 1) {
      const wait = value.changed(value.version, stop.signal);
      expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
      value.set(n);
      await wait;
      await value.changed(0, stop.signal);
    }
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
    const wait = value.changed(value.version, stop.signal);
    stop.abort(new Error('stop'));
    await expect(wait).rejects.toThrow('stop');
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  it('keeps for the next change who waits again at once', async () => {
    const value = createLiveValue(0);
    const seen: number[] = [];
    const follow = (async () => {
      for (let version = 0; version < 3; version = value.version) {
        await value.changed(version, signal);
        seen.push(value.current);
      }
    })();
    for (const n of [1, 2, 3]) {
      value.set(n);
      await Promise.resolve();
      await new Promise(setImmediate);
    }
    await follow;
    expect(seen).toEqual([1, 2, 3]);
  });
});
