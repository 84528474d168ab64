import { afterEach, describe, expect, it } from 'vitest';
import { createTokenSecret } from '../../../../src/server/tokens.ts';
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

const body = JSON.stringify({ name: 'Office' });
const json = { 'content-type': 'application/json' };

describe('pages of other origins', () => {
  it.each([
    ['Origin', { origin: 'https://evil.example' }],
    ['an opaque Origin', { origin: 'null' }],
    ['another port of this machine', { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-site' }],
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
    ['https instead of http', { origin: 'https://localhost:3000' }],
  ])('cannot write (%s)', async (_how, headers) => {
    const { ask, store } = await open();
    for (const [method, url] of [
      ['POST', '/api/v1/rooms'],
      ['PUT', '/api/v1/rooms/x'],
      ['DELETE', '/api/v1/rooms/x'],
    ] as const) {
      const answer = await ask(method, url, { body: { name: 'Office' }, headers });
      expect(answer, method).toMatchObject({ status: 403, body: { code: 'CROSS_ORIGIN' } });
    }
    expect(await store.rooms()).toEqual([]);
  });

  it('cannot write with what a form can send', async () => {
    const { http, store } = await open();
    const { url } = await http.listen();
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      undefined,
      'application/jsonp',
    ]) {
      const headers = type === undefined ? {} : { 'content-type': type };
      const answer = await request(`${url}/api/v1/rooms`, { method: 'POST', headers, body });
      expect(answer, String(type)).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    }
    expect(await store.rooms()).toEqual([]);
  });

  it('of our own can', async () => {
    const { http, ask } = await open();
    const { url } = await http.listen();
    const origin = new URL(url).origin;
    expect((await request(`${url}/api/v1/rooms`, { method: 'POST', headers: { ...json, origin }, body })).status).toBe(
      201,
    );
    const browser = { ...json, origin, 'sec-fetch-site': 'same-origin' };
    expect((await ask('PUT', '/api/v1/rooms/office', { body: { name: 'A' }, headers: browser })).status).toBe(200);
    expect(
      (await ask('PUT', '/api/v1/rooms/office', { body: { name: 'B' }, headers: { 'sec-fetch-site': 'none' } })).status,
    ).toBe(200);
  });

  it('S19: get no leave to read either, unless the configuration names them', async () => {
    const { ask, configure } = await open();
    const headers = { origin: 'https://climate.example' };
    expect((await ask('GET', '/api/v1/rooms', { headers })).headers['access-control-allow-origin']).toBeUndefined();
    configure({ corsOrigins: ['https://climate.example'] });
    const allowed = await ask('GET', '/api/v1/rooms', { headers });
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://climate.example',
      'cross-origin-resource-policy': 'cross-origin',
      vary: 'Origin',
    });
    expect(allowed.headers['access-control-allow-credentials']).toBeUndefined();
    const other = await ask('GET', '/api/v1/rooms', { headers: { origin: 'https://climate.example.evil.example' } });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    expect(
      (
        await ask('POST', '/api/v1/rooms', {
          body: { name: 'A' },
          headers: { ...headers, 'sec-fetch-site': 'cross-site' },
        })
      ).status,
    ).toBe(201);
  });

  it('are told in a preflight what they may send', async () => {
    const { ask } = await open({ http: { corsOrigins: ['https://climate.example'], reading: 'token' } });
    const preflight = (origin: string) =>
      ask('OPTIONS', '/api/v1/rooms', {
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      });
    const allowed = await preflight('https://climate.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://climate.example',
      'access-control-allow-headers': 'authorization, content-type, last-event-id',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
    });
    expect((await preflight('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('a name that was bound to this machine', () => {
  it.each([{}, { 'x-forwarded-for': '192.0.2.1' }, { 'x-forwarded-host': 'localhost' }])(
    'opens nothing on a server that listens on loopback (%j)',
    async (forged) => {
      const { http } = await open();
      const { url, port } = await http.listen();
      for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
        for (const path of ['/api/v1/rooms', '/api/v1/server', '/metrics', '/health']) {
          const answer = await request(url + path, { headers: { host, ...forged } });
          expect(answer, `${host} ${path}`).toMatchObject({ status: 421, body: { code: 'HOST_NOT_ALLOWED' } });
        }
      }
    },
  );

  it('is not a name of this machine', async () => {
    const { http } = await open();
    const { url, port } = await http.listen();
    for (const host of [
      'localhost',
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      'pi.localhost:80',
      'LOCALHOST.',
      '192.168.1.5',
    ]) {
      expect((await request(`${url}/api/v1/rooms`, { headers: { host } })).status, host).toBe(200);
    }
  });

  it('may be one that the configuration names, or that comes with a token', async () => {
    const { ask, token } = await open({ http: { corsOrigins: ['https://house.example'] } });
    expect((await ask('GET', '/api/v1/rooms', { headers: { host: 'house.example' } })).status).toBe(200);
    const headers = { host: 'other.example', ...bearer(await token('read')) };
    expect((await ask('GET', '/api/v1/rooms', { headers })).status).toBe(200);
    const wrong = { host: 'other.example', ...bearer(createTokenSecret()) };
    expect((await ask('GET', '/api/v1/rooms', { headers: wrong })).status).toBe(401);
    expect((await ask('GET', '/api/v1/server', { headers: wrong })).text).not.toContain('Lilas');
  });

  it('is no matter beyond loopback, where names are unknown', async () => {
    const { ask } = await open({ http: { host: '0.0.0.0' } });
    expect((await ask('GET', '/api/v1/rooms', { headers: { host: 'pi.fritz.box' } })).status).toBe(200);
  });
});

describe('headers of every answer', () => {
  it('tell browsers to be strict', async () => {
    const { ask } = await open();
    for (const path of ['/api/v1/rooms', '/nowhere', '/health']) {
      const { headers } = await ask('GET', path);
      expect(headers, path).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      });
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(headers['strict-transport-security']).toBeUndefined();
      expect(headers['x-powered-by'] ?? headers['server']).toBeUndefined();
    }
  });

  it('loosen styles for the documentation alone, never scripts', async () => {
    const { ask } = await open();
    for (const path of ['/docs', '/docs/', '/docs/static/swagger-ui.css', '/docs/static/swagger-initializer.js']) {
      const { status, headers } = await ask('GET', path);
      expect(status, path).toBe(200);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("style-src 'self' 'unsafe-inline'");
      expect(policy).not.toMatch(/unsafe-eval|https?:/);
    }
  });
});
