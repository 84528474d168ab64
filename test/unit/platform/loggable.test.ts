import { expect, test } from 'vitest';
import { loggableFields, loggableText } from '../../../src/platform/log.ts';

const shown = (fields: object, stacks: 'with' | 'without' = 'without'): object => loggableFields(fields, { stacks });

test('secrets are masked at any depth and under any of their names; what only points to one is not', () => {
  expect(
    shown({
      password: 'p',
      mqtt: { mqttPassword: 'p', password_file: '/etc/x', list: [{ apiToken: 't', client_secret: 's' }] },
      Authorization: 'Bearer x',
      privateKey: 'k',
      empty: { password: '' },
      key: 'read_interval_seconds',
    }),
  ).toEqual({
    password: '[secret]',
    mqtt: {
      mqttPassword: '[secret]',
      password_file: '/etc/x',
      list: [{ apiToken: '[secret]', client_secret: '[secret]' }],
    },
    Authorization: '[secret]',
    privateKey: '[secret]',
    empty: { password: '' },
    key: 'read_interval_seconds',
  });
});

test('a password inside a URL is masked wherever the URL stands', () => {
  const text = 'cannot reach mqtt://ann:s3cret@broker:1883 nor mqtts://broker nor http://a:b@c/d';
  expect(loggableText(text)).toBe(
    'cannot reach mqtt://ann:[secret]@broker:1883 nor mqtts://broker nor http://a:[secret]@c/d',
  );
  expect(shown({ error: new Error('mqtt://ann:s3cret@broker'), url: new URL('mqtt://ann:s3cret@broker') })).toEqual({
    error: { message: 'mqtt://ann:[secret]@broker' },
    url: 'mqtt://ann:[secret]@broker',
  });
});

test('an error is its code, its message and its causes; the stack comes only when it is wanted', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', password: 'p' });
  const error = new Error('the broker cannot be reached', { cause });
  expect(shown({ error })).toEqual({
    error: {
      message: 'the broker cannot be reached',
      cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
    },
  });
  expect(shown({ error }, 'with')).toMatchObject({ error: { stack: error.stack, cause: { stack: cause.stack } } });
});

test('what JSON cannot hold does not break a line', () => {
  const cycle: Record<string, unknown> = { name: 'loop' };
  cycle['self'] = cycle;
  const fields = shown({
    big: 12n,
    nan: Number.NaN,
    at: new Date(0),
    frame: Uint8Array.of(0x1c, 0x65),
    none: null,
    cycle,
  });
  expect(fields).toMatchObject({ big: '12', nan: 'NaN', frame: '1c65', none: null });
  expect(JSON.stringify(fields)).toContain('[…]');
});
