import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeProblem } from '../../../src/common/config/config-problem.ts';
import { parseIni } from '../../../src/common/config/ini.ts';
import { environmentVariable, type KeySpec } from '../../../src/common/config/schema.ts';
import { loadDeviceConfig, renderDeviceConf } from '../../../src/device/config/open-config.ts';
import { DEVICE_SCHEMA } from '../../../src/device/config/schema.ts';
import { badValue } from '../../support/bad-value.ts';

const SHIPPED = 'config/device.conf';
const fallbackUid = async (): Promise<string> => Promise.resolve('aht20-1a2b3c');

async function load(path: string | undefined, flags: Record<string, string> = {}, env: NodeJS.ProcessEnv = {}) {
  const { config, warnings, description } = await loadDeviceConfig({ path, env, flags, fallbackUid });
  return { config, description, warnings: warnings.map(describeProblem) };
}

async function problemsOf(flags: Record<string, string>): Promise<readonly string[]> {
  try {
    await load(undefined, flags);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem);
    throw error;
  }
}

const keys: readonly (readonly [name: string, spec: KeySpec])[] = Object.entries(DEVICE_SCHEMA).flatMap(
  ([section, spec]) =>
    Object.entries(spec.keys as Record<string, KeySpec>).map(
      ([key, keySpec]) => [`${section}.${key}`, keySpec] as const,
    ),
);

describe('the shipped device.conf', () => {
  const text = readFileSync(SHIPPED, 'utf8');

  it('is what the schema says', () => {
    // To renew it: node dist/techtemp-device.js config --defaults > config/device.conf
    expect(text).toBe(renderDeviceConf());
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
});

describe('a device.conf of the older agent', () => {
  it('as bootstrap wrote it means the same, and its dead keys are named', async () => {
    const { config, warnings } = await load('test/fixtures/device-conf/bootstrap.conf');
    expect(config.device).toEqual({ deviceUid: 'aht20-f49c53', homeId: 'Heverlee', label: 'Capteur Salon', room: '' });
    expect(config.sensor).toMatchObject({
      i2cAddress: 0x38,
      i2cBus: 1,
      readIntervalMs: 300_000,
      temperatureOffsetCelsius: 0,
    });
    expect(config.mqtt).toMatchObject({
      brokerHost: '192.168.0.180',
      brokerPort: 1883,
      username: '',
      password: '',
      keepaliveMs: 60_000,
    });
    expect(config.logging).toEqual({ logLevel: 'info', logFormat: 'auto' });
    expect(warnings.map((line) => /conf:(\d+): ([\w.]+): has no effect any more: \w/.exec(line)?.slice(1))).toEqual([
      ['22', 'mqtt.topic_prefix'],
      ['24', 'mqtt.retain'],
      ['26', 'mqtt.reconnect_delay_seconds'],
      ['27', 'mqtt.max_reconnect_attempts'],
      ['31', 'logging.log_to_console'],
      ['32', 'logging.log_to_file'],
      ['33', 'logging.log_file_path'],
      ['36', 'system.daemon_mode'],
      ['37', 'system.pid_file'],
      ['38', 'system.shutdown_timeout_seconds'],
    ]);
  });

  it('as it was shipped, with quotes and a comment behind a value, is understood', async () => {
    const { config, warnings } = await load('test/fixtures/device-conf/shipped-by-older-agent.conf');
    expect(config.device.label).toBe('Capteur AHT20 Test');
    expect(config.device.deviceUid).toBe('aht20-b827eb123456');
    expect(config.logging.logLevel).toBe('debug');
    expect(warnings).toHaveLength(10);
  });

  it('with a comment behind every value is understood', async () => {
    const { config, warnings } = await load('test/fixtures/device-conf/commented-by-hand.conf');
    expect(config.device).toEqual({ deviceUid: 'aht20-f49c53', homeId: 'home-001', label: 'Capteur Salon', room: '' });
    expect(config.sensor).toMatchObject({
      i2cAddress: 0x38,
      readIntervalMs: 10_000,
      temperatureOffsetCelsius: -0.5,
      humidityOffsetPercent: 2,
    });
    expect(config.mqtt).toMatchObject({
      brokerHost: 'iot.maison.local',
      username: 'techtemp_user',
      password: 'secure_password',
    });
    expect(config.logging.logLevel).toBe('warn');
    expect(warnings.map((line) => line.split(': ')[1])).toEqual([
      'device.room_id',
      'mqtt.broker_port = "8883"',
      'mqtt.qos',
      'mqtt.retain',
      'logging.log_to_file',
    ]);
  });
});

describe('every key of device.conf', () => {
  it.each(keys)('%s refuses nonsense, and says which key it was', async (name, spec) => {
    const [problem, ...others] = await problemsOf({ [name]: badValue(spec) });
    expect(others).toEqual([]);
    expect(problem).toMatch(new RegExp(`^--set ${name}: ${name} = ".*": (must be|holds)`));
  });

  it.each(keys.filter(([, spec]) => 'min' in spec))('%s takes its limits and nothing beyond', async (name, spec) => {
    if (!('min' in spec)) throw new Error('filtered above');
    const others = { 'mqtt.reconnect_min_seconds': '0.1', 'mqtt.reconnect_max_seconds': '3600' };
    expect(await problemsOf({ ...others, [name]: String(spec.min) })).toEqual([]);
    expect(await problemsOf({ ...others, [name]: String(spec.max) })).toEqual([]);
    expect(await problemsOf({ ...others, [name]: String(spec.min - 1) })).toHaveLength(1);
    expect(await problemsOf({ ...others, [name]: String(spec.max + 1) })).toHaveLength(1);
  });

  it.each(keys)('%s can be set by its variable', async (name, spec) => {
    const [section = '', key = ''] = name.split('.');
    const { warnings } = await load(undefined, {}, { [environmentVariable(section, key)]: badValue(spec) }).catch(
      (error: unknown) => ({ warnings: [(error as Error).message] }),
    );
    expect(warnings).toEqual([
      expect.stringContaining(`environment variable ${environmentVariable(section, key)}: ${name} = `),
    ]);
  });
});

describe('what the parts of the agent see', () => {
  it('is in milliseconds and bytes', async () => {
    const { config } = await load(undefined, {
      'sensor.read_interval_seconds': '0.3',
      'mqtt.keepalive_seconds': '30',
      'mqtt.receipt_timeout_seconds': '2.5',
      'mqtt.reconnect_min_seconds': '0.1',
      'mqtt.reconnect_max_seconds': '90',
      'mqtt.status_interval_seconds': '60',
      'clock.clock_wait_seconds': '0',
      'journal.min_free_mb': '2',
    });
    expect(config.sensor.readIntervalMs).toBe(300);
    expect(config.mqtt).toMatchObject({
      keepaliveMs: 30_000,
      receiptTimeoutMs: 2_500,
      reconnectMinMs: 100,
      reconnectMaxMs: 90_000,
      statusIntervalMs: 60_000,
    });
    expect(config.clock.clockWaitMs).toBe(0);
    expect(config.journal.minFreeBytes).toBe(2_097_152);
  });

  it('has a device_uid in any case: the remembered one while the file names none', async () => {
    expect((await load(undefined)).config.device.deviceUid).toBe('aht20-1a2b3c');
    expect((await load(undefined, { 'device.device_uid': 'cellar' })).config.device.deviceUid).toBe('cellar');
  });

  it('is frozen in every section', async () => {
    const { config } = await load(undefined);
    expect(Object.isFrozen(config)).toBe(true);
    for (const section of Object.values(config)) expect(Object.isFrozen(section)).toBe(true);
  });
});

describe('keys that do not go together', () => {
  it.each([
    [{ 'mqtt.password': 'x' }, 'mqtt.password = "[secret]": is set without username'],
    [{ 'mqtt.password_file': '/p' }, 'mqtt.password_file = "/p": is set without username'],
    [
      { 'mqtt.username': 'u', 'mqtt.password': 'x', 'mqtt.password_file': '/p' },
      'mqtt.password_file = "/p": is set beside password',
    ],
    [
      { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_cert_file': '/c' },
      'mqtt.tls_cert_file = "/c": is set without tls_key_file',
    ],
    [
      { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_key_file': '/k' },
      'mqtt.tls_key_file = "/k": is set without tls_cert_file',
    ],
    [
      { 'mqtt.reconnect_min_seconds': '61' },
      'mqtt.reconnect_min_seconds = "61": must not be above reconnect_max_seconds (60)',
    ],
  ])('%j is refused', async (flags, expected) => {
    const [problem = '', ...others] = await problemsOf(flags);
    expect(others).toEqual([]);
    expect(problem).toContain(expected);
  });

  it.each([
    [{ 'sensor.read_interval_seconds': '1.9' }, 'the sensor warms itself'],
    [{ 'sensor.i2c_address': '38' }, '38 is the decimal number and means 0x26'],
    [{ 'sensor.i2c_address': '0x40' }, 'no sensor of this family has this address'],
    [{ 'mqtt.tls': 'yes' }, 'is the usual port without TLS'],
    [{ 'mqtt.broker_port': '8883' }, 'is the usual port for TLS'],
    [{ 'mqtt.tls_ca_file': '/ca' }, 'has no effect while tls = no'],
    [{ 'homeassistant.discovery': 'yes', 'mqtt.publish_latest': 'off' }, 'Home Assistant takes its values from there'],
    [{ 'device.device_uid': 'aht20-unknown' }, 'is the placeholder of the older agent'],
  ])('%j is warned about', async (flags, expected) => {
    expect((await load(undefined, flags)).warnings).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    { 'sensor.read_interval_seconds': '0.1', 'sensor.type': 'simulated' },
    { 'sensor.read_interval_seconds': '2' },
    { 'sensor.i2c_address': '56' },
    { 'mqtt.username': 'u' },
    { 'mqtt.username': 'u', 'mqtt.password_file': '/p' },
    { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_cert_file': '/c', 'mqtt.tls_key_file': '/k' },
    { 'homeassistant.discovery': 'yes' },
  ])('%j is fine', async (flags) => {
    expect((await load(undefined, flags)).warnings).toEqual([]);
  });
});

describe('the description of what is in force', () => {
  it('is a device.conf that says the same, with the origin of each value, without secrets', async () => {
    const flags = { 'mqtt.username': 'a # b', 'mqtt.password': 'hunter2', 'device.label': '"x' };
    const { config, description } = await load('test/fixtures/device-conf/shipped-by-older-agent.conf', flags, {
      TECHTEMP_MQTT_TLS: 'on',
    });
    expect(description).not.toContain('hunter2');
    expect(description).toMatch(/^password = \[secret\] +# --set mqtt\.password$/m);
    expect(description).toMatch(/^tls = yes +# environment variable TECHTEMP_MQTT_TLS$/m);
    expect(description).toMatch(/^broker_host = 192\.168\.0\.180 +# test\/fixtures\/.*\.conf:18$/m);
    expect(description).toMatch(/^i2c_address = 0x38 +# test/m);
    expect(description).toMatch(/^password_file = +# default$/m);
    const { entries, problems } = parseIni(description);
    expect(problems).toEqual([]);
    const again = Object.fromEntries(entries.map(({ section, key, value }) => [`${section}.${key}`, value]));
    expect((await load(undefined, { ...again, 'mqtt.password': 'hunter2' })).config).toEqual(config);
  });

  it('shows the device_uid that was found where none was given', async () => {
    expect((await load(undefined)).description).toMatch(/^device_uid = aht20-1a2b3c +# default$/m);
  });
});
