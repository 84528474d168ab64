import { afterEach, describe, expect, it } from 'vitest';
import type { DayStatistics, Series } from '../../../src/server/http/schemas/readings.ts';
import { ApiRig, type ApiRigOptions, type ReadingGiven } from '../../support/api-rig.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

let rig: ApiRig;
afterEach(() => rig.close());

async function open(options: ApiRigOptions = {}): Promise<ApiRig> {
  rig = await ApiRig.open(options);
  return rig;
}

/** Numbered readings every `stepMs` from..to. */
function every(stepMs: number, from: string, to: string, t: (index: number) => number = () => 20): ReadingGiven[] {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  return Array.from({ length: Math.ceil((toMs - fromMs) / stepMs) }, (_, index) => ({
    at: fromMs + index * stepMs,
    t: t(index),
    epoch: 'k',
    seq: Math.floor((fromMs + index * stepMs) / MINUTE_MS),
  }));
}

interface Page {
  readonly data: readonly { readonly ts: string; readonly device_id: string; readonly seq: number }[];
  readonly next?: string;
}

describe('GET /api/v1/readings', () => {
  it('S15: pages give every reading once, in order, both ways; nothing is cut without saying so', async () => {
    await open();
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-15T00:00:00Z'));
    await rig.readings('b', every(7 * MINUTE_MS, '2026-06-14T06:00:00Z', '2026-06-15T00:00:00Z'));
    for (const order of ['asc', 'desc']) {
      const found: string[] = [];
      let link = `/api/v1/readings?limit=100&order=${order}`;
      let pages = 0;
      for (;;) {
        const { body, headers } = await rig.ask(link);
        const { data, next } = body as Page;
        found.push(...data.map(({ ts, device_id }) => `${ts} ${device_id}`));
        pages += 1;
        // A page that leads to itself fails instead of going on for ever.
        if (pages > 20) break;
        expect(headers['link'] === undefined).toBe(next === undefined);
        if (next === undefined) break;
        // Followed as a client follows links: relative to where it asked.
        const target = /^<(.*)>; rel="next"$/.exec(String(headers['link']))?.[1] ?? '';
        link = new URL(target, `http://host${link}`).href.slice('http://host'.length);
      }
      const expected = 1440 + 155;
      expect([found.length, new Set(found).size, pages]).toEqual([expected, expected, 16]);
      expect(found).toEqual(order === 'asc' ? [...found].sort() : [...found].sort().reverse());
    }
  });

  it('goes on where it was while readings are added before and behind', async () => {
    await open();
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-14T01:00:00Z'));
    const first = (await rig.ask('/api/v1/readings?device=a&limit=30&to=2026-06-15T00:00:00Z')).body as Page;
    await rig.readings('a', every(MINUTE_MS, '2026-06-13T23:00:00Z', '2026-06-14T00:00:00Z'));
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T01:00:00Z', '2026-06-14T01:10:00Z'));
    const second = (await rig.ask(`/api/v1/readings?device=a&limit=100&to=2026-06-15T00:00:00Z&after=${first.next}`))
      .body as Page;
    expect(second.data.map(({ ts }) => ts)).toEqual(
      Array.from({ length: 40 }, (_, index) =>
        new Date(Date.parse('2026-06-14T00:30:00Z') + index * MINUTE_MS).toISOString(),
      ),
    );
  });

  it('gives a room what stood there, while it stood there', async () => {
    await open();
    await rig.ask('/api/v1/devices', 'POST', { device_uid: 'a', room_name: 'Salon' });
    await rig.readings('a', every(HOUR_MS, '2026-06-14T00:00:00Z', '2026-06-14T10:00:00Z'));
    await rig.ask('/api/v1/devices/a', 'PUT', { room_name: 'Hall', moved_at: '2026-06-14T05:00:00Z' });
    const hours = async (room: string) =>
      (await rig.data<{ ts: string }[]>(`/api/v1/readings?room=${room}`)).map(({ ts }) => Number(ts.slice(11, 13)));
    expect(await hours('salon')).toEqual([0, 1, 2, 3, 4]);
    expect(await hours('hall')).toEqual([5, 6, 7, 8, 9]);
  });

  it('includes from and not to; takes zones, and epoch milliseconds', async () => {
    await open();
    await rig.readings('a', every(HOUR_MS, '2026-06-14T00:00:00Z', '2026-06-14T10:00:00Z'));
    const count = async (query: string) => (await rig.data<object[]>(`/api/v1/readings?${query}`)).length;
    expect(await count('from=2026-06-14T02:00:00Z&to=2026-06-14T05:00:00Z')).toBe(3);
    expect(await count('from=2026-06-14T04:00:00%2B02:00&to=2026-06-14T10:30:00%2B05:30')).toBe(3);
    expect(await count(`from=${Date.parse('2026-06-14T02:00:00Z')}&to=${Date.parse('2026-06-14T05:00:00Z')}`)).toBe(3);
    expect(await count('from=2026-06-14T05:00:00Z&to=2026-06-14T05:00:00Z')).toBe(0);
    expect(await count('to=2026-06-14')).toBe(0);
  });
});

describe('GET /api/v1/series', () => {
  const series = (query: string) => rig.data<Series>(`/api/v1/series?${query}`);

  it('gives empty buckets for holes, and the gaps that explain them', async () => {
    await open({ timeZone: 'UTC' });
    await rig.ask('/api/v1/devices', 'POST', { device_uid: 'a', room_name: 'Salon' });
    await rig.readings(
      'a',
      every(MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-14T01:00:00Z', (index) => index),
    );
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T03:00:00Z', '2026-06-14T04:00:00Z'));
    const hole = { fromTsMs: Date.parse('2026-06-14T01:00:00Z'), toTsMs: Date.parse('2026-06-14T02:59:00Z') };
    const gap = { ofEpoch: 'k', from: 1, to: 120, count: 120, reason: 'dropped', ...hole } as const;
    await rig.commit([rig.items('a', [{ gap, tsMs: Date.parse('2026-06-14T03:00:00Z'), epoch: 'k', seq: 1 }])]);
    const range = 'from=2026-06-14T00:00:00Z&to=2026-06-14T04:00:00Z&bucket=1h';
    const { sources } = await series(`device=a&room=salon&${range}`);
    for (const [index, kind] of (['device', 'room'] as const).entries()) {
      const source = sources[index];
      expect(source).toMatchObject({ kind, bucket: '1h', has_more_gaps: false });
      expect(source?.buckets.map(({ count }) => count)).toEqual([60, 0, 0, 60]);
      expect(source?.buckets[0]?.temperature).toEqual({ min: 0, avg: 29.5, max: 59 });
      expect(source?.buckets[1]).toMatchObject({ from: '2026-06-14T01:00:00.000Z', temperature: null, humidity: null });
      expect(source?.gaps).toMatchObject([
        { device_id: 'a', reason: 'dropped', count: 120, from: '2026-06-14T01:00:00.000Z' },
      ]);
    }
    const later = await series('device=a&from=2026-06-14T03:30:00Z&to=2026-06-14T04:00:00Z&bucket=5m');
    expect(later.sources[0]?.gaps).toEqual([]);
  });

  it('S16: days are days of the house, of 23 and 25 hours where clocks change', async () => {
    await open({ nowMs: Date.parse('2026-11-01T00:00:00Z'), timeZone: 'Europe/Brussels' });
    await rig.readings('a', every(10 * MINUTE_MS, '2026-03-27T00:00:00Z', '2026-03-31T00:00:00Z'));
    await rig.readings('a', every(10 * MINUTE_MS, '2026-10-23T00:00:00Z', '2026-10-27T00:00:00Z'));
    const spring = await series('device=a&bucket=1d&from=2026-03-27T23:00:00Z&to=2026-03-30T22:00:00Z');
    expect(spring.sources[0]?.buckets.map(({ from, count }) => [from, count])).toEqual([
      ['2026-03-27T23:00:00.000Z', 144],
      ['2026-03-28T23:00:00.000Z', 138],
      ['2026-03-29T22:00:00.000Z', 144],
    ]);
    const autumn = await series('device=a&bucket=1d&from=2026-10-23T22:00:00Z&to=2026-10-26T23:00:00Z');
    expect(autumn.sources[0]?.buckets.map(({ from, count }) => [from, count])).toEqual([
      ['2026-10-23T22:00:00.000Z', 144],
      ['2026-10-24T22:00:00.000Z', 150],
      ['2026-10-25T23:00:00.000Z', 144],
    ]);
    const hours = await series('device=a&bucket=1h&from=2026-10-24T22:00:00Z&to=2026-10-25T23:00:00Z');
    expect(hours.sources[0]?.buckets).toHaveLength(25);
  });

  it('begins hours and days at the right quarter where a zone is off by half or three quarters of an hour', async () => {
    await open();
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-14T03:00:00Z'));
    const range = 'device=a&from=2026-06-14T00:00:00Z&to=2026-06-14T02:00:00Z&bucket=1h';
    const starts = async (tz: string) =>
      (await series(`${range}&tz=${tz}`)).sources[0]?.buckets.map(({ from, count }) => [from.slice(11, 16), count]);
    expect(await starts('Asia/Kolkata')).toEqual([
      ['00:00', 30],
      ['00:30', 60],
      ['01:30', 30],
    ]);
    expect(await starts('Asia/Kathmandu')).toEqual([
      ['00:00', 15],
      ['00:15', 60],
      ['01:15', 45],
    ]);
    expect(await starts('UTC')).toEqual([
      ['00:00', 60],
      ['01:00', 60],
    ]);
  });

  it('auto gives about the points asked for, and the readings themselves where there are not more', async () => {
    await open();
    await rig.readings('quick', every(MINUTE_MS, '2026-06-08T12:00:00Z', '2026-06-15T12:00:00Z'));
    await rig.readings('slow', every(90 * MINUTE_MS, '2026-06-08T12:00:00Z', '2026-06-15T12:00:00Z'));
    const { sources } = await series('from=2026-06-08T12:00:00Z&points=500');
    const [quick, slow] = sources;
    expect([quick?.uid, slow?.uid]).toEqual(['quick', 'slow']);
    expect(quick?.buckets.length).toBeGreaterThan(300);
    expect(quick?.buckets.length).toBeLessThan(800);
    expect(quick?.buckets.every(({ count }) => count > 0)).toBe(true);
    expect(slow?.bucket).toBe('raw');
    expect(slow?.buckets).toHaveLength(112);
    expect(slow?.buckets[0]).toMatchObject({
      from: '2026-06-08T12:00:00.000Z',
      to: '2026-06-08T12:00:00.000Z',
      count: 1,
    });
  });

  it('raw gives more than a page of the store', async () => {
    await open();
    const many = Array.from({ length: 12_000 }, (_, index) => ({
      at: Date.parse('2026-06-14T00:00:00Z') + index * 1000,
      t: index % 30,
    }));
    await rig.readings('a', many);
    const { sources } = await series('device=a&bucket=raw&from=2026-06-14T00:00:00Z');
    expect(sources[0]?.buckets).toHaveLength(12_000);
  });

  it('refuses what would be too much before reading it, and says what to ask instead', async () => {
    await open();
    await rig.readings('a', every(MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-14T01:00:00Z'));
    const { status, body } = await rig.ask('/api/v1/series?device=a&bucket=5m&from=2025-06-15T00:00:00Z');
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: 'TOO_MANY_POINTS',
      error: expect.stringMatching(/105\d{3} points.*50000.*bucket=auto/) as string,
    });
    const century = await rig.ask('/api/v1/series?device=a&bucket=52w&from=1800-01-01');
    expect([century.status, century.body]).toEqual([
      400,
      expect.objectContaining({ error: expect.stringContaining('100 years') as string }),
    ]);
    const crowd = Array.from({ length: 51 }, (_, index) => `device=d${index}`).join('&');
    expect((await rig.ask(`/api/v1/series?${crowd}`)).status).toBe(400);
  });
});

describe('GET /api/v1/statistics', () => {
  const days = async (query: string) => (await rig.data<{ days: DayStatistics[] }>(`/api/v1/statistics?${query}`)).days;

  /** A device that tells its interval, in a room, from the 11th on; silent for six hours on the 13th. */
  async function known(): Promise<void> {
    await rig.ask('/api/v1/devices', 'POST', { device_uid: 'a', room_name: 'Salon' });
    rig.clock.stepWall(Date.parse('2026-06-10T22:00:00Z') - rig.clock.nowMs());
    await rig.status('a', { state: 'online', interval_s: 600 });
    rig.clock.stepWall(Date.parse('2026-06-15T10:00:00Z') - rig.clock.nowMs());
    await rig.readings(
      'a',
      every(10 * MINUTE_MS, '2026-06-10T22:00:00Z', '2026-06-13T00:00:00Z', (index) => index % 10),
    );
    await rig.readings('a', every(10 * MINUTE_MS, '2026-06-13T06:00:00Z', '2026-06-15T10:00:00Z'));
  }

  it('S16: counts per day of the house what came and what was due, also of today', async () => {
    await open({ nowMs: Date.parse('2026-06-15T10:00:00Z'), timeZone: 'Europe/Brussels' });
    await known();
    const found = await days('device=a&from=2026-06-11T00:00:00Z');
    expect(found.map(({ date, received, expected, missing }) => [date, received, expected, missing])).toEqual([
      ['2026-06-11', 144, 144, 0],
      ['2026-06-12', 144, 144, 0],
      ['2026-06-13', 108, 144, 36],
      ['2026-06-14', 144, 144, 0],
      ['2026-06-15', 72, 72, 0],
    ]);
    expect(found[0]).toMatchObject({
      from: '2026-06-10T22:00:00.000Z',
      to: '2026-06-11T22:00:00.000Z',
      first: '2026-06-10T22:00:00.000Z',
      last: '2026-06-11T21:50:00.000Z',
      temperature: { min: 0, max: 9 },
    });
  });

  it('asks for the last seven days by itself', async () => {
    await open({ nowMs: Date.parse('2026-06-15T10:00:00Z') });
    await known();
    expect((await days('device=a')).map(({ date }) => date)).toEqual([
      '2026-06-09',
      '2026-06-10',
      '2026-06-11',
      '2026-06-12',
      '2026-06-13',
      '2026-06-14',
      '2026-06-15',
    ]);
  });

  it('expects nothing that nobody announced', async () => {
    await open();
    await rig.readings('old', every(10 * MINUTE_MS, '2026-06-14T00:00:00Z', '2026-06-14T06:00:00Z'));
    const found = await days('device=old&from=2026-06-13T12:00:00Z&to=2026-06-14T12:00:00Z&tz=UTC');
    expect(found).toMatchObject([
      { date: '2026-06-13', received: 0, expected: null, missing: null, first: null, last: null, temperature: null },
      { date: '2026-06-14', received: 36, expected: null, missing: null },
    ]);
  });

  it('expects of a room what was due while the devices stood there', async () => {
    await open({ nowMs: Date.parse('2026-06-15T10:00:00Z'), timeZone: 'Europe/Brussels' });
    await known();
    await rig.ask('/api/v1/devices/a', 'PUT', { room_name: 'Hall', moved_at: '2026-06-14T10:00:00Z' });
    const range = 'from=2026-06-13T00:00:00Z';
    const of = (found: DayStatistics[]) =>
      found.map(({ received, expected, missing }) => [received, expected, missing]);
    expect(of(await days(`room=salon&${range}`))).toEqual([
      [108, 144, 36],
      [72, 72, 0],
      [0, null, null],
    ]);
    expect(of(await days(`room=hall&${range}`))).toEqual([
      [0, null, null],
      [72, 72, 0],
      [72, 72, 0],
    ]);
  });
});

describe('GET /api/v1/gaps and /api/v1/rejected', () => {
  it('page through all, newest first', async () => {
    await open();
    const gaps = Array.from({ length: 25 }, (_, index) => ({
      gap: { ofEpoch: 'k', from: index * 10 + 1, to: index * 10 + 5, count: 5, reason: 'thinned' as const },
      tsMs: Date.parse('2026-06-14T00:00:00Z') + index * MINUTE_MS,
      epoch: 'k',
      seq: 1000 + index,
    }));
    await rig.commit([rig.items('a', gaps)]);
    await rig.commit(
      Array.from({ length: 25 }, (_, index) => ({
        kind: 'rejected' as const,
        topic: 'nonsense',
        receivedMs: rig.clock.nowMs(),
        reason: 'not-json' as const,
        detail: `not JSON: ${index}`,
        payload: `{${index}`,
        payloadBytes: 3,
      })),
    );
    for (const path of ['/api/v1/gaps', '/api/v1/rejected']) {
      const found: unknown[] = [];
      let after = '';
      do {
        const { body, status } = await rig.ask(`${path}?limit=10${after}`);
        expect(status).toBe(200);
        const { data, next } = body as { data: unknown[]; next?: string };
        found.push(...data);
        after = next === undefined ? '' : `&after=${next}`;
      } while (after !== '' && found.length <= 25);
      expect(found).toHaveLength(25);
      expect(new Set(found.map((one) => JSON.stringify(one))).size).toBe(25);
    }
    const [newest] = await rig.data<{ record: { seq: number } }[]>('/api/v1/gaps?limit=1');
    expect(newest?.record.seq).toBe(1024);
  });
});
