import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpRig, openHttpRig } from '../../support/http-rig.ts';

const BUILT = resolve(import.meta.dirname, '../../../dist/dashboard');
const PAGES = ['/', '/history', '/devices', '/wall'];

describe.skipIf(!existsSync(BUILT))('the server gives the dashboard', () => {
  let rig: HttpRig;
  let asset: string;

  beforeAll(async () => {
    rig = await openHttpRig({ http: { reading: 'token' } });
    asset = `/assets/${readdirSync(resolve(BUILT, 'assets')).find((name) => /^app-.*\.js$/.test(name)) ?? ''}`;
  });
  afterAll(async () => await rig[Symbol.asyncDispose]());

  it('to everybody, one document for all pages, asked for anew each time', async () => {
    for (const page of PAGES) {
      const { status, headers, text } = await rig.ask('GET', page);
      expect([status, headers['content-type'], headers['cache-control']]).toEqual([
        200,
        'text/html; charset=utf-8',
        'no-cache',
      ]);
      expect(text).toContain('<div id="app">');
    }
    const { headers } = await rig.ask('GET', '/');
    const again = await rig.ask('GET', '/', { headers: { 'if-none-match': String(headers['etag']) } });
    expect(again.status).toBe(304);
  });

  it('with a policy that allows nothing inline and nothing from elsewhere', async () => {
    const { headers, text } = await rig.ask('GET', '/');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:/);
    expect(text).not.toMatch(/<script(?![^>]* src=)|<style|style="| on\w+=/);
    expect(text).not.toMatch(/(?:src|href)="(?:\/|https?:)/);
  });

  it('files whose name has a hash for a year, the worker and the icons with a question each time', async () => {
    const { status, headers } = await rig.ask('GET', asset);
    expect([status, headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable']);
    for (const [file, type] of [
      ['service-worker.js', 'application/javascript; charset=utf-8'],
      ['manifest.webmanifest', 'application/manifest+json'],
      ['icon.svg', 'image/svg+xml'],
      ['icon-192.png', 'image/png'],
    ] as const) {
      const told = await rig.ask('GET', `/${file}`);
      expect([told.status, told.headers['content-type'], told.headers['cache-control']]).toEqual([
        200,
        type,
        'no-cache',
      ]);
    }
  });

  it.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['identity', undefined],
  ])('compressed at build time, for a browser that takes %s', async (accepted, encoding) => {
    const { headers } = await rig.ask('GET', asset, { headers: { 'accept-encoding': accepted } });
    expect(headers['content-encoding']).toBe(encoding);
    expect(String(headers['vary'])).toMatch(/accept-encoding/i);
  });

  it.each([
    '/assets/../index.html.gz',
    '/assets/..%2f..%2fpackage.json',
    '/assets/nothing.js',
    '/index.html.br',
    '/nonsense',
  ])('nothing else: %s is an error like any other', async (path) => {
    const { status, body } = await rig.ask('GET', path);
    expect([400, 404]).toContain(status);
    expect(body['code']).toBeDefined();
  });

  it('under a prefix, and with a slash at its end: the page’s addresses are relative', async () => {
    const prefixed = await openHttpRig({ http: { basePath: '/techtemp' } });
    try {
      expect((await prefixed.ask('GET', '/techtemp/history')).status).toBe(200);
      const { status, headers } = await prefixed.ask('GET', '/techtemp');
      expect([status, headers['location']]).toEqual([308, '/techtemp/']);
    } finally {
      await prefixed[Symbol.asyncDispose]();
    }
  });
});
