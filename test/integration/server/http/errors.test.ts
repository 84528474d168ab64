import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../../../src/server/store/store.ts';
import { type HttpRig, type HttpRigOptions, openHttpRig } from '../../../support/http-rig.ts';
import { rawExchange, request } from '../../../support/raw-http.ts';

let rig: HttpRig | undefined;
async function open(options: HttpRigOptions = {}): Promise<HttpRig> {
  rig = await openHttpRig(options);
  return rig;
}
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]();
  rig = undefined;
});

const json = { 'content-type': 'application/json' };

describe('whatever goes wrong', () => {
  it('is told as JSON of one shape, on the wire', async () => {
    const { http } = await open();
    const { url } = await http.listen();
    const rooms = `${url}/api/v1/rooms`;
    const post = (body: string | Buffer, headers: Record<string, string> = json) =>
      request(rooms, { method: 'POST', headers, body });
    const answers: readonly (readonly [number, string, Awaited<ReturnType<typeof request>>])[] = [
      [404, 'ROUTE_NOT_FOUND', await request(`${url}/api/v1/nothing?x=1`)],
      [404, 'ROUTE_NOT_FOUND', await request(`${url}/api/v2/rooms`)],
      [404, 'ROUTE_NOT_FOUND', await request(`${url}/${'x'.repeat(5_000)}`)],
      [404, 'ROOM_NOT_FOUND', await request(`${rooms}/nowhere`)],
      [405, 'METHOD_NOT_ALLOWED', await request(rooms, { method: 'PATCH', headers: json, body: '{}' })],
      [405, 'METHOD_NOT_ALLOWED', await request(`${url}/health`, { method: 'DELETE' })],
      [400, 'BAD_JSON', await post('{"name":')],
      [400, 'BAD_JSON', await post('{"__proto__":{"x":1},"name":"a"}')],
      [400, 'BAD_JSON', await post('{"constructor":{"prototype":{"x":1}},"name":"a"}')],
      [400, 'VALIDATION', await post('')],
      [400, 'VALIDATION', await post('null')],
      [400, 'VALIDATION', await post('[]')],
      [400, 'VALIDATION', await post('"text"')],
      [400, 'VALIDATION', await request(`${url}/api/v1/devices?removed=maybe`)],
      [415, 'UNSUPPORTED_MEDIA_TYPE', await post('name=a', { 'content-type': 'application/x-www-form-urlencoded' })],
      [413, 'BODY_TOO_LARGE', await post(`"${'x'.repeat(70_000)}"`)],
      [400, 'BAD_URL', await request(`${url}/api/v1/rooms/%zz`)],
      [414, 'URL_TOO_LONG', await request(`${rooms}/${'x'.repeat(200)}`)],
    ];
    for (const [status, code, answer] of answers) {
      expect(answer, code).toMatchObject({ status, body: { code, error: expect.any(String) as string } });
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(
        Object.keys(answer.body).filter((key) => !['error', 'code', 'details', 'reference'].includes(key)),
      ).toEqual([]);
      expect(answer.text.length).toBeLessThan(2_000);
    }
  });

  it('is told as JSON where there is not even a request', async () => {
    const { http } = await open();
    const { port } = await http.listen();
    const cases = [
      ['nonsense\r\n\r\n', 400, 'BAD_REQUEST'],
      [`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
      [
        'POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
        400,
        'BAD_REQUEST',
      ],
    ] as const;
    for (const [bytes, status, code] of cases) {
      const answer = await rawExchange(port, bytes);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ code });
    }
  });

  it('says which methods a path has', async () => {
    const { ask } = await open();
    const wrong = await ask('PATCH', '/api/v1/devices/x');
    expect(wrong.headers['allow']).toBe('DELETE, GET, HEAD, PUT, OPTIONS');
    const options = await ask('OPTIONS', '/api/v1/devices/x');
    expect(options.status).toBe(204);
    expect(options.headers['allow']).toBe('DELETE, GET, HEAD, PUT, OPTIONS');
    expect((await ask('OPTIONS', '/nowhere')).status).toBe(404);
  });

  it('answers HEAD like GET, without the body', async () => {
    const { http } = await open();
    const { url } = await http.listen();
    const [head, get] = [
      await request(`${url}/api/v1/rooms`, { method: 'HEAD' }),
      await request(`${url}/api/v1/rooms`),
    ];
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect((await request(`${url}/nowhere`, { method: 'HEAD' })).status).toBe(404);
  });

  it('names each answer, so that it can be talked about', async () => {
    const { ask } = await open();
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await ask('GET', '/health')).headers['x-request-id']),
    );
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[a-z2-9]{10}$/);
    const given = await ask('GET', '/health', { headers: { 'x-request-id': 'chosen', 'request-id': 'chosen' } });
    expect(given.headers['x-request-id']).not.toBe('chosen');
  });

  it('takes a DELETE with a type and no body, as many clients send it', async () => {
    const { ask } = await open();
    await ask('POST', '/api/v1/rooms', { body: { name: 'Office' } });
    expect((await ask('DELETE', '/api/v1/rooms/office', { headers: json })).status).toBe(200);
  });
});

describe('a failure of ours', () => {
  const broken = () =>
    open({ withStore: (store) => ({ ...store, rooms: () => Promise.reject(new Error('secret path /var/lib/x')) }) });

  it('says nothing of its insides, and is logged once with the reference that it tells', async () => {
    const { ask, log } = await broken();
    const before = log.lines.length;
    const { status, body, headers } = await ask('GET', '/api/v1/rooms', { headers: { 'x-secret': 'abc' } });
    expect(status).toBe(500);
    expect(body).toEqual({
      error: `the server failed to answer; its log says more beside the reference ${String(headers['x-request-id'])}`,
      code: 'INTERNAL',
      reference: headers['x-request-id'],
    });
    const lines = log.lines.slice(before);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: 'error',
      message: 'a request failed',
      fields: { method: 'GET', route: '/api/v1/rooms', reference: headers['x-request-id'] },
    });
    expect(JSON.stringify(lines)).not.toContain('abc');
  });

  it('is counted by the pattern of its route', async () => {
    const { ask } = await broken();
    await ask('GET', '/api/v1/rooms');
    expect((await ask('GET', '/metrics')).text).toContain(
      'techtemp_http_request_duration_seconds_count{method="GET",route="/api/v1/rooms",status="500"} 1',
    );
  });
});

describe('a store in trouble', () => {
  const failing = (error: StoreError) =>
    open({
      withStore: (store) => ({
        ...store,
        rooms: () => Promise.reject(error),
        health: store.health.bind(store),
        devices: store.devices.bind(store),
      }),
    });

  it.each(['STORE_BUSY', 'STORE_FULL', 'STORE_UNAVAILABLE', 'STORE_DAMAGED', 'STORE_NEWER_SCHEMA'] as const)(
    '%s is told as 503 with a time to try again, without naming files',
    async (code) => {
      const { ask } = await failing(new StoreError(code, '/var/lib/techtemp/techtemp.db is ill'));
      const answer = await ask('GET', '/api/v1/rooms');
      expect(answer).toMatchObject({ status: 503, body: { code } });
      expect(answer.headers['retry-after']).toBe('5');
      expect(answer.text).not.toContain('/var/lib');
    },
  );

  it.each([
    ['NOT_FOUND', 404],
    ['EXISTS', 409],
    ['IN_USE', 409],
    ['INVALID', 400],
  ] as const)('a question that was wrong (%s) is told as %i with its own words', async (code, status) => {
    const { ask, log } = await failing(new StoreError(code, 'there is no such thing'));
    const before = log.lines.length;
    expect(await ask('GET', '/api/v1/rooms')).toMatchObject({
      status,
      body: { code, error: 'there is no such thing' },
    });
    expect(log.lines.length).toBe(before);
  });

  it('is logged as a state, not once a request', async () => {
    const { ask, log } = await failing(new StoreError('STORE_FULL', 'no space'));
    const before = log.lines.length;
    for (let index = 0; index < 50; index += 1) await ask('GET', '/api/v1/rooms');
    expect(log.lines.slice(before)).toMatchObject([{ level: 'warn', fields: { error: { code: 'STORE_FULL' } } }]);
  });
});

describe('logging', () => {
  it('says nothing of requests that are answered', async () => {
    const { ask, log } = await open();
    const before = log.lines.length;
    await ask('GET', '/api/v1/rooms');
    await ask('GET', '/nowhere');
    await ask('POST', '/api/v1/rooms', { body: {} });
    expect(log.lines.length).toBe(before);
  });
});
