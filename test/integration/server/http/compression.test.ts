import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiRig } from '../../../support/api-rig.ts';
import { openHttpStream } from '../../../support/http-stream.ts';
import { until } from '../../../support/until.ts';

const START_MS = Date.parse('2026-06-01T00:00:00Z');
const GZIP = { 'accept-encoding': 'gzip, deflate, br' };

let rig: ApiRig;
let url: string;

beforeAll(async () => {
  rig = await ApiRig.open();
  await rig.readings(
    'a',
    Array.from({ length: 5_000 }, (_, index) => ({ at: START_MS + index * 60_000, t: 20 + (index % 50) / 10, h: 50 })),
  );
  url = (await rig.http.listen()).url;
});
afterAll(() => rig.close());

const ask = (path: string, headers = {}) => rig.http.app.inject({ method: 'GET', url: `/api/v1/${path}`, headers });

describe('answers of the API', () => {
  it.each(['readings?limit=2000', 'export?format=csv', 'export?format=jsonl'])(
    'of %s go out compressed to whom can read that, and are the same',
    async (path) => {
      const plain = await ask(path);
      const packed = await ask(path, GZIP);
      expect([plain.statusCode, plain.headers['content-encoding']]).toEqual([200, undefined]);
      expect([packed.statusCode, packed.headers['content-encoding']]).toEqual([200, 'gzip']);
      expect(packed.headers['vary']).toMatch(/accept-encoding/i);
      expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body);
      expect(packed.rawPayload.length / plain.rawPayload.length).toBeLessThan(0.2);
    },
  );

  it('that fit into one packet are left as they are', async () => {
    expect((await ask('rooms', GZIP)).headers['content-encoding']).toBeUndefined();
  });

  it('that are events are never held back for compression', async () => {
    const stream = await openHttpStream(`${url}/api/v1/events`, GZIP);
    stream.read();
    await until('the first words are there', () => stream.text().includes('retry:'));
    expect(stream.headers['content-encoding']).toBeUndefined();
    stream.destroy();
  });

  it('a body that is compressed is refused, not unpacked', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const payload = gzipSync(JSON.stringify({ name: 'Cellar' }));
    const answer = await rig.http.app.inject({ method: 'POST', url: '/api/v1/rooms', headers, payload });
    expect(answer.statusCode).toBe(400);
    expect((await rig.ask('/api/v1/rooms')).text).not.toContain('Cellar');
  });
});
