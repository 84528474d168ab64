import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { bearer, type HttpRig, type HttpRigOptions, openHttpRig } from '../../../support/http-rig.ts';
import { request } from '../../../support/raw-http.ts';
import { opensslInstalled, SmallCa } from '../../../support/small-ca.ts';

const closers: (() => Promise<unknown>)[] = [];
async function open(options: HttpRigOptions = {}): Promise<HttpRig> {
  const rig = await openHttpRig(options);
  closers.push(async () => rig[Symbol.asyncDispose]());
  return rig;
}
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A small reverse proxy, as nginx and Caddy do it. */
async function openProxy(
  target: { readonly port: number },
  { strip = '', host }: { strip?: string; host?: string },
): Promise<string> {
  const proxy = createServer((incoming, answer) => {
    const path = incoming.url ?? '/';
    const headers = {
      ...incoming.headers,
      host: host ?? `127.0.0.1:${target.port}`,
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'house.example',
    };
    const passed = httpRequest(
      {
        port: target.port,
        host: '127.0.0.1',
        method: incoming.method,
        headers,
        path: strip !== '' && path.startsWith(strip) ? path.slice(strip.length) || '/' : path,
      },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => proxy.close(resolve)));
  proxy.unref();
  const address = proxy.address();
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
}

describe.each([
  ['strips the prefix', '/techtemp'],
  ['leaves the prefix', ''],
])('behind a proxy that %s', (_what, strip) => {
  async function behind(): Promise<{ readonly rig: HttpRig; readonly at: string }> {
    const rig = await open({ http: { basePath: '/techtemp' } });
    const address = await rig.http.listen();
    expect(address.url).toBe(`http://127.0.0.1:${address.port}/techtemp`);
    return { rig, at: `${await openProxy(address, { strip })}/techtemp` };
  }

  it('everything is found below the prefix', async () => {
    const { at } = await behind();
    for (const path of [
      '/health',
      '/ready',
      '/metrics',
      '/api/v1/devices?removed=true',
      '/docs',
      '/docs/',
      '/docs/json',
    ]) {
      expect((await request(at + path)).status, path).toBe(200);
    }
    expect((await request(`${at}/nowhere`)).body).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
  });

  it('the documentation finds its files and names the prefix', async () => {
    const { at } = await behind();
    const { text } = await request(`${at}/docs`);
    const files = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      expect(file).toMatch(/^\/techtemp\/docs\/static\//);
      expect((await request(new URL(file, at).href)).status, file).toBe(200);
    }
    expect((await request(`${at}/docs/json`)).body).toMatchObject({ servers: [{ url: '/techtemp' }] });
  });

  it('writing needs a token, for it comes from anywhere', async () => {
    const { rig, at } = await behind();
    const headers = { 'content-type': 'application/json', origin: 'https://house.example' };
    const body = JSON.stringify({ name: 'Office' });
    expect((await request(`${at}/api/v1/rooms`, { method: 'POST', headers, body })).status).toBe(401);
    const allowed = { ...headers, ...bearer(await rig.token('write')) };
    expect((await request(`${at}/api/v1/rooms`, { method: 'POST', headers: allowed, body })).status).toBe(201);
  });
});

describe('the word of a proxy', () => {
  it('about its own name is believed from trusted ones alone', async () => {
    const body = { name: 'Office' };
    const headers = {
      origin: 'https://house.example',
      'x-forwarded-host': 'house.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '203.0.113.7',
    };
    const trusting = await open({ http: { trustProxy: ['loopback'] } });
    const token = bearer(await trusting.token('write'));
    expect((await trusting.ask('POST', '/api/v1/rooms', { body, headers: { ...headers, ...token } })).status).toBe(201);
    const careful = await open({ http: { trustProxy: ['10.0.0.0/8'] } });
    const other = bearer(await careful.token('write'));
    expect(await careful.ask('POST', '/api/v1/rooms', { body, headers: { ...headers, ...other } })).toMatchObject({
      status: 403,
      body: { code: 'CROSS_ORIGIN' },
    });
  });

  it('that passes its own name on needs that name in the configuration', async () => {
    const rig = await open({ http: { corsOrigins: [] } });
    const at = await openProxy(await rig.http.listen(), { host: 'house.example' });
    expect(await request(`${at}/api/v1/rooms`)).toMatchObject({
      status: 421,
      body: { error: expect.stringContaining('add its origin to http.cors_origins') as string },
    });
    rig.configure({ corsOrigins: ['https://house.example'] });
    expect((await request(`${at}/api/v1/rooms`)).status).toBe(200);
  });
});

describe.skipIf(!opensslInstalled)('TLS of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-tls-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('serves HTTPS with the configured files, and says so to browsers', async () => {
    const ca = new SmallCa(folder);
    const { certFile, keyFile } = ca.issue('server');
    const { http } = await open({ http: { tlsCertFile: certFile, tlsKeyFile: keyFile } });
    const { url } = await http.listen();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const answer = await request(`${url}/health`, { ca: readFileSync(ca.certFile, 'utf8') });
    expect(answer.status).toBe(200);
    expect(answer.headers['strict-transport-security']).toBe('max-age=15552000');
    await expect(request(`${url}/health`)).rejects.toThrow(/certificate/);
    await expect(request(url.replace('https', 'http'))).rejects.toThrow();
    expect(http.app.server.headersTimeout).toBe(10_000);
  });

  it('is not there without the files, which are named', async () => {
    const missing = join(folder, 'missing.pem');
    await expect(open({ http: { tlsCertFile: missing, tlsKeyFile: missing } })).rejects.toThrow(
      `http.tls_cert_file: ${missing} cannot be read (ENOENT`,
    );
    await expect(open({ http: { tlsCertFile: missing } })).rejects.toThrow(/belong together/);
  });
});
