import { describe, expect, it } from 'vitest';
import { machineTimeZone } from '../../../src/calendar/zones.ts';
import { parseIni } from '../../../src/config/ini.ts';
import { storePath } from '../../../src/server/config.ts';
import { loadDevice, loadServer, problemsOf, programNamed, REMEMBERED_UID } from '../../support/program-configs.ts';

describe('a device.conf of the older agent', () => {
  it('as bootstrap wrote it means the same, and its dead keys are named', async () => {
    const { config, warnings } = await loadDevice({ path: 'test/fixtures/device-conf/bootstrap.conf' });
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
    const { config, warnings } = await loadDevice({ path: 'test/fixtures/device-conf/shipped-by-older-agent.conf' });
    expect(config.device.label).toBe('Capteur AHT20 Test');
    expect(config.device.deviceUid).toBe('aht20-b827eb123456');
    expect(config.logging.logLevel).toBe('debug');
    expect(warnings).toHaveLength(10);
  });

  it('with a comment behind every value is understood', async () => {
    const { config, warnings } = await loadDevice({ path: 'test/fixtures/device-conf/commented-by-hand.conf' });
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

describe('what the parts of a program see', () => {
  it('of the device is in milliseconds and bytes', async () => {
    const { config } = await loadDevice({
      flags: {
        'sensor.read_interval_seconds': '0.3',
        'mqtt.keepalive_seconds': '30',
        'mqtt.receipt_timeout_seconds': '2.5',
        'mqtt.reconnect_min_seconds': '0.1',
        'mqtt.reconnect_max_seconds': '90',
        'mqtt.status_interval_seconds': '60',
        'clock.clock_wait_seconds': '0',
        'journal.min_free_mb': '2',
      },
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

  it('of the server is in milliseconds and bytes, with lists as lists', async () => {
    const { config } = await loadServer({
      flags: {
        'mqtt.keepalive_seconds': '30',
        'mqtt.reconnect_min_seconds': '0.3',
        'mqtt.home_id': 'home-7',
        'ingest.max_payload_kb': '2',
        'store.min_free_mb': '2',
        'http.trust_proxy': ' 10.0.0.0/8 ,Loopback, ::1 ',
        'http.cors_origins': 'https://Climate.Example.org/, http://localhost:5173',
        'http.base_path': '/techtemp/',
        'http.max_body_kb': '3',
      },
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

  it('has a device_uid in any case: the remembered one while the file names none', async () => {
    expect((await loadDevice({})).config.device.deviceUid).toBe(REMEMBERED_UID);
    const named = await loadDevice({ flags: { 'device.device_uid': 'cellar' } });
    expect(named.config.device.deviceUid).toBe('cellar');
  });

  it('has the time zone of the machine where none is named', async () => {
    expect((await loadServer({})).config.house.timeZone).toBe(machineTimeZone(process.env).zone);
    const named = await loadServer({ flags: { 'house.time_zone': 'Asia/Kolkata' } });
    expect(named.config.house.timeZone).toBe('Asia/Kolkata');
  });

  it('listens on this machine alone, unless it is told otherwise (S19)', async () => {
    expect((await loadServer({})).config.http).toMatchObject({ host: '127.0.0.1', port: 3_000, writing: 'auto' });
  });

  it('keeps the record in the state folder of the service, or where it is told to', () => {
    expect(storePath({ path: '' }, { STATE_DIRECTORY: '/var/lib/techtemp-server' })).toBe(
      '/var/lib/techtemp-server/techtemp.db',
    );
    expect(storePath({ path: '' }, {})).toBe('var/techtemp.db');
    expect(storePath({ path: '/data/house.db' }, { STATE_DIRECTORY: '/x' })).toBe('/data/house.db');
  });
});

describe('keys that do not go together', () => {
  it.each([
    ['device', { 'mqtt.password': 'x' }, 'mqtt.password = "[secret]": is set without username'],
    ['device', { 'mqtt.password_file': '/p' }, 'mqtt.password_file = "/p": is set without username'],
    [
      'device',
      { 'mqtt.username': 'u', 'mqtt.password': 'x', 'mqtt.password_file': '/p' },
      'mqtt.password_file = "/p": is set beside password',
    ],
    [
      'device',
      { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_cert_file': '/c' },
      'mqtt.tls_cert_file = "/c": is set without tls_key_file',
    ],
    [
      'device',
      { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_key_file': '/k' },
      'mqtt.tls_key_file = "/k": is set without tls_cert_file',
    ],
    [
      'device',
      { 'mqtt.reconnect_min_seconds': '61' },
      'mqtt.reconnect_min_seconds = "61": must not be above reconnect_max_seconds (60)',
    ],
    ['server', { 'mqtt.reconnect_min_seconds': '60' }, 'mqtt.reconnect_min_seconds'],
    ['server', { 'mqtt.password': 'x' }, 'mqtt.password = "[secret]": is set without username'],
    ['server', { 'mqtt.username': 'u', 'mqtt.password': 'x', 'mqtt.password_file': '/f' }, 'mqtt.password_file'],
    ['server', { 'mqtt.tls_cert_file': '/c' }, 'mqtt.tls_cert_file'],
    ['server', { 'ingest.max_waiting': '100' }, 'ingest.batch_messages: must not be above max_waiting (100)'],
    ['server', { 'http.tls_cert_file': '/c' }, 'a certificate needs its key'],
    ['server', { 'http.tls_key_file': '/k' }, 'a key needs its certificate'],
  ] as const)('%s: %j is refused', async (name, flags, words) => {
    expect(await problemsOf(programNamed(name), { flags })).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    ['device', { 'sensor.read_interval_seconds': '1.9' }, 'the sensor warms itself'],
    ['device', { 'sensor.i2c_address': '38' }, '38 is the decimal number and means 0x26'],
    ['device', { 'sensor.i2c_address': '0x40' }, 'no sensor of this family has this address'],
    ['device', { 'mqtt.tls': 'yes' }, 'is the usual port without TLS'],
    ['device', { 'mqtt.broker_port': '8883' }, 'is the usual port for TLS'],
    ['device', { 'mqtt.tls_ca_file': '/ca' }, 'has no effect while tls = no'],
    [
      'device',
      { 'homeassistant.discovery': 'yes', 'mqtt.publish_latest': 'off' },
      'Home Assistant takes its values from there',
    ],
    ['device', { 'device.device_uid': 'aht20-unknown' }, 'is the placeholder of the older agent'],
    ['server', { 'http.host': '0.0.0.0' }, 'nothing is encrypted'],
    ['server', { 'http.host': '::' }, 'nothing is encrypted'],
    ['server', { 'http.host': '192.168.1.5' }, 'nothing is encrypted'],
    ['server', { 'mqtt.tls': 'yes' }, 'usually 8883'],
    ['server', { 'mqtt.tls_ca_file': '/ca' }, 'has no effect while tls = no'],
  ] as const)('%s: %j is worth a warning', async (name, flags, words) => {
    expect((await programNamed(name).load({ flags })).warnings).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    ['device', { 'sensor.read_interval_seconds': '0.1', 'sensor.type': 'simulated' }],
    ['device', { 'sensor.read_interval_seconds': '2' }],
    ['device', { 'sensor.i2c_address': '56' }],
    ['device', { 'mqtt.username': 'u' }],
    ['device', { 'mqtt.username': 'u', 'mqtt.password_file': '/p' }],
    [
      'device',
      { 'mqtt.tls': 'yes', 'mqtt.broker_port': '8883', 'mqtt.tls_cert_file': '/c', 'mqtt.tls_key_file': '/k' },
    ],
    ['device', { 'homeassistant.discovery': 'yes' }],
    ['server', { 'http.host': 'localhost' }],
    ['server', { 'http.host': '[::1]' }],
    ['server', { 'http.host': '127.0.0.2' }],
    ['server', { 'http.host': '0.0.0.0', 'http.tls_cert_file': '/c', 'http.tls_key_file': '/k' }],
  ] as const)('%s: %j is fine', async (name, flags) => {
    expect((await programNamed(name).load({ flags })).warnings).toEqual([]);
  });

  it('a proxy that may be any machine of a private network is worth one, where the server is reached from there', async () => {
    const flags = { 'http.host': '0.0.0.0', 'http.trust_proxy': 'loopback, uniquelocal' };
    expect((await loadServer({ flags })).warnings[1]).toContain('name the address of the proxy');
    expect((await loadServer({ flags: { 'http.trust_proxy': 'uniquelocal' } })).warnings).toEqual([]);
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
    expect(await problemsOf(programNamed('server'), { flags: { [name]: text } })).toEqual([
      expect.stringContaining(words),
    ]);
  });
});

describe('the description of what is in force', () => {
  it('is a device.conf that says the same, with the origin of each value, without secrets', async () => {
    const flags = { 'mqtt.username': 'a # b', 'mqtt.password': 'hunter2', 'device.label': '"x' };
    const { config, description } = await loadDevice({
      path: 'test/fixtures/device-conf/shipped-by-older-agent.conf',
      env: { TECHTEMP_MQTT_TLS: 'on' },
      flags,
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
    expect((await loadDevice({ flags: { ...again, 'mqtt.password': 'hunter2' } })).config).toEqual(config);
  });

  it('shows the device_uid that was found where none was given', async () => {
    expect((await loadDevice({})).description).toMatch(/^device_uid = aht20-1a2b3c +# default$/m);
  });
});
