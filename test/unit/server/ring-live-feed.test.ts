import { describe, expect, it } from 'vitest';
import { createLiveFeed, type LiveEvent, type LiveFeed } from '../../../src/server/live-feed.ts';
import type { StoreChange } from '../../../src/server/store/ingest-store.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

function feedOf(capacity: number, seed = 1): LiveFeed {
  return createLiveFeed({ capacity, random: seededRandom(seed), clock: new FakeClock({ nowMs: NOW_MS }) });
}

function change(deviceUid: string): StoreChange {
  return { kind: 'device', deviceUid };
}

function publish(feed: LiveFeed, from: number, to: number): void {
  for (let index = from; index <= to; index += 1) feed.publish([change(`d${index}`)], NOW_MS);
}

/** Takes what there is, without waiting for more. */
async function taken(iterator: AsyncIterator<LiveEvent>, count: number): Promise<LiveEvent[]> {
  const events: LiveEvent[] = [];
  while (events.length < count) {
    const next = await iterator.next();
    if (next.done === true) break;
    events.push(next.value);
  }
  return events;
}

function named(events: readonly LiveEvent[]): string[] {
  return events.map(({ change: it }) => ('deviceUid' in it ? it.deviceUid : it.kind));
}

describe('live feed', () => {
  it('gives a watcher what is published after it came, in order, and nothing from before', async () => {
    const feed = feedOf(8);
    publish(feed, 1, 2);
    const end = new AbortController();
    const iterator = feed.subscribe(undefined, end.signal)[Symbol.asyncIterator]();
    feed.publish([change('d3'), change('d4')], NOW_MS + 5);
    const events = await taken(iterator, 2);
    expect(named(events)).toEqual(['d3', 'd4']);
    expect(events[0]?.atMs).toBe(NOW_MS + 5);
    end.abort();
    expect((await iterator.next()).done).toBe(true);
  });

  it('wakes a watcher that waits, at once', async () => {
    const feed = feedOf(8);
    const iterator = feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    const waiting = iterator.next();
    await settle();
    publish(feed, 1, 1);
    expect(named([(await waiting).value as LiveEvent])).toEqual(['d1']);
  });

  it('goes on after the id that a watcher saw last', async () => {
    const feed = feedOf(8);
    const first = feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    publish(feed, 1, 5);
    const seen = await taken(first, 2);
    const again = feed.subscribe(seen[1]?.id, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(again, 3))).toEqual(['d3', 'd4', 'd5']);
  });

  it('goes on from the id of an empty feed', async () => {
    const feed = feedOf(8);
    const id = feed.lastId;
    publish(feed, 1, 2);
    const iterator = feed.subscribe(id, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(iterator, 2))).toEqual(['d1', 'd2']);
  });

  it('remembers exactly as many events as it was told', async () => {
    const feed = feedOf(4);
    publish(feed, 1, 1);
    const afterFirst = feed.lastId;
    publish(feed, 2, 5);
    const whole = feed.subscribe(afterFirst, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(whole, 4))).toEqual(['d2', 'd3', 'd4', 'd5']);
    publish(feed, 6, 6);
    const lost = feed.subscribe(afterFirst, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(lost, 1))).toEqual(['resync']);
  });

  it.each(['', 'x', '0-0', '1-99999999999999999', '__proto__', '-1', 'é-3'])(
    'answers resync to the id %j, which it never gave',
    async (id) => {
      const feed = feedOf(4);
      publish(feed, 1, 3);
      const iterator = feed.subscribe(id, new AbortController().signal)[Symbol.asyncIterator]();
      const [event] = await taken(iterator, 1);
      expect(event?.change).toEqual({ kind: 'resync' });
      expect(event?.id).toBe(feed.lastId);
      publish(feed, 4, 4);
      expect(named(await taken(iterator, 1))).toEqual(['d4']);
    },
  );

  it('answers resync to an id from before a restart, also when the number exists again', async () => {
    const before = feedOf(8, 1);
    publish(before, 1, 3);
    const after = feedOf(8, 2);
    publish(after, 1, 5);
    const iterator = after.subscribe(before.lastId, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(iterator, 1))).toEqual(['resync']);
  });

  it('answers resync to a number of this run that was not given yet', async () => {
    const feed = feedOf(8);
    publish(feed, 1, 3);
    const future = feed.lastId.replace(/3$/, '4');
    const iterator = feed.subscribe(future, new AbortController().signal)[Symbol.asyncIterator]();
    expect(named(await taken(iterator, 1))).toEqual(['resync']);
  });

  it('ends a watcher that was overtaken, and lets the others be', async () => {
    const feed = feedOf(4);
    const slow = feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    const quick = feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    publish(feed, 1, 1);
    await taken(slow, 1);
    await taken(quick, 1);
    for (let index = 2; index <= 9; index += 1) {
      publish(feed, index, index);
      expect(named(await taken(quick, 1))).toEqual([`d${index}`]);
    }
    expect((await slow.next()).done).toBe(true);
    expect(feed.watchers).toBe(1);
  });

  it('counts who watches, and forgets who left by signal, by return, or before the first event', async () => {
    const feed = feedOf(4);
    const end = new AbortController();
    const bySignal = feed.subscribe(undefined, end.signal)[Symbol.asyncIterator]();
    const waiting = bySignal.next();
    const byReturn = feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]();
    publish(feed, 1, 1);
    await waiting;
    await taken(byReturn, 1);
    expect(feed.watchers).toBe(2);
    await byReturn.return?.();
    expect(feed.watchers).toBe(1);
    const next = bySignal.next();
    end.abort();
    expect((await next).done).toBe(true);
    const never = feed.subscribe(undefined, AbortSignal.abort())[Symbol.asyncIterator]();
    expect((await never.next()).done).toBe(true);
    expect(feed.watchers).toBe(0);
  });

  it('keeps ten thousand watchers that sleep, and gives each the same event', async () => {
    const feed = feedOf(16);
    const waiting = Array.from({ length: 10_000 }, () =>
      feed.subscribe(undefined, new AbortController().signal)[Symbol.asyncIterator]().next(),
    );
    await settle();
    expect(feed.watchers).toBe(10_000);
    publish(feed, 1, 1);
    const events = new Set((await Promise.all(waiting)).map(({ value }) => value as LiveEvent));
    expect(events.size).toBe(1);
  });
});
