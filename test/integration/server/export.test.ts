import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toReadingRecord } from '../../../src/server/export.ts';
import type { StoredReading } from '../../../src/server/store/stored.ts';
import { ApiRig } from '../../support/api-rig.ts';
import { openHttpStream } from '../../support/http-stream.ts';
import { until } from '../../support/until.ts';

const ROWS = 100_000;
const DEVICES = ['a', 'b', '-c', 'd'];
const START_MS = Date.parse('2026-06-01T00:00:00Z');
const STEP_MS = 10_000;

let rig: ApiRig;
let url: string;
let stored: readonly StoredReading[];

beforeAll(async () => {
  rig = await ApiRig.open();
  const each = ROWS / DEVICES.length;
  await rig.ask('/api/v1/devices', 'POST', { device_uid: 'a', room_name: 'Salon' });
  for (const deviceUid of DEVICES) {
    for (let first = 0; first < each; first += 5_000) {
      await rig.readings(
        deviceUid,
        Array.from({ length: 5_000 }, (_, index) => ({
          at: START_MS + (first + index) * STEP_MS,
          t: ((first + index) % 600) / 10 - 20,
          h: (first + index) % 101,
          ...(deviceUid !== 'd' && { epoch: 'k3v9x2', seq: first + index + 1 }),
        })),
      );
    }
  }
  stored = await everything();
  url = (await rig.http.listen()).url;
});
afterAll(() => rig.close());

describe('GET /api/v1/export', () => {
  it('gives a JSON Lines file that equals the record, 100,000 of 100,000', async () => {
    const stream = await openHttpStream(`${url}/api/v1/export?format=jsonl`);
    stream.read();
    await until('the file is there', () => stream.end() !== 'open');
    expect([stream.status, stream.end()]).toEqual([200, 'whole']);
    expect(stream.headers).toMatchObject({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="techtemp-all-until-2026-06-15.jsonl"',
      'cache-control': 'no-store',
    });
    const lines = stream.text().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(ROWS);
    expect(lines.findIndex((line, index) => line !== JSON.stringify(toReadingRecord(stored[index]!)))).toBe(-1);
  });

  it('gives a CSV file that equals the record', async () => {
    const stream = await openHttpStream(`${url}/api/v1/export?format=csv`);
    stream.read();
    await until('the file is there', () => stream.end() !== 'open');
    expect(stream.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    const lines = stream.text().split('\r\n');
    expect(lines.shift()).toBe('ts,device_id,room_id,temperature,humidity,epoch,seq,clock,trigger');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(ROWS);
    const differs = lines.findIndex((line, index) => {
      const { device_id, room_id, ts, temperature, humidity, epoch, seq } = toReadingRecord(stored[index]!);
      // The device whose name begins with a minus would be a formula.
      const uid = device_id === '-c' ? "'-c" : device_id;
      return line !== [ts, uid, room_id, temperature, humidity, epoch, seq, '', ''].map((cell) => cell ?? '').join(',');
    });
    expect(differs).toBe(-1);
  });

  it('keeps to device, room and time', async () => {
    const rows = async (query: string) => (await rig.ask(`/api/v1/export?${query}`)).text.trim().split('\r\n').slice(1);
    const range = 'from=2026-06-01T01:00:00Z&to=2026-06-01T01:01:00Z';
    expect(await rows(range)).toHaveLength(24);
    expect(await rows(`device=b&${range}`)).toHaveLength(6);
    const ofRoom = await rows(`room=salon&${range}`);
    expect(ofRoom).toHaveLength(6);
    expect(ofRoom[0]).toMatch(/^2026-06-01T01:00:00\.000Z,a,salon,/);
    const empty = await rig.ask('/api/v1/export?from=2020-01-01&to=2020-01-02');
    expect([empty.status, empty.text]).toEqual([
      200,
      'ts,device_id,room_id,temperature,humidity,epoch,seq,clock,trigger\r\n',
    ]);
  });

  it('takes the memory of a few pages, whatever the length of the file', async () => {
    const collect = collector();
    const before = collect();
    const stream = await openHttpStream(`${url}/api/v1/export?format=jsonl`);
    let [bytes, highest, nextLook] = [0, 0, 0];
    for await (const chunk of stream.response) {
      bytes += (chunk as Buffer).length;
      if (bytes < nextLook) continue;
      highest = Math.max(highest, collect() - before);
      nextLook = bytes + 1_000_000;
    }
    expect(bytes).toBeGreaterThan(10_000_000);
    expect(highest / bytes).toBeLessThan(0.3);
  });

  it('reads no further than its reader, and nothing more once that is gone', async () => {
    const readings = rig.store.readings.bind(rig.store);
    let pages = 0;
    Object.assign(rig.store, {
      readings: (...query: Parameters<typeof readings>) => {
        pages += 1;
        return readings(...query);
      },
    });
    try {
      const stream = await openHttpStream(`${url}/api/v1/export?format=jsonl`);
      let seen = -1;
      await until('the server waits for its reader', async () => {
        const before = seen;
        seen = pages;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return pages === before && pages > 0;
      });
      // What fits into the sockets and buffers between them; all of it would be 101 pages.
      expect(pages).toBeLessThan(70);
      stream.destroy();
      await until('the stream has been given up', () => stream.end() === 'cut');
      const atEnd = pages;
      await rig.ask('/api/v1/readings?limit=1');
      expect(pages).toBeLessThanOrEqual(atEnd + 2);
    } finally {
      Object.assign(rig.store, { readings });
    }
  });

  it('answers JSON when the store is ill before the first byte, and cuts the file when it falls ill later', async () => {
    const readings = rig.store.readings.bind(rig.store);
    const failAt = (page: number) => {
      let pages = 0;
      Object.assign(rig.store, {
        readings: (...query: Parameters<typeof readings>) => {
          pages += 1;
          return pages === page ? Promise.reject(new Error('the disk is gone')) : readings(...query);
        },
      });
    };
    try {
      failAt(1);
      const early = await rig.ask('/api/v1/export');
      expect(early.status).toBe(500);
      expect(early.body).toMatchObject({ code: 'INTERNAL' });
      expect(early.headers['content-disposition']).toBeUndefined();
      failAt(3);
      const stream = await openHttpStream(`${url}/api/v1/export`);
      stream.read();
      await until('the stream is over', () => stream.end() !== 'open');
      expect([stream.status, stream.end()]).toEqual([200, 'cut']);
    } finally {
      Object.assign(rig.store, { readings });
    }
  });
});

/** The record, as the store gives it. */
async function everything(): Promise<readonly StoredReading[]> {
  const found: StoredReading[] = [];
  let after: string | undefined;
  do {
    const page = await rig.store.readings({
      scope: 'all',
      fromMs: 0,
      toMs: rig.clock.nowMs(),
      order: 'oldest-first',
      limit: 10_000,
      ...(after !== undefined && { after }),
    });
    found.push(...page.readings);
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** Bytes in use after a collection of garbage. */
function collector(): () => number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}
