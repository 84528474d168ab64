import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { size, time } from '../../../src/config/quantities.ts';
import { keysOf, loadDevice, loadServer, PROGRAMS, problemsOf, programNamed } from '../../support/program-configs.ts';

const FORMATS = { seconds: time('seconds'), 'whole-seconds': time('whole-seconds'), kB: size('kB'), MB: size('MB') };
const WIDE = { min: 0, max: 1e9 };

describe('a time or a size', () => {
  it.each([
    // A plain number means what it always meant: the unit in the name of the key.
    ['seconds', '30', 30],
    ['seconds', '0.5', 0.5],
    ['seconds', '.5', 0.5],
    ['seconds', '1e3', 1_000],
    ['seconds', ' 30 ', 30],
    ['whole-seconds', '60', 60],
    ['kB', '256', 256],
    ['MB', '64', 64],
    // Times.
    ['seconds', '500ms', 0.5],
    ['seconds', '500 ms', 0.5],
    ['seconds', '30s', 30],
    ['seconds', '30 s', 30],
    ['seconds', '30 sec', 30],
    ['seconds', '30 seconds', 30],
    ['seconds', '5 min', 300],
    ['seconds', '5min', 300],
    ['seconds', '1 minute', 60],
    ['seconds', '5 Minutes', 300],
    ['seconds', '1h', 3_600],
    ['seconds', '1.5 h', 5_400],
    ['seconds', '2 hours', 7_200],
    ['seconds', '2d', 172_800],
    ['seconds', '1 day', 86_400],
    // Whole milliseconds: not 66.00000000000001.
    ['seconds', '1.1 min', 66],
    ['whole-seconds', '1.1 min', 66],
    ['whole-seconds', '60s', 60],
    ['whole-seconds', '1 h', 3_600],
    ['whole-seconds', '60000 ms', 60],
    // Sizes: powers of 1024, so that 64 and 64 MB are the same.
    ['MB', '64 MB', 64],
    ['MB', '64MB', 64],
    ['MB', '64 MiB', 64],
    ['MB', '64 mb', 64],
    ['MB', '1 GB', 1_024],
    ['MB', '2 GiB', 2_048],
    ['MB', '512 KiB', 0.5],
    ['MB', '1.5 MB', 1.5],
    ['MB', '1048576 B', 1],
    ['kB', '512 KiB', 512],
    ['kB', '512 kB', 512],
    ['kB', '1 MB', 1_024],
    ['kB', '2048 bytes', 2],
  ] as const)('in %s: %s is %s', (format, text, expected) => {
    const { read, complain } = FORMATS[format];
    expect(read(text)).toBe(expected);
    expect(complain(read(text), WIDE)).toBeUndefined();
  });

  it.each([
    ['seconds', '30 MB', 'a time in ms, s, min, h or d'],
    ['seconds', '30 parsecs', 'a time in ms, s, min, h or d'],
    ['seconds', '5m', '; write min for minutes'],
    ['seconds', '5M', '; write min for minutes'],
    ['seconds', '0,5', '; write the decimals after a point, not a comma'],
    ['seconds', '0,5 h', '; write the decimals after a point, not a comma'],
    ['seconds', 's', 'must be'],
    ['seconds', '', 'must be'],
    ['seconds', '1 h 30 min', 'must be'],
    ['seconds', '1h30', 'must be'],
    ['seconds', '0x10', 'must be'],
    ['seconds', 'Infinity', 'must be'],
    ['seconds', '1e999', 'must be'],
    ['seconds', '-1 s', 'must be'],
    ['whole-seconds', '60.0', 'must be a whole number'],
    ['whole-seconds', '1e2', 'must be a whole number'],
    ['whole-seconds', '1500 ms', 'must be a whole number'],
    ['MB', '1.5', 'must be a whole number'],
    ['MB', '1e3', 'must be a whole number'],
    ['MB', '64 s', 'a size in B, kB, MB or GB'],
    ['MB', '64 Mbit', 'a size in B, kB, MB or GB'],
    ['MB', '-64 MB', 'must be'],
    ['kB', '512 K', 'a size in B, kB, MB or GB'],
    ['kB', '512 %', 'must be'],
  ] as const)('in %s: %j is refused', (format, text, words) => {
    const { read, complain } = FORMATS[format];
    expect(complain(read(text), WIDE)).toContain(words);
  });

  it('is held to the limits of its key in every unit', () => {
    const { read, complain } = FORMATS.seconds;
    const range = { min: 0.1, max: 3_600 };
    expect(['100ms', '60 min', '1h'].map((text) => complain(read(text), range))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(complain(read('99 ms'), range)).toMatch(
      /^must be a number from 0\.1 to 3600 \(seconds\), or a time in ms, s, min, h or d/,
    );
    expect(complain(read('61 min'), range)).toMatch(/^must be a number from 0\.1 to 3600 \(seconds\)/);
  });

  it.each([
    ['seconds', 300, '300'],
    ['seconds', 0.5, '0.5'],
    ['MB', 64, '64'],
    ['MB', 0.5, '512 kB'],
    ['MB', 1_000 / 1_024 ** 2, '1000 B'],
    ['kB', 0.5, '512 B'],
  ] as const)('in %s: %s is printed as %s', (format, value, expected) => {
    expect(FORMATS[format].print(value)).toBe(expected);
  });

  it('is read again as it was printed', () => {
    const texts = fc.tuple(fc.nat(1_000_000), fc.constantFrom('B', 'kB', 'MB', 'GB')).map((parts) => parts.join(' '));
    fc.assert(
      fc.property(texts, fc.constantFrom('kB' as const, 'MB' as const), (text, format) => {
        const { read, print } = FORMATS[format];
        expect(read(print(read(text)))).toBe(read(text));
      }),
      { seed: 11 },
    );
  });
});

describe('the keys of the programs', () => {
  it('take a unit wherever their name ends in one', () => {
    const timed = PROGRAMS.flatMap(({ name, schema }) =>
      keysOf(schema)
        .filter(([key]) => /_(seconds|kb|mb)$/.test(key))
        .map(([key, { format }]) => [`${name} ${key}`, format] as const),
    );
    expect(timed.length).toBeGreaterThanOrEqual(14);
    expect(timed.filter(([, format]) => !Object.hasOwn(FORMATS, format))).toEqual([]);
  });

  it('give the program milliseconds and bytes', async () => {
    const { config: device } = await loadDevice({
      flags: {
        'sensor.read_interval_seconds': '5 min',
        'mqtt.keepalive_seconds': '1 min',
        'mqtt.reconnect_min_seconds': '500ms',
        'clock.clock_wait_seconds': '1 d',
        'journal.min_free_mb': '512 KiB',
      },
      env: { TECHTEMP_MQTT_STATUS_INTERVAL_SECONDS: '"1h"' },
    });
    expect(device.sensor.readIntervalMs).toBe(300_000);
    expect(device.mqtt).toMatchObject({ keepaliveMs: 60_000, reconnectMinMs: 500, statusIntervalMs: 3_600_000 });
    expect(device.clock.clockWaitMs).toBe(86_400_000);
    expect(device.journal.minFreeBytes).toBe(524_288);
    const { config: server } = await loadServer({
      flags: { 'ingest.max_payload_kb': '1 MB', 'http.max_body_kb': '1536 B' },
    });
    expect(server.ingest.maxPayloadBytes).toBe(1_048_576);
    expect(server.http.maxBodyBytes).toBe(1_536);
  });

  it('are compared with each other whatever their units', async () => {
    const flags = { 'mqtt.reconnect_min_seconds': '2 min', 'mqtt.reconnect_max_seconds': '90' };
    expect(await problemsOf(programNamed('device'), { flags })).toEqual([
      '--set mqtt.reconnect_min_seconds: mqtt.reconnect_min_seconds = "2 min": must not be above reconnect_max_seconds (90)',
    ]);
    expect((await loadDevice({ flags: { 'sensor.read_interval_seconds': '500 ms' } })).warnings).toEqual([
      expect.stringContaining('the sensor warms itself'),
    ]);
  });

  it('are printed in the unit of their name, so that the printed file means the same', async () => {
    const flags = { 'sensor.read_interval_seconds': '5 min', 'journal.min_free_mb': '512 KiB' };
    const { config, description } = await loadDevice({ flags });
    expect(description).toMatch(/^read_interval_seconds = 300 /m);
    expect(description).toMatch(/^min_free_mb = 512 kB /m);
    expect((await loadDevice({ flags: { ...flags, 'journal.min_free_mb': '512 kB' } })).config).toEqual(config);
  });
});
