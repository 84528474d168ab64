import { describe, expect, it } from 'vitest';
import { eventText, HEARTBEAT_MS, openEventStream } from '../../../../src/server/http/routes/events.ts';
import { createLiveFeed } from '../../../../src/server/live-feed.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

function rig(capacity = 64) {
  const clock = new FakeClock();
  const feed = createLiveFeed({ capacity, random: seededRandom(7), clock });
  const open = (lastEventId?: string) => {
    const stream = openEventStream({ feed, clock, lastEventId });
    const chunks: string[] = [];
    const read = (): void => {
      stream.text.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    };
    return { ...stream, read, said: () => chunks.join('') };
  };
  return { clock, feed, open };
}

describe('stream of server-sent events', () => {
  it('writes an event as id, name and one line of JSON', () => {
    const text = eventText({
      id: 'k-7',
      atMs: 0,
      change: { kind: 'history', deviceUid: 'a', fromMs: 0, toMs: 1000, count: 2 },
    });
    expect(text).toBe(
      'id: k-7\nevent: history\ndata: {"device_id":"a","from":"1970-01-01T00:00:00.000Z","to":"1970-01-01T00:00:01.000Z","count":2}\n\n',
    );
  });

  it('gives an id to go on from before the first event', async () => {
    const { feed, open } = rig();
    const stream = open();
    stream.read();
    await settle();
    expect(stream.said()).toBe(`retry: 3000\nid: ${feed.lastId}\n\n`);
  });

  it('says every change at once', async () => {
    const { feed, open } = rig();
    const stream = open();
    stream.read();
    feed.publish(
      [
        { kind: 'device', deviceUid: 'a' },
        { kind: 'rejected', count: 3 },
      ],
      5,
    );
    await settle();
    expect(stream.said()).toMatch(
      /event: device\ndata: \{"device_id":"a"\}\n\nid: .*\nevent: rejected\ndata: \{"count":3\}\n\n$/,
    );
  });

  it('goes on after the last id, and says resync to one that it does not know', async () => {
    const { feed, open } = rig();
    const id = feed.lastId;
    feed.publish([{ kind: 'gap', deviceUid: 'a' }], 5);
    const known = open(id);
    const unknown = open('nonsense');
    known.read();
    unknown.read();
    await settle();
    expect(known.said()).toBe(`retry: 3000\n\nid: ${feed.lastId}\nevent: gap\ndata: {"device_id":"a"}\n\n`);
    expect(unknown.said()).toBe(`retry: 3000\n\nid: ${feed.lastId}\nevent: resync\ndata: {}\n\n`);
  });

  it('beats every 15 s, so that no proxy takes it for dead', async () => {
    const { clock, open } = rig();
    const stream = open();
    stream.read();
    await settle();
    const before = stream.said().length;
    await clock.advance(HEARTBEAT_MS - 1);
    expect(stream.said().slice(before)).toBe('');
    await clock.advance(1);
    expect(stream.said().slice(before)).toBe(':\n\n');
    await clock.advance(10 * HEARTBEAT_MS);
    expect(stream.said().slice(before)).toBe(':\n\n'.repeat(11));
  });

  it('keeps little for a reader that takes nothing, and ends it at the second heartbeat', async () => {
    const { clock, feed, open } = rig(100_000);
    const stream = open();
    for (let index = 0; index < 50; index += 1) {
      feed.publish(
        Array.from({ length: 200 }, (_, step) => ({ kind: 'device' as const, deviceUid: `device-${index}-${step}` })),
        5,
      );
      await settle();
    }
    expect(stream.text.readableLength).toBeLessThan(64 * 1024);
    expect(feed.watchers).toBe(1);
    await clock.advance(HEARTBEAT_MS);
    expect(stream.text.destroyed).toBe(false);
    await clock.advance(HEARTBEAT_MS);
    expect(stream.text.destroyed).toBe(true);
    expect(feed.watchers).toBe(0);
    expect(clock.sleepers()).toBe(0);
  });

  it('does not give up a reader that takes a little now and then', async () => {
    const { clock, feed, open } = rig(100_000);
    const stream = open();
    for (let round = 0; round < 6; round += 1) {
      feed.publish(
        Array.from({ length: 1000 }, (_, step) => ({ kind: 'device' as const, deviceUid: `device-${step}` })),
        5,
      );
      await clock.advance(HEARTBEAT_MS);
      expect(stream.text.destroyed).toBe(false);
      while (stream.text.read() !== null) await settle();
    }
    expect(feed.watchers).toBe(1);
  });

  it('ends a reader that the feed has overtaken', async () => {
    const { feed, open } = rig(4);
    const stream = open();
    for (let index = 0; index < 2_000; index += 1) {
      feed.publish([{ kind: 'device', deviceUid: `a-device-with-a-rather-long-name-${index}` }], 5);
      if (index % 4 === 3) await settle();
    }
    feed.publish(
      Array.from({ length: 10 }, () => ({ kind: 'gap' as const, deviceUid: 'a' })),
      5,
    );
    stream.read();
    await new Promise((resolve) => stream.text.once('close', resolve));
    expect(feed.watchers).toBe(0);
  });

  it('ends in order when the server stops, and leaves nothing behind', async () => {
    const { clock, feed, open } = rig();
    const stream = open();
    stream.read();
    feed.publish([{ kind: 'gap', deviceUid: 'a' }], 5);
    await settle();
    let hasEnded = false;
    stream.text.once('end', () => {
      hasEnded = true;
    });
    stream.end();
    await settle();
    expect(hasEnded).toBe(true);
    expect(feed.watchers).toBe(0);
    expect(clock.sleepers()).toBe(0);
  });

  it('leaves nothing behind when the reader goes away', async () => {
    const { clock, feed, open } = rig();
    const stream = open();
    stream.read();
    await settle();
    stream.text.destroy();
    await settle();
    expect(feed.watchers).toBe(0);
    expect(clock.sleepers()).toBe(0);
  });
});
