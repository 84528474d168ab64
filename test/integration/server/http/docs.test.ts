import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpRig, openHttpRig } from '../../../support/http-rig.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly securitySchemes: Readonly<Record<string, unknown>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let rig: HttpRig;
let document: OpenApi;
beforeAll(async () => {
  rig = await openHttpRig();
  document = (await rig.ask('GET', '/docs/json')).body as unknown as OpenApi;
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

function operations(): readonly (readonly [name: string, operation: Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );
}

describe('the OpenAPI document', () => {
  it('is one of version 3.1 about this version', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document.info.version).toBe('1.2.3');
    expect(document.components.securitySchemes).toMatchObject({ token: { type: 'http', scheme: 'bearer' } });
  });

  it('has the routes of devices, rooms and the server', () => {
    const names = operations().map(([name]) => name);
    for (const name of [
      'GET /health',
      'GET /ready',
      'GET /metrics',
      'GET /api/v1/server',
      'GET /api/v1/devices',
      'POST /api/v1/devices',
      'POST /api/v1/devices/batch',
      'GET /api/v1/devices/{uid}',
      'PUT /api/v1/devices/{uid}',
      'DELETE /api/v1/devices/{uid}',
      'GET /api/v1/devices/{uid}/placements',
      'GET /api/v1/rooms',
      'POST /api/v1/rooms',
      'GET /api/v1/rooms/{uid}',
      'PUT /api/v1/rooms/{uid}',
      'DELETE /api/v1/rooms/{uid}',
    ]) {
      expect(names).toContain(name);
    }
  });

  it('says of each what it is for, whether it needs a token, and how it fails', () => {
    const tags = new Set(document.tags.map(({ name }) => name));
    const ids = operations().map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [name, operation] of operations()) {
      expect(operation.operationId, name).toMatch(/^[a-z][A-Za-z]+$/);
      expect(operation.summary, name).toBeTruthy();
      expect(
        operation.tags?.every((tag) => tags.has(tag)),
        name,
      ).toBe(true);
      const isOpen = ['GET /health', 'GET /ready', 'GET /api/v1/server'].includes(name);
      expect(operation.security, name).toEqual(isOpen ? undefined : [{}, { token: [] }]);
      if (name !== 'GET /health' && name !== 'GET /ready') expect(operation.responses, name).toHaveProperty('4XX');
    }
  });

  it('tells nothing of the files of the page', () => {
    expect(
      operations()
        .map(([name]) => name)
        .filter((name) => name.includes('/docs') || name.includes('*')),
    ).toEqual([]);
  });
});

describe('the page', () => {
  it('asks nothing of the outside', async () => {
    const page = await rig.ask('GET', '/docs/');
    const files = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThan(4);
    expect(files.filter((file) => /^(?:https?:)?\/\//.test(file))).toEqual([]);
    const initializer = await rig.ask('GET', '/docs/static/swagger-initializer.js');
    expect(initializer.text).toContain('validatorUrl: null');
    expect(initializer.text).not.toMatch(/https?:\/\/(?!stackoverflow)/);
  });
});
