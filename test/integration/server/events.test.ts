import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_WATCHERS } from '../../../src/server/http/routes/events.ts';
import { ApiRig } from '../../support/api-rig.ts';
import { type HttpStream, openHttpStream } from '../../support/http-stream.ts';
import { until } from '../../support/until.ts';

const AT = '2026-06-15T11:59:00.000Z';

let rig: ApiRig;
let url: string;

beforeEach(async () => {
  rig = await ApiRig.open();
  url = `${(await rig.http.listen()).url}/api/v1/events`;
});
afterEach(() => rig.close());

async function watch(headers: Readonly<Record<string, string>> = {}, query = ''): Promise<HttpStream> {
  const stream = await openHttpStream(`${url}${query}`, headers);
  stream.read();
  return stream;
}

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Parsed by the rules of the HTML standard, as far as they are used here. */
function events(stream: HttpStream): Event[] {
  return stream
    .text()
    .split('\n\n')
    .map((block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s) as [string, string])))
    .filter(({ data }) => data !== undefined)
    .map(({ id = '', event = '', data = '' }) => ({ id, event, data: JSON.parse(data) as unknown }));
}

async function eventsAfter(stream: HttpStream, count: number): Promise<Event[]> {
  await until(`${count} events`, () => events(stream).length >= count);
  return events(stream);
}

describe('GET /api/v1/events', () => {
  it('is not cached, not collected by proxies, and is there before anything happens', async () => {
    const stream = await watch();
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    expect(stream.headers['content-length']).toBeUndefined();
    stream.destroy();
  });

  it('says a reading as soon as it is committed, in the shape of the API', async () => {
    const stream = await watch();
    await rig.readings('a', [{ at: AT, t: 0, h: 0, epoch: 'k', seq: 1 }]);
    const said = await eventsAfter(stream, 1);
    const reading = said.find(({ event }) => event === 'reading');
    // With when it came instead of what is known of the device.
    const [latest] = await rig.data<{ contact?: { heard_at: string } }[]>('/api/v1/readings/latest');
    const { contact, ...asTold } = latest!;
    expect(reading?.data).toEqual({ ...asTold, received_at: contact?.heard_at });
    expect(reading?.data).toMatchObject({ device_id: 'a', ts: AT, temperature: 0, humidity: 0 });
    stream.destroy();
  });

  it('says what else changes: devices, late readings, gaps, rejected messages', async () => {
    const stream = await watch();
    await rig.readings('a', [{ at: AT }]);
    await rig.readings('a', [{ at: '2026-06-01T00:00:00Z' }, { at: '2026-06-01T01:00:00Z' }]);
    await rig.commit([
      rig.items('a', [{ gap: { ofEpoch: 'k', from: 1, reason: 'damaged' }, tsMs: Date.parse(AT), epoch: 'k', seq: 9 }]),
      { kind: 'rejected', topic: 't', receivedMs: 1, reason: 'not-json', detail: 'd', payload: '{', payloadBytes: 1 },
    ]);
    await until('all of it', () => {
      const kinds = events(stream).map(({ event }) => event);
      return ['device', 'reading', 'history', 'gap', 'rejected'].every((kind) => kinds.includes(kind));
    });
    const said = events(stream);
    const one = (kind: string) => said.find(({ event }) => event === kind)?.data;
    expect(one('device')).toEqual({ device_id: 'a' });
    expect(one('history')).toMatchObject({ device_id: 'a', from: '2026-06-01T00:00:00.000Z', count: 2 });
    expect(one('gap')).toEqual({ device_id: 'a' });
    expect(one('rejected')).toEqual({ count: 1 });
    stream.destroy();
  });

  it('goes on after Last-Event-ID without losing or repeating one', async () => {
    const first = await watch();
    await rig.readings('a', [{ at: AT }]);
    const seen = await eventsAfter(first, 1);
    first.destroy();
    await until('nobody watches', () => rig.feed.watchers === 0);
    for (let second = 1; second <= 20; second += 1) {
      await rig.readings('a', [{ at: Date.parse(AT) + second * 1000, t: second }]);
    }
    const again = await watch({ 'last-event-id': seen.at(-1)!.id });
    await until('the last one', () =>
      events(again).some(({ data }) => (data as { temperature?: number }).temperature === 20),
    );
    const readings = events(again).filter(({ event }) => event === 'reading');
    expect(readings.map(({ data }) => (data as { temperature: number }).temperature)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    again.destroy();
  });

  it('says resync to an id of another run of the server, in the header or in the query', async () => {
    for (const stream of [await watch({ 'last-event-id': 'mb0z-17' }), await watch({}, '?lastEventId=mb0z-17')]) {
      expect(await eventsAfter(stream, 1)).toMatchObject([{ event: 'resync', data: {} }]);
      stream.destroy();
    }
  });

  it('beats by the clock', async () => {
    const stream = await watch();
    await until('it watches', () => rig.feed.watchers === 1);
    await rig.clock.advance(15_000);
    await until('a heartbeat', () => stream.text().endsWith('\n\n:\n\n'));
    stream.destroy();
  });

  it('forgets who goes away', async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => watch()));
    expect(rig.feed.watchers).toBe(20);
    for (const stream of streams) stream.destroy();
    await until('nobody watches', () => rig.feed.watchers === 0);
  });

  it('refuses more than it can serve, and takes the next when one has gone', async () => {
    const streams: HttpStream[] = [];
    while (streams.length < MAX_WATCHERS) streams.push(await watch());
    const refused = await watch();
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30']);
    await until('the error', () => refused.end() === 'whole');
    expect(JSON.parse(refused.text())).toMatchObject({ code: 'TOO_MANY_WATCHERS' });
    streams.pop()?.destroy();
    await until('a place', () => rig.feed.watchers < MAX_WATCHERS);
    const taken = await watch();
    expect(taken.status).toBe(200);
    for (const stream of [...streams, taken]) stream.destroy();
  });

  it('ends whole when the server stops, which does not wait for its watchers', async () => {
    const streams = await Promise.all(Array.from({ length: 12 }, () => watch()));
    // The clock stands still: a stop that waited for its limit would never end.
    await rig.http.close();
    await until('all have ended', () => streams.every((stream) => stream.end() === 'whole'));
    expect(rig.feed.watchers).toBe(0);
  });
});
