import { afterEach, describe, expect, it } from 'vitest';
import { createTokenSecret, hashToken } from '../../../../src/server/tokens.ts';
import { bearer, type HttpRig, type HttpRigOptions, openHttpRig } from '../../../support/http-rig.ts';
import { request } from '../../../support/raw-http.ts';

let rig: HttpRig | undefined;
async function open(options: HttpRigOptions = {}): Promise<HttpRig> {
  rig = await openHttpRig(options);
  return rig;
}
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]();
  rig = undefined;
});

const ROOM = { name: 'Office' };
const WRITES = [
  ['POST', '/api/v1/devices', { device_uid: 'a', room_name: 'x' }],
  ['POST', '/api/v1/devices/batch', { devices: [{ device_uid: 'a', room_name: 'x' }] }],
  ['PUT', '/api/v1/devices/a', { label: 'x' }],
  ['DELETE', '/api/v1/devices/a', undefined],
  ['POST', '/api/v1/rooms', ROOM],
  ['PUT', '/api/v1/rooms/a', ROOM],
  ['DELETE', '/api/v1/rooms/a', undefined],
] as const;
const READS = [
  '/api/v1/devices',
  '/api/v1/devices/a',
  '/api/v1/devices/a/placements',
  '/api/v1/rooms',
  '/api/v1/readings/latest',
  '/api/v1/events',
  '/metrics',
  '/docs/',
  '/docs/json',
];

describe('S19: tokens', () => {
  it('are not needed on loopback', async () => {
    const { ask } = await open();
    expect((await ask('POST', '/api/v1/rooms', { body: ROOM })).status).toBe(201);
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'pi.local'])(
    'are needed for every way to write when listening on %s',
    async (host) => {
      const { ask } = await open({ http: { host } });
      for (const [method, url, body] of WRITES) {
        const answer = await ask(method, url, { body });
        expect(answer, `${method} ${url}`).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="TechTemp"');
      }
      expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
    },
  );

  it('are needed for writing on loopback with writing = token, and for what a proxy passes on', async () => {
    const { ask, configure } = await open();
    const proxied = { 'x-forwarded-for': '203.0.113.7' };
    expect((await ask('POST', '/api/v1/rooms', { body: ROOM, headers: proxied })).status).toBe(401);
    configure({ writing: 'token' });
    expect((await ask('POST', '/api/v1/rooms', { body: ROOM })).status).toBe(401);
  });

  it('with the right to write may write, with the right to read may not', async () => {
    const { ask, token } = await open({ http: { writing: 'token' } });
    const [reader, writer] = [await token('read'), await token('write')];
    const refused = await ask('POST', '/api/v1/rooms', { body: ROOM, headers: bearer(reader) });
    expect(refused).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN', error: 'this token may read but not write' },
    });
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="TechTemp", error="insufficient_scope"');
    expect((await ask('POST', '/api/v1/rooms', { body: ROOM, headers: bearer(writer) })).status).toBe(201);
    expect((await ask('GET', '/api/v1/rooms', { headers: bearer(writer) })).status).toBe(200);
  });

  it('are needed for all reading with reading = token; health and readiness answer everybody', async () => {
    const { ask, token } = await open({ http: { reading: 'token' } });
    for (const url of READS) expect((await ask('GET', url)).status, url).toBe(401);
    expect((await ask('HEAD', '/api/v1/devices')).status).toBe(401);
    const headers = bearer(await token('read'));
    for (const url of READS) {
      if (url === '/api/v1/events') continue;
      expect((await ask('GET', url, { headers })).status, url).not.toBe(401);
    }
    expect((await ask('GET', '/health')).status).toBe(200);
    expect((await ask('GET', '/ready')).body).toEqual({
      status: 'ready',
      parts: {
        clock: { ok: true },
        quarantine: { ok: true },
        database: { ok: true },
        broker: { ok: true },
        ingest: { ok: true },
        disk: { ok: true },
      },
    });
    expect((await ask('GET', '/ready', { headers })).body).toMatchObject({ parts: { ingest: { waiting: 0 } } });
  });

  it('that are unknown, revoked, expired or malformed are refused, also where none is needed', async () => {
    const { ask, token, store, clock } = await open();
    const revoked = await token('write');
    const [{ id } = { id: '' }] = await store.tokens();
    await store.revokeToken(id, clock.nowMs());
    const expired = await token('write', { expiresMs: clock.nowMs() + 1_000 });
    expect((await ask('GET', '/api/v1/rooms', { headers: bearer(expired) })).status).toBe(200);
    await clock.advance(1_000);
    for (const secret of [createTokenSecret(), revoked, expired, 'x', hashToken(revoked)]) {
      const answer = await ask('GET', '/api/v1/rooms', { headers: bearer(secret) });
      expect(answer).toMatchObject({ status: 401, body: { code: 'INVALID_TOKEN' } });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="TechTemp", error="invalid_token"');
    }
  });

  it('count in the header alone, never in an address', async () => {
    const { ask, token } = await open({ http: { reading: 'token' } });
    const secret = await token('write');
    for (const name of ['token', 'access_token', 'authorization']) {
      expect((await ask('GET', `/api/v1/rooms?${name}=${secret}`)).status).toBe(401);
    }
    expect((await ask('GET', '/api/v1/rooms', { headers: { authorization: `bearer  ${secret}` } })).status).toBe(200);
  });

  it('of a proxy in front are none of ours', async () => {
    const { ask } = await open();
    expect((await ask('GET', '/api/v1/rooms', { headers: { authorization: 'Basic dXNlcjpwYXNz' } })).status).toBe(200);
  });

  it('are looked at before a body is read', async () => {
    const { ask } = await open({ http: { writing: 'token' } });
    expect((await ask('POST', '/api/v1/rooms', { body: '{"broken' })).status).toBe(401);
    expect((await ask('POST', '/api/v1/rooms', { body: `"${'x'.repeat(100_000)}"` })).status).toBe(401);
  });

  it('are at rest as SHA-256 only', async () => {
    const { token, store } = await open();
    const secret = await token('read');
    expect(JSON.stringify(await store.tokens())).not.toContain(secret);
    expect(JSON.stringify(await store.tokens())).not.toContain(hashToken(secret));
  });

  it('follow a change of the configuration while the server runs', async () => {
    const { ask, configure } = await open();
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
    configure({ reading: 'token' });
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(401);
    configure({ reading: 'open' });
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
  });
});

describe('GET /api/v1/server', () => {
  it('tells a page what it may do', async () => {
    const { ask, token } = await open({ http: { writing: 'token' } });
    const [reader, writer] = [await token('read'), await token('write')];
    const known = { product: 'TechTemp', name: 'Rue des Lilas 4', version: '1.2.3', time_zone: 'Europe/Paris' };
    const needs = { reading: 'open', writing: 'token' };
    expect((await ask('GET', '/api/v1/server')).body).toEqual({
      data: { ...known, ...needs, rights: 'read', token: 'absent' },
    });
    expect((await ask('GET', '/api/v1/server', { headers: bearer(reader) })).body).toEqual({
      data: { ...known, ...needs, rights: 'read', token: 'valid' },
    });
    expect((await ask('GET', '/api/v1/server', { headers: bearer(writer) })).body).toEqual({
      data: { ...known, ...needs, rights: 'write', token: 'valid' },
    });
  });

  it('tells strangers no more than that a token is needed', async () => {
    const { ask } = await open({ http: { reading: 'token' } });
    const stranger = { product: 'TechTemp', reading: 'token', writing: 'token', rights: 'none' };
    expect((await ask('GET', '/api/v1/server')).body).toEqual({ data: { ...stranger, token: 'absent' } });
    expect((await ask('GET', '/api/v1/server', { headers: bearer(createTokenSecret()) })).body).toEqual({
      data: { ...stranger, token: 'invalid' },
    });
  });
});

describe('secrets', () => {
  it('reach no log line and no answer, whatever fails', async () => {
    const { http, log, token } = await open({
      withStore: (store) => ({
        ...store,
        rooms: () => Promise.reject(new Error('broken on purpose')),
        tokenByHash: store.tokenByHash.bind(store),
      }),
    });
    const secret = await token('read');
    const { url } = await http.listen();
    const failed = await request(`${url}/api/v1/rooms`, { headers: bearer(secret) });
    const refused = await request(`${url}/api/v1/rooms`, { method: 'POST', headers: bearer(`${secret}x`) });
    expect([failed.status, refused.status]).toEqual([500, 401]);
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
    const lines = JSON.stringify(log.lines, (_key, value: unknown) =>
      value instanceof Error ? [value.message, value.stack] : value,
    );
    expect(lines).not.toContain(secret);
    expect(failed.text + refused.text).not.toContain(secret);
  });
});
