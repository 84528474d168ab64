import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../../src/server/http/errors.ts';
import { Limit, Nullable, OneOf, Uid } from '../../../../src/server/http/schemas/common.ts';
import { NewDevice } from '../../../../src/server/http/schemas/devices.ts';
import { compileValidator } from '../../../../src/server/http/validation.ts';

type Schema = Parameters<typeof compileValidator>[0]['schema'];

function check(schema: Schema, httpPart: 'body' | 'querystring', value: unknown): unknown {
  const answer = compileValidator({ schema, method: 'GET', url: '/', httpPart })(value) as {
    error?: unknown;
    value?: unknown;
  };
  return answer.error ?? answer.value;
}

function details(schema: Schema, httpPart: 'body' | 'querystring', value: unknown): ApiError['details'] {
  const error = check(schema, httpPart, value);
  expect(error).toBeInstanceOf(ApiError);
  return (error as ApiError).details;
}

describe('what a request says', () => {
  const query = Type.Object({
    device: Type.Optional(Type.Array(Uid)),
    limit: Type.Optional(Limit(100, 10)),
    flag: Type.Optional(Type.Boolean()),
    order: Type.Optional(OneOf(['asc', 'desc'])),
  });

  it('is read from the texts of a query, with what is left out', () => {
    expect(check(query, 'querystring', { device: 'a', limit: '5', flag: 'true' })).toEqual({
      device: ['a'],
      limit: 5,
      flag: true,
    });
    expect(check(query, 'querystring', { device: ['a', 'b'] })).toEqual({ device: ['a', 'b'], limit: 10 });
  });

  it('is not bent in a body: "5" is not 5', () => {
    const body = Type.Object({ count: Type.Integer() });
    expect(check(body, 'body', { count: 5 })).toEqual({ count: 5 });
    expect(details(body, 'body', { count: '5' })).toEqual([{ field: 'count', problem: 'must be integer' }]);
  });

  it('names the field that is wrong and what is allowed', () => {
    expect(details(query, 'querystring', { order: 'up' })).toEqual([
      { field: 'order', problem: 'must be one of asc, desc' },
    ]);
    expect(details(query, 'querystring', { device: ['a', 'x y'] })).toEqual([
      { field: 'device.1', problem: 'must be 1 to 50 of the characters A-Z a-z 0-9 _ -' },
    ]);
    expect(details(query, 'querystring', { limit: '0' })).toEqual([{ field: 'limit', problem: 'must be >= 1' }]);
    expect(details(NewDevice, 'body', { room_name: 'x' })).toEqual([{ field: 'device_uid', problem: 'is missing' }]);
    expect(details(NewDevice, 'body', { device_uid: 'a', rom_name: 'x' })).toEqual([
      { field: 'rom_name', problem: 'is not known here; known are device_uid, room_name, room_uid, label, model' },
    ]);
    expect(details(NewDevice, 'body', undefined)).toEqual([{ field: 'body', problem: 'must be object' }]);
    expect(details(NewDevice, 'body', null)).toEqual([{ field: 'body', problem: 'must be object' }]);
  });

  it('is not complained about more often than a person reads', () => {
    const many = Array.from({ length: 500 }, () => 7);
    expect(
      details(Type.Object({ list: Type.Array(Type.String()) }), 'body', { list: many })?.length,
    ).toBeLessThanOrEqual(20);
  });

  it('may be null where the schema says so', () => {
    const body = Type.Object({ label: Nullable(Type.String({ maxLength: 3 })) });
    expect(check(body, 'body', { label: null })).toEqual({ label: null });
    expect(details(body, 'body', { label: 'abcd' })).toHaveLength(1);
    expect(details(body, 'body', { label: 4 })).toHaveLength(1);
  });

  it('cannot reach the prototype by a name', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const body = JSON.parse(`{"device_uid":"a","${name}":{"x":1}}`) as unknown;
      expect(details(NewDevice, 'body', body)?.[0]?.field).toBe(name);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
