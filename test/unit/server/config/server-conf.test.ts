import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { machineTimeZone } from '../../../../src/calendar/zones.ts';
import { ConfigError, describeProblem } from '../../../../src/common/config/config-problem.ts';
import { parseIni } from '../../../../src/common/config/ini.ts';
import { environmentVariable, type KeySpec } from '../../../../src/common/config/schema.ts';
import { loadServerConfig, renderServerConf, storePath } from '../../../../src/server/config/open-config.ts';
import { SERVER_SCHEMA } from '../../../../src/server/config/schema.ts';
import { badValue } from '../../../support/bad-value.ts';

const SHIPPED = 'config/server.conf';

async function load(path: string | undefined, flags: Record<string, string> = {}, env: NodeJS.ProcessEnv = {}) {
  const { config, warnings, description } = await loadServerConfig({ path, env, flags });
  return { config, description, warnings: warnings.map(describeProblem) };
}

async function problemsOf(flags: Record<string, string>, env: NodeJS.ProcessEnv = {}): Promise<readonly string[]> {
  try {
    await load(undefined, flags, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem);
    throw error;
  }
}

const keys: readonly (readonly [name: string, spec: KeySpec])[] = Object.entries(SERVER_SCHEMA).flatMap(
  ([section, spec]) =>
    Object.entries(spec.keys as Record<string, KeySpec>).map(
      ([key, keySpec]) => [`${section}.${key}`, keySpec] as const,
    ),
);

describe('the shipped server.conf', () => {
  const text = readFileSync(SHIPPED, 'utf8');

  it('is what the schema says', () => {
    // To renew it: node dist/techtemp-server.js config --defaults > config/server.conf
    expect(text).toBe(renderServerConf());
  });

  it('loads without a warning, to the same as no file at all', async () => {
    const { config, warnings } = await load(SHIPPED);
    expect(warnings).toEqual([]);
    expect(config).toEqual((await load(undefined)).config);
  });

  it('shows every key of the schema and no other, each with its default', async () => {
    const { entries, problems } = parseIni(text.replaceAll(/^#(?=\w+ =)/gm, ''));
    expect(problems).toEqual([]);
    expect(entries.map(({ section, key }) => `${section}.${key}`)).toEqual(keys.map(([name]) => name));
    const asFlags = Object.fromEntries(entries.map(({ section, key, value }) => [`${section}.${key}`, value]));
    expect((await load(undefined, asFlags)).config).toEqual((await load(undefined)).config);
  });

  it('fits a terminal, and documents each key', () => {
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    for (const [name, { doc }] of keys) expect(doc, name).toMatch(/^.{4}[^]*\.$/);
  });

  it('says of the keys that wait for a restart that they do', () => {
    const waiting = keys.filter(([, { restart }]) => restart === true).map(([name]) => name);
    expect(waiting).toEqual([
      'store.path',
      ...['host', 'port', 'base_path', 'trust_proxy', 'tls_cert_file', 'tls_key_file'].map((key) => `http.${key}`),
    ]);
    expect(text.match(/^# A change waits for the next start\.$/gm)).toHaveLength(waiting.length);
  });
});

describe('every key of server.conf', () => {
  it.each(keys)('%s refuses nonsense, and says which key it was', async (name, spec) => {
    const [problem, ...others] = await problemsOf({ [name]: badValue(spec) });
    expect(others).toEqual([]);
    expect(problem).toMatch(new RegExp(`^--set ${name}: ${name} = ".*": (must be|holds)`));
  });

  it.each(keys.filter(([, spec]) => 'min' in spec))('%s takes its limits and nothing beyond', async (name, spec) => {
    if (!('min' in spec)) throw new Error('filtered above');
    const others = {
      'mqtt.reconnect_min_seconds': '0.1',
      'mqtt.reconnect_max_seconds': '3600',
      'ingest.batch_messages': '1',
      'ingest.max_waiting': '100000',
    };
    expect(await problemsOf({ ...others, [name]: String(spec.min) })).toEqual([]);
    expect(await problemsOf({ ...others, [name]: String(spec.max) })).toEqual([]);
    expect(await problemsOf({ ...others, [name]: String(spec.min - 1) })).toHaveLength(1);
    expect(await problemsOf({ ...others, [name]: String(spec.max + 1) })).toHaveLength(1);
  });

  it.each(keys)('%s can be set by its variable', async (name, spec) => {
    const [section = '', key = ''] = name.split('.');
    const variable = environmentVariable(section, key);
    expect(await problemsOf({}, { [variable]: badValue(spec) })).toEqual([
      expect.stringContaining(`environment variable ${variable}: ${name} = `),
    ]);
  });
});

describe('what several keys tell together', () => {
  it.each([
    [{ 'mqtt.reconnect_min_seconds': '60' }, 'mqtt.reconnect_min_seconds'],
    [{ 'mqtt.password': 'x' }, 'mqtt.password = "[secret]": is set without username'],
    [{ 'mqtt.username': 'u', 'mqtt.password': 'x', 'mqtt.password_file': '/f' }, 'mqtt.password_file'],
    [{ 'mqtt.tls_cert_file': '/c' }, 'mqtt.tls_cert_file'],
    [{ 'ingest.max_waiting': '100' }, 'ingest.batch_messages: must not be above max_waiting (100)'],
    [{ 'http.tls_cert_file': '/c' }, 'a certificate needs its key'],
    [{ 'http.tls_key_file': '/k' }, 'a key needs its certificate'],
  ])('%j is refused', async (flags, words) => {
    expect(await problemsOf(flags)).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    [{ 'http.host': '0.0.0.0' }, 'nothing is encrypted'],
    [{ 'http.host': '::' }, 'nothing is encrypted'],
    [{ 'http.host': '192.168.1.5' }, 'nothing is encrypted'],
    [{ 'mqtt.tls': 'yes' }, 'usually 8883'],
    [{ 'mqtt.tls_ca_file': '/ca' }, 'has no effect while tls = no'],
  ])('%j is worth a warning', async (flags, words) => {
    expect((await load(undefined, flags)).warnings).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    { 'http.host': 'localhost' },
    { 'http.host': '[::1]' },
    { 'http.host': '127.0.0.2' },
    { 'http.host': '0.0.0.0', 'http.tls_cert_file': '/c', 'http.tls_key_file': '/k' },
  ])('%j is not', async (flags) => {
    expect((await load(undefined, flags)).warnings).toEqual([]);
  });

  it('a proxy that may be any machine of a private network is worth one, where the server is reached from there', async () => {
    const flags = { 'http.host': '0.0.0.0', 'http.trust_proxy': 'loopback, uniquelocal' };
    expect((await load(undefined, flags)).warnings[1]).toContain('name the address of the proxy');
    expect((await load(undefined, { 'http.trust_proxy': 'uniquelocal' })).warnings).toEqual([]);
  });
});

describe('what the parts of the server see', () => {
  it('is in milliseconds and bytes, with lists as lists', async () => {
    const { config } = await load(undefined, {
      'mqtt.keepalive_seconds': '30',
      'mqtt.reconnect_min_seconds': '0.3',
      'mqtt.home_id': 'home-7',
      'ingest.max_payload_kb': '2',
      'store.min_free_mb': '2',
      'http.trust_proxy': ' 10.0.0.0/8 ,Loopback, ::1 ',
      'http.cors_origins': 'https://Climate.Example.org/, http://localhost:5173',
      'http.base_path': '/techtemp/',
      'http.max_body_kb': '3',
    });
    expect(config.mqtt).toMatchObject({ keepaliveMs: 30_000, reconnectMinMs: 300, homeId: 'home-7' });
    expect(config.ingest.maxPayloadBytes).toBe(2_048);
    expect(config.store.minFreeBytes).toBe(2_097_152);
    expect(config.http).toMatchObject({
      trustProxy: ['10.0.0.0/8', 'loopback', '::1'],
      corsOrigins: ['https://climate.example.org', 'http://localhost:5173'],
      basePath: '/techtemp',
      maxBodyBytes: 3_072,
    });
  });

  it('is frozen to the bottom', async () => {
    const { config } = await load(undefined);
    for (const section of Object.values(config)) expect(Object.isFrozen(section)).toBe(true);
    expect(Object.isFrozen(config.http.trustProxy)).toBe(true);
  });

  it('has the time zone of the machine where none is named', async () => {
    expect((await load(undefined)).config.house.timeZone).toBe(machineTimeZone(process.env).zone);
    expect((await load(undefined, { 'house.time_zone': 'Asia/Kolkata' })).config.house.timeZone).toBe('Asia/Kolkata');
  });

  it('listens on this machine alone, unless it is told otherwise (S19)', async () => {
    expect((await load(undefined)).config.http).toMatchObject({ host: '127.0.0.1', port: 3_000, writing: 'auto' });
  });

  it('keeps the record in the state folder of the service, or where it is told to', () => {
    const section = { path: '', minFreeBytes: 0 };
    expect(storePath(section, { STATE_DIRECTORY: '/var/lib/techtemp-server' })).toBe(
      '/var/lib/techtemp-server/techtemp.db',
    );
    expect(storePath(section, {})).toBe('var/techtemp.db');
    expect(storePath({ ...section, path: '/data/house.db' }, { STATE_DIRECTORY: '/x' })).toBe('/data/house.db');
  });
});

describe('values of their own kind', () => {
  it.each([
    ['house.time_zone', 'Europe/Pariss', 'did you mean Europe/Paris?'],
    ['house.time_zone', '+05:30', 'must be the name of a time zone'],
    ['http.base_path', 'techtemp', 'must be a path such as /techtemp'],
    ['http.base_path', '/a/../b', 'must be a path'],
    ['http.base_path', '/a?b', 'must be a path'],
    ['http.base_path', '//evil.example', 'must be a path'],
    ['http.cors_origins', '*', '"*" is none'],
    ['http.cors_origins', 'https://a.example/path', '"https://a.example/path" is none'],
    ['http.cors_origins', 'https://user@a.example', 'is none'],
    ['http.cors_origins', 'null', '"null" is none'],
    ['http.trust_proxy', '10.0.0.0/33', '"10.0.0.0/33" is none'],
    ['http.trust_proxy', 'proxy.example', '"proxy.example" is none'],
    ['http.trust_proxy', '10.0.0.0/8/8', 'is none'],
    ['mqtt.home_id', '#', 'or + for all'],
    ['mqtt.instance', '+', 'must be 1 to 50'],
  ])('%s = %s is refused', async (name, text, words) => {
    expect(await problemsOf({ [name]: text })).toEqual([expect.stringContaining(words)]);
  });
});
