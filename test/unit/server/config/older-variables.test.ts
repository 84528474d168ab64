import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, describeProblem } from '../../../../src/config/problem.ts';
import { loadServerConfig } from '../../../../src/server/config.ts';

const load = async (env: NodeJS.ProcessEnv, path?: string) => await loadServerConfig({ env, flags: {}, path });

async function problemsOf(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const error = await load(env).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw new Error('was taken', { cause: error });
  return error.problems.map(describeProblem);
}

describe('the variables of the older server', () => {
  it('mean what they meant', async () => {
    const { config, warnings } = await load({
      NODE_ENV: 'production',
      DB_PATH: '/app/data/techtemp.db',
      MQTT_URL: 'mqtt://mosquitto:1884',
      MQTT_USERNAME: 'techtemp',
      MQTT_PASSWORD: 'secret',
      HTTP_PORT: '3001',
      TOPIC_READING_PATTERN: 'home/+/sensors/+/reading',
      LOG_LEVEL: 'debug',
    });
    expect(warnings).toEqual([]);
    expect(config.store.path).toBe('/app/data/techtemp.db');
    expect(config.mqtt).toMatchObject({
      brokerHost: 'mosquitto',
      brokerPort: 1884,
      tls: false,
      username: 'techtemp',
      password: 'secret',
      homeId: '+',
    });
    expect(config.http.port).toBe(3001);
    expect(config.logging.logLevel).toBe('debug');
  });

  it('are nothing when they are empty, as in a compose file without values', async () => {
    const empty = { DB_PATH: '', MQTT_URL: '', MQTT_USERNAME: '', MQTT_PASSWORD: '', HTTP_PORT: '', LOG_LEVEL: '' };
    expect((await load(empty)).config).toEqual((await load({})).config);
  });

  it.each([
    ['mqtt://broker', { brokerHost: 'broker', brokerPort: 1883, tls: false, username: '' }],
    ['mqtts://broker', { brokerHost: 'broker', brokerPort: 8883, tls: true }],
    ['tcp://broker:1', { brokerPort: 1, tls: false }],
    ['ssl://broker/', { brokerPort: 8883, tls: true }],
    ['mqtt://[fd00::1]:1883', { brokerHost: 'fd00::1' }],
    ['mqtt://me:p%40ss%2Fword@broker', { username: 'me', password: 'p@ss/word' }],
  ])('MQTT_URL=%s', async (url, expected) => {
    expect((await load({ MQTT_URL: url })).config.mqtt).toMatchObject(expected);
  });

  it('user and password of their own are stronger than those in the address, as they were', async () => {
    const env = { MQTT_URL: 'mqtt://a:b@broker', MQTT_USERNAME: 'c', MQTT_PASSWORD: 'd' };
    expect((await load(env)).config.mqtt).toMatchObject({ username: 'c', password: 'd' });
  });

  it.each([
    ['home/house-3/sensors/+/reading', 'house-3'],
    ['home/+/sensors/+/reading', '+'],
  ])('TOPIC_READING_PATTERN=%s chooses the home %s', async (pattern, homeId) => {
    expect((await load({ TOPIC_READING_PATTERN: pattern })).config.mqtt.homeId).toBe(homeId);
  });

  it.each(['home/+/sensors/+/+', 'sensors/#', 'home/a b/sensors/+/reading', 'home/+/sensors/one/reading'])(
    'TOPIC_READING_PATTERN=%s has no effect, and says so',
    async (pattern) => {
      const { config, warnings } = await load({ TOPIC_READING_PATTERN: pattern });
      expect(config.mqtt.homeId).toBe('+');
      expect(warnings.map(describeProblem)).toEqual([
        expect.stringMatching(/^environment variable TOPIC_READING_PATTERN: has no effect: topics are always/),
      ]);
    },
  );

  it.each([
    ['HTTP_PORT', 'eighty', 'environment variable HTTP_PORT: http.port = "eighty": must be a whole number'],
    ['LOG_LEVEL', 'silly', 'environment variable LOG_LEVEL: logging.log_level = "silly": must be'],
    ['DB_PATH', '~/techtemp.db', 'environment variable DB_PATH: store.path = "~/techtemp.db": must be the whole path'],
    ['MQTT_URL', 'broker:1883', 'environment variable MQTT_URL: must be mqtt://HOST:PORT'],
    ['MQTT_URL', 'ws://broker:9001', 'MQTT over WebSockets (ws://) is not spoken'],
    ['MQTT_URL', 'http://broker', 'environment variable MQTT_URL: must be mqtt://HOST:PORT'],
    ['MQTT_URL', 'mqtt://broker/topic', 'and nothing after the port'],
    ['MQTT_URL', 'mqtt://', 'environment variable MQTT_URL: must be'],
    ['MQTT_URL', 'mqtt://a:%zz@broker', 'environment variable MQTT_URL: must be'],
    ['MQTT_URL', 'mqtt://broker_!:1', 'environment variable MQTT_URL: mqtt.broker_host = "broker_!"'],
  ])('%s=%s is refused by its name', async (variable, text, words) => {
    expect(await problemsOf({ [variable]: text })).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    'mqtt://me:hush-hush@broker/x',
    'ws://me:hush-hush@broker',
    'mqtt://me:hush-hush@',
    'mqtt://:hush-hush@broker',
  ])('an error about %s does not repeat the password', async (url) => {
    expect((await problemsOf({ MQTT_URL: url })).join()).not.toContain('hush-hush');
  });

  it('a password from the address is masked wherever the configuration is shown', async () => {
    const { description } = await load({ MQTT_URL: 'mqtt://me:hush-hush@broker' });
    expect(description).toMatch(/^password = \[secret\] +# environment variable MQTT_URL$/m);
    expect(description).not.toContain('hush-hush');
  });
});

describe('which one wins', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'techtemp-older-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('the older variable over the file, the variable of the key over both, a flag over all', async () => {
    const path = join(folder, 'server.conf');
    writeFileSync(path, '[http]\nport = 1001\n');
    const port = async (env: NodeJS.ProcessEnv, flags: Record<string, string> = {}): Promise<number> =>
      (await loadServerConfig({ path, env, flags })).config.http.port;
    expect(await port({})).toBe(1001);
    expect(await port({ HTTP_PORT: '1002' })).toBe(1002);
    expect(await port({ TECHTEMP_HTTP_PORT: '1003', HTTP_PORT: '1002' })).toBe(1003);
    expect(await port({ TECHTEMP_HTTP_PORT: '1003', HTTP_PORT: '1002' }, { 'http.port': '1004' })).toBe(1004);
  });

  it('and what is shown names the variable', async () => {
    expect((await load({ HTTP_PORT: '1002' })).description).toMatch(/^port = 1002 +# environment variable HTTP_PORT$/m);
  });

  // D4
  it('are read without the quotes that an env file keeps', async () => {
    const { config, warnings } = await load({
      DB_PATH: '"/data/techtemp.db"',
      MQTT_URL: "'mqtt://mosquitto:1884'",
      HTTP_PORT: '"3001"',
      MQTT_USERNAME: '"techtemp"',
      MQTT_PASSWORD: '"as it is"',
    });
    expect(config.store.path).toBe('/data/techtemp.db');
    expect(config.mqtt).toMatchObject({ brokerHost: 'mosquitto', username: 'techtemp', password: '"as it is"' });
    expect(config.http.port).toBe(3001);
    expect(warnings.map(describeProblem).join('\n')).toContain('MQTT_PASSWORD');
    expect(warnings.map(describeProblem).join('\n')).not.toContain('as it is');
  });

  it('are not what Docker or Kubernetes says of a service that is called http or mqtt', async () => {
    const linked = { HTTP_PORT: 'tcp://10.96.0.1:80', MQTT_PORT: 'tcp://172.17.0.3:1883' };
    const { config, warnings } = await load(linked);
    expect(config).toEqual((await load({})).config);
    expect(warnings.map(describeProblem).join()).toContain('HTTP_PORT');
  });
});
