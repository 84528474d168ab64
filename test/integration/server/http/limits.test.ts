import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpRig, type HttpRigOptions, openHttpRig } from '../../../support/http-rig.ts';
import { rawExchange, request } from '../../../support/raw-http.ts';
import { until } from '../../../support/until.ts';

let rig: HttpRig | undefined;
async function open(options: HttpRigOptions = {}): Promise<HttpRig> {
  rig = await openHttpRig(options);
  return rig;
}
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]();
  rig = undefined;
});

describe('S19: the rate limit', () => {
  it('refuses what is too much from one address, and says when to come back', async () => {
    const { http } = await open({ http: { ratePerMinute: 3 } });
    const { url } = await http.listen();
    for (let index = 0; index < 3; index += 1) expect((await request(`${url}/api/v1/rooms`)).status).toBe(200);
    const refused = await request(`${url}/api/v1/rooms`);
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('counts unknown paths and wrong tokens too, and never refuses health', async () => {
    const { ask } = await open({ http: { ratePerMinute: 3, writing: 'token' } });
    await ask('GET', '/nowhere');
    await ask('GET', '/nowhere');
    await ask('POST', '/api/v1/rooms', { body: {}, headers: { authorization: 'Bearer guess' } });
    expect((await ask('GET', '/nowhere')).status).toBe(429);
    expect((await ask('POST', '/api/v1/rooms', { body: {}, headers: { authorization: 'Bearer guess' } })).status).toBe(
      429,
    );
    expect((await ask('GET', '/health')).status).toBe(200);
    expect((await ask('GET', '/ready')).status).toBe(200);
  });

  it('follows the configuration while the server runs; 0 is none', async () => {
    const { ask, configure } = await open({ http: { ratePerMinute: 1 } });
    await ask('GET', '/api/v1/rooms');
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(429);
    configure({ ratePerMinute: 100 });
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
    configure({ ratePerMinute: 1 });
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(429);
    configure({ ratePerMinute: 0 });
    expect((await ask('GET', '/api/v1/rooms')).status).toBe(200);
  });

  it('is of the address that a trusted proxy tells, and of no address that anybody else tells', async () => {
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    const trusting = await open({ http: { ratePerMinute: 1, trustProxy: ['loopback'] } });
    expect((await trusting.ask('GET', '/api/v1/rooms', from('192.0.2.1'))).status).toBe(200);
    expect((await trusting.ask('GET', '/api/v1/rooms', from('192.0.2.2'))).status).toBe(200);
    expect((await trusting.ask('GET', '/api/v1/rooms', from('192.0.2.1'))).status).toBe(429);
    await trusting[Symbol.asyncDispose]();
    const careful = await open({ http: { ratePerMinute: 1, trustProxy: [] } });
    expect((await careful.ask('GET', '/api/v1/rooms', from('192.0.2.1'))).status).toBe(200);
    expect((await careful.ask('GET', '/api/v1/rooms', from('192.0.2.2'))).status).toBe(429);
  });
});

describe('the limit of bodies', () => {
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    request(`${url}/api/v1/rooms`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
  const ofSize = (bytes: number) => JSON.stringify({ name: 'x'.repeat(bytes - 11) });

  it('is the configured one, to the byte, and follows it while the server runs', async () => {
    const { http, configure } = await open({ http: { maxBodyBytes: 50 } });
    const { url } = await http.listen();
    expect((await post(url, ofSize(50))).status).toBe(201);
    expect(await post(url, ofSize(51))).toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } });
    configure({ maxBodyBytes: 60 });
    expect((await post(url, ofSize(60))).status).toBe(201);
  });

  it('holds for bodies that announce no length, and counts bytes, not letters', async () => {
    const { http } = await open({ http: { maxBodyBytes: 50 } });
    const { url } = await http.listen();
    expect((await post(url, ofSize(51), { 'transfer-encoding': 'chunked' })).status).toBe(413);
    expect((await post(url, JSON.stringify({ name: 'é'.repeat(30) }), { 'transfer-encoding': 'chunked' })).status).toBe(
      413,
    );
  });

  it('ends a connection whose announced body will not be read', async () => {
    const { http } = await open({ http: { maxBodyBytes: 50 } });
    const { port } = await http.listen();
    const head = 'POST /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const answer = await rawExchange(port, `${head}Content-Length: 1000000\r\n\r\n{`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer.toLowerCase()).toContain('connection: close');
  });
});

describe('connections', () => {
  it('that never finish their request are ended and told why', async () => {
    const { http } = await open();
    const { port } = await http.listen();
    // The times are the machine's own: shortened here, so that the test tells what happens, not how long it takes.
    http.app.server.headersTimeout = 300;
    const slow = rawExchange(port, 'GET /api/v1/rooms HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    const answer = await slow;
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('REQUEST_TIMEOUT');
  });

  it('have limits that end slow and idle ones, and of their number', async () => {
    const { http } = await open();
    const { server } = http.app;
    expect(server.headersTimeout).toBe(10_000);
    expect(server.requestTimeout).toBe(30_000);
    expect(server.keepAliveTimeout).toBeGreaterThan(60_000);
    expect(server.maxConnections).toBe(256);
  });

  it('above the number are closed at once, and those before them go on', async () => {
    const { http } = await open();
    const { port, url } = await http.listen();
    http.app.server.maxConnections = 5;
    const sockets = Array.from({ length: 5 }, () => connect({ host: '127.0.0.1', port }));
    const count = (): Promise<number> =>
      new Promise((resolve, reject) => {
        http.app.server.getConnections((error, number) => (error === null ? resolve(number) : reject(error)));
      });
    await until('five connections', async () => (await count()) === 5);
    await expect(request(`${url}/health`)).rejects.toThrow();
    sockets[0]?.destroy();
    await until('four connections', async () => (await count()) === 4);
    expect((await request(`${url}/health`)).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

describe('closing', () => {
  it('ends idle connections and lets nobody wait', async () => {
    const { http } = await open();
    const { port } = await http.listen();
    const idle = connect({ host: '127.0.0.1', port });
    await new Promise((resolve) => idle.once('connect', resolve));
    const ended = new Promise((resolve) => idle.once('close', resolve));
    idle.resume();
    await http.close();
    await ended;
  });

  it('cuts answers that do not end, after a limit', async () => {
    let stuck = false;
    const { http, clock } = await open({
      withStore: (store) => ({
        ...store,
        rooms: () => {
          stuck = true;
          return new Promise(() => undefined);
        },
      }),
    });
    const { url } = await http.listen();
    const hanging = request(`${url}/api/v1/rooms`).then(
      () => 'answered',
      () => 'cut',
    );
    await until('the request hangs', () => stuck);
    const closing = http.close();
    await until('it waits', () => clock.sleepers() > 0);
    await clock.advance(5_000);
    await closing;
    expect(await hanging).toBe('cut');
  });

  it('tells those who stream', async () => {
    const { http } = await open();
    expect(http.app.closing.aborted).toBe(false);
    await http.close();
    expect(http.app.closing.aborted).toBe(true);
  });
});
