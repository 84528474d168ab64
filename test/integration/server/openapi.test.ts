import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiRig } from '../../support/api-rig.ts';

/** What the server says of itself at /docs/json, held against what it does. */

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean }[];
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Call {
  readonly operation: string;
  readonly url: string;
  readonly body?: object;
  readonly status: number;
}

const FROM = 'from=2026-06-15T00:00:00Z';
/** Each documented operation, asked well and badly. Carried out in this order: later ones see what earlier ones did. */
const CALLS: readonly Call[] = [
  { operation: 'GET /health', url: '/health', status: 200 },
  { operation: 'GET /ready', url: '/ready', status: 200 },
  { operation: 'GET /metrics', url: '/metrics', status: 200 },
  { operation: 'GET /api/v1/server', url: '/api/v1/server', status: 200 },

  ...all('POST /api/v1/devices', '/api/v1/devices', [
    [{ device_uid: 'new-1', room_name: 'Bureau', label: 'Window' }, 201],
    [{ device_uid: 'new-1', room_name: 'Bureau' }, 409],
    [{ room_name: 'Bureau' }, 400],
    [{ device_uid: 'x y/z', room_name: 'Bureau' }, 400],
  ]),
  ...all('POST /api/v1/devices/batch', '/api/v1/devices/batch', [
    [
      {
        devices: [
          { device_uid: 'new-2', room_name: 'Bureau' },
          { device_uid: 'new-3', room_name: 'Hall' },
        ],
      },
      201,
    ],
    [
      {
        devices: [
          { device_uid: 'new-4', room_name: 'Hall' },
          { device_uid: 'new-1', room_name: 'Hall' },
        ],
      },
      409,
    ],
    [{ devices: 'all' }, 400],
  ]),
  { operation: 'GET /api/v1/devices', url: '/api/v1/devices', status: 200 },
  { operation: 'GET /api/v1/devices', url: '/api/v1/devices?removed=true', status: 200 },
  { operation: 'GET /api/v1/devices', url: '/api/v1/devices?removed=perhaps', status: 400 },
  { operation: 'GET /api/v1/devices/{uid}', url: '/api/v1/devices/full', status: 200 },
  { operation: 'GET /api/v1/devices/{uid}', url: '/api/v1/devices/nobody', status: 404 },
  ...all('PUT /api/v1/devices/{uid}', '/api/v1/devices/new-1', [
    [{ label: 'Door', room_name: 'Hall' }, 200],
    [{ label: 7 }, 400],
    [{ moved_at: '2026-06-15T00:00:00Z' }, 400],
  ]),
  { operation: 'PUT /api/v1/devices/{uid}', url: '/api/v1/devices/nobody', body: { label: 'x' }, status: 404 },
  { operation: 'GET /api/v1/devices/{uid}/placements', url: '/api/v1/devices/new-1/placements', status: 200 },
  { operation: 'GET /api/v1/devices/{uid}/placements', url: '/api/v1/devices/nobody/placements', status: 404 },

  ...all('POST /api/v1/rooms', '/api/v1/rooms', [
    [{ name: 'Grenier', floor: '2', is_outdoors: false }, 201],
    [{ name: 'Grenier' }, 409],
    [{ name: '' }, 400],
  ]),
  { operation: 'GET /api/v1/rooms', url: '/api/v1/rooms', status: 200 },
  { operation: 'GET /api/v1/rooms/{uid}', url: '/api/v1/rooms/salon', status: 200 },
  { operation: 'GET /api/v1/rooms/{uid}', url: '/api/v1/rooms/nowhere', status: 404 },
  ...all('PUT /api/v1/rooms/{uid}', '/api/v1/rooms/salon', [
    [{ name: 'Salon bleu', floor: null, side: 'south' }, 200],
    [{ name: 3 }, 400],
  ]),
  { operation: 'PUT /api/v1/rooms/{uid}', url: '/api/v1/rooms/nowhere', body: { name: 'x' }, status: 404 },
  { operation: 'DELETE /api/v1/rooms/{uid}', url: '/api/v1/rooms/grenier', status: 200 },
  { operation: 'DELETE /api/v1/rooms/{uid}', url: '/api/v1/rooms/salon', status: 409 },
  { operation: 'DELETE /api/v1/rooms/{uid}', url: '/api/v1/rooms/nowhere', status: 404 },

  ...asked('/api/v1/readings/latest', [
    ['', 200],
    ['?deviceId=full&roomId=salon', 200],
    ['?deviceId=nobody', 200],
    [`?deviceId=${'x'.repeat(300)}`, 400],
  ]),
  ...asked('/api/v1/readings', [
    ['?limit=2', 200],
    [`?device=full&${FROM}&order=desc`, 200],
    ['?room=salon', 200],
    ['?device=nobody', 404],
    ['?room=nowhere', 404],
    ['?device=full&room=salon', 400],
    ['?limit=0', 400],
    ['?order=random', 400],
    ['?after=nonsense', 400],
    ['?from=2026-13-01T00:00:00Z', 400],
  ]),
  ...['?limit=2', '?bucket=hour', '?bucket=day&tz=Asia/Kathmandu'].map((query): Call => readingsOf('full', query, 200)),
  readingsOf('nobody', '', 404),
  readingsOf('full', '?limit=10001', 400),
  readingsOf('full', '?bucket=week', 400),
  ...asked('/api/v1/series', [
    ['?device=full', 200],
    [`?device=full&device=old&room=salon&bucket=1h&${FROM}&tz=Asia/Kolkata`, 200],
    [`?room=salon&bucket=raw&${FROM}`, 200],
    [`?bucket=1d&${FROM}`, 200],
    ['?device=nobody', 404],
    ['?room=nowhere', 404],
    ['?bucket=7m', 400],
    ['?bucket=1y', 400],
    ['?points=9', 400],
    ['?tz=Nowhere', 400],
    ['?bucket=1m&from=2000-01-01', 400],
  ]),
  ...asked('/api/v1/statistics', [
    ['?device=full', 200],
    ['?device=old&room=salon', 200],
    [`?${FROM}`, 200],
    ['?device=nobody', 404],
    ['?from=0', 400],
    ['?tz=Nowhere', 400],
  ]),
  ...asked('/api/v1/gaps', [
    ['?limit=1', 200],
    ['?device=full', 200],
    [`?${FROM}&to=2026-06-15T12:00:00Z`, 200],
    ['?device=nobody', 404],
    ['?limit=1001', 400],
    ['?after=nonsense', 400],
  ]),
  ...asked('/api/v1/rejected', [
    ['?limit=1', 200],
    ['?reason=not-json&device=full', 200],
    ['?reason=ugly', 400],
    ['?after=nonsense', 400],
  ]),
  ...asked('/api/v1/quarantine', [
    ['', 200],
    ['?limit=1&device=full', 200],
    ['?limit=0', 400],
    ['?after=nonsense', 400],
  ]),
  ...asked('/api/v1/quarantine/summary', [['', 200]]),
  ...all('POST /api/v1/quarantine/release', '/api/v1/quarantine/release', [
    [{}, 400],
    [{ device: 'older', all: true }, 400],
    [{ device: 'nobody' }, 404],
    [{ all: true }, 200],
  ]),
  ...all('POST /api/v1/quarantine/drop', '/api/v1/quarantine/drop', [
    [{ device: 'full' }, 400],
    [{ device: 'full', reason: ' ' }, 400],
    [{ device: 'full', id: 1, reason: 'twice' }, 400],
    [{ device: 'full', reason: 'it lay in the sun' }, 200],
    [{ all: true, reason: 'nothing is left' }, 404],
  ]),
  ...asked('/api/v1/verdict', [
    ['', 200],
    ['?device=full', 200],
    [`?${FROM}&to=2026-06-15T12:00:00Z`, 200],
    ['?device=nobody', 404],
    ['?devise=full', 400],
    ['?from=yesterday', 400],
  ]),
  ...all('POST /api/v1/gaps/dismissals', '/api/v1/gaps/dismissals', [
    [{ device_id: 'full', epoch: 'k3v9x2', seq: 32, reason: 'forged' }, 200],
    [{ device_id: 'full', epoch: 'e1', seq: 999, reason: 'forged' }, 404],
    [{ device_id: 'full', epoch: 'e1', seq: 999 }, 400],
  ]),
  ...asked('/api/v1/export', [
    ['', 200],
    ['?format=jsonl&device=full', 200],
    ['?format=csv&room=salon', 200],
    ['?format=xml', 400],
    ['?device=nobody', 404],
    ['?room=nowhere&device=full', 400],
  ]),
  ...asked('/api/v1/events', [[`?lastEventId=${'x'.repeat(101)}`, 400]]),

  { operation: 'DELETE /api/v1/devices/{uid}', url: '/api/v1/devices/new-2', status: 200 },
  { operation: 'DELETE /api/v1/devices/{uid}', url: '/api/v1/devices/full?readings=delete', status: 200 },
  { operation: 'DELETE /api/v1/devices/{uid}', url: '/api/v1/devices/nobody', status: 404 },
  { operation: 'DELETE /api/v1/devices/{uid}', url: '/api/v1/devices/new-3?readings=sell', status: 400 },
];

let rig: ApiRig;
let document: Document;
const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));

beforeAll(async () => {
  rig = await ApiRig.open();
  document = (await rig.ask('/docs/json')).body as Document;
  await fill(rig);
});
afterAll(() => rig.close());

describe('the OpenAPI document', () => {
  it('is valid', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate({ ...structuredClone(document) });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('describes exactly the operations that are asked here', () => {
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual([...new Set(CALLS.map(({ operation }) => operation))].sort());
  });

  it('describes every route of the API that there is, and no other', () => {
    // Fastify prints its routing tree; a HEAD comes with each GET. The dashboard's files are no part of the API.
    const tree = rig.http.app.printRoutes({ commonPrefix: false });
    const routes = [...routesOf(tree)].filter((route) =>
      /^(?!HEAD|OPTIONS).* \/(api\/|health|ready|metrics)/.test(route),
    );
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(routes.sort()).toEqual(documented.sort());
  });

  it('asks for no parameter that has a default', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { parameters = [] } of Object.values(methods)) {
        expect(
          parameters.filter((one) => one.in === 'query' && one.required === true).map(({ name }) => `${path} ${name}`),
        ).toEqual([]);
      }
    }
  });

  it('is asked for every operation with good and with bad input', () => {
    // These take nothing that could be wrong.
    const plain = [
      'GET /health',
      'GET /ready',
      'GET /metrics',
      'GET /api/v1/server',
      'GET /api/v1/rooms',
      'GET /api/v1/events',
      'GET /api/v1/quarantine/summary',
    ];
    for (const operation of new Set(CALLS.map((call) => call.operation))) {
      const statuses = CALLS.filter((call) => call.operation === operation).map(({ status }) => status);
      if (plain.includes(operation)) continue;
      expect([operation, statuses.some((status) => status < 300), statuses.some((status) => status >= 400)]).toEqual([
        operation,
        true,
        true,
      ]);
    }
  });
});

describe('answers are as documented', () => {
  it.each(CALLS)('$operation: $url → $status', async ({ operation, url, body, status }) => {
    const [method, path] = operation.split(' ') as [Method, string];
    const answer = await rig.ask(url, method, body);
    expect([answer.status, answer.text.slice(0, 500)]).toEqual([status, answer.text.slice(0, 500)]);
    const described = responseFor(path, method, answer.status);
    const type = String(answer.headers['content-type']).split(';')[0] ?? '';
    const schema = described.content?.[type]?.schema;
    expect([type, schema]).toEqual([type, expect.any(Object)]);
    const validate: ValidateFunction = ajv.compile(closed(schema ?? false) as object);
    const value: unknown = type === 'application/json' ? answer.body : answer.text;
    expect([validate(value), validate.errors]).toEqual([true, null]);
  });

  it('GET /api/v1/events: text/event-stream', () => {
    const type = Object.keys(responseFor('/api/v1/events', 'GET', 200).content ?? {});
    expect(type).toEqual(['text/event-stream']);
  });
});

function responseFor(path: string, method: Method, status: number) {
  const responses = document.paths[path]?.[method.toLowerCase()]?.responses ?? {};
  const described = responses[String(status)] ?? responses[`${String(status)[0]}XX`];
  if (described === undefined) throw new Error(`${method} ${path} answers ${status}, which is not documented`);
  return described;
}

/** The schema with every object closed, so that a field which is not documented fails, too. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return 'properties' in copy && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
}

/** `GET /path` of each line of Fastify's tree. */
function* routesOf(tree: string): Generator<string> {
  const parents: string[] = [];
  for (const line of tree.split('\n')) {
    const [, indent = '', path = '', methods] = /^([│├└─\s]*)(\S*)(?: \(([A-Z, ]+)\))?/u.exec(line) ?? [];
    const depth = indent.length / 4;
    parents[depth] = path;
    if (methods === undefined) continue;
    const whole = parents.slice(0, depth + 1).join('');
    for (const method of methods.split(', ')) yield `${method} ${whole === '' ? '/' : whole}`;
  }
}

function all(
  operation: string,
  url: string,
  bodies: readonly (readonly [body: object, status: number])[],
): readonly Call[] {
  return bodies.map(([body, status]) => ({ operation, url, body, status }));
}

function asked(path: string, queries: readonly (readonly [query: string, status: number])[]): readonly Call[] {
  return queries.map(([query, status]) => ({ operation: `GET ${path}`, url: `${path}${query}`, status }));
}

function readingsOf(uid: string, query: string, status: number): Call {
  return { operation: 'GET /api/v1/devices/{uid}/readings', url: `/api/v1/devices/${uid}/readings${query}`, status };
}

/** A record that has something of everything: numbered and older readings, gaps with and without ends, rejected messages. */
async function fill(into: ApiRig): Promise<void> {
  await into.ask('/api/v1/devices', 'POST', { device_uid: 'full', room_name: 'Salon' });
  await into.status('full', {
    state: 'online',
    version: '1.2.3',
    interval_s: 30,
    delivery: 'receipt',
    sensor: { state: 'fault', description: 'AHT20', error: 'SENSOR_CRC', failures: 3, crc_errors: 2, missed: 1 },
    journal: { epoch: 'k3v9x2', state: 'memory', buffered: 7, dropped: 0, error: 'disk full' },
    clock: { state: 'synced', last_step_ms: 12 },
    config: { state: 'rejected', error: 'line 3' },
    last_error: 'SENSOR_CRC',
  });
  const startMs = Date.parse('2026-06-15T06:00:00Z');
  const number = (seq: number) => ({ epoch: 'k3v9x2', seq });
  await into.readings(
    'full',
    Array.from({ length: 20 }, (_, index) => ({ at: startMs + index * 30_000, t: index / 2, ...number(index + 1) })),
  );
  await into.readings('old', [{ at: startMs, t: -3, h: 0 }]);
  const gap = {
    ofEpoch: 'k3v9x2',
    from: 21,
    to: 30,
    count: 10,
    reason: 'thinned',
    fromTsMs: startMs + 600_000,
    toTsMs: startMs + 900_000,
  } as const;
  await into.commit([
    into.items('full', [
      {
        temperatureCelsius: 1,
        humidityPercent: 2,
        tsMs: startMs + 1_000_000,
        ...number(31),
        clock: 'unsynced',
        trigger: 'command',
      },
      { gap, tsMs: startMs + 1_000_000, ...number(32) },
      { gap: { ofEpoch: 'lost', from: 1, reason: 'damaged' }, tsMs: startMs + 1_000_001, ...number(33) },
    ]),
    {
      ...into.items('full', []),
      bad: ['{"ts":1}', '{"ts":2}'].map((payload, index) => ({
        reason: 'bad-shape' as const,
        detail: 'before the year 2000',
        payload,
        payloadBytes: payload.length,
        tsMs: 1,
        ...number(40 + index),
      })),
    },
    ...['{', 'not json'].map((payload) => ({
      kind: 'rejected' as const,
      topic: 'home/h/sensors/full/reading',
      receivedMs: into.clock.nowMs(),
      deviceUid: 'full',
      reason: 'not-json' as const,
      detail: `not JSON: ${payload}`,
      payload,
      payloadBytes: payload.length,
    })),
    {
      kind: 'rejected',
      topic: 'nonsense',
      receivedMs: into.clock.nowMs(),
      reason: 'bad-topic',
      detail: 'x',
      payload: '',
      payloadBytes: 0,
    },
  ]);
}
