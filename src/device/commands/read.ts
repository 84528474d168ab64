import { I2cError, type Measurement, type Sensor, SensorError } from '../../../drivers/sensor.ts';
import { ConfigError } from '../../config/problem.ts';
import { dewPointCelsius } from '../../contract/climate.ts';
import type { Log } from '../../platform/log.ts';
import type { SensorSection } from '../config.ts';
import { corrected, createSensorOpener, twoDecimals } from '../sensor.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from './command-io.ts';
import { type ConfigOptions, loadConfigOrDefaults } from './config.ts';

export interface ReadOptions extends ConfigOptions {
  /** One JSON object a line instead of a table. */
  readonly json: boolean;
  readonly count: number;
  /** Between the beginnings of two measurements. */
  readonly intervalMs: number;
  /** Invented values, whatever the config says. */
  readonly simulate: boolean;
}

/** A measurement as it is shown: the values as the agent would publish them, the frame as the chip sent it. */
interface Shown {
  readonly tsMs: number;
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** Null for air without water. */
  readonly dewPointCelsius: number | null;
  readonly frame: string;
  readonly tookMs: number;
}

/** The columns of the table: heading and width. */
const COLUMNS = [
  ['time (UTC)', 25],
  ['temperature', 13],
  ['humidity', 12],
  ['dew point', 12],
  ['frame', 22],
  ['took', 8],
] as const;

/**
 * Measures with the sensor of the config and prints what comes. Works beside a running agent: both take turns on the sensor
 * (drivers/i2c/lock.ts). A measurement that fails is said on stderr and does not end a series; the exit code tells.
 * @throws the signal's reason
 */
export async function runRead(options: ReadOptions, io: CommandIo): Promise<ExitCode> {
  let settings: SensorSection;
  try {
    settings = (await loadConfigOrDefaults(options, io)).loaded.config.sensor;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
  const sensor = await openSensor(options, settings, io);
  try {
    return (await measureSeries(sensor, settings, options, io)) ? EXIT_OK : EXIT_FAILED;
  } finally {
    if (sensor.health().hungTransfers > 0) io.onHungTransfer();
    await sensor.close();
  }
}

async function openSensor({ simulate }: ReadOptions, settings: SensorSection, io: CommandIo): Promise<Sensor> {
  const { clock, random, signal } = io;
  const open = await createSensorOpener({
    clock,
    random,
    signal,
    log: SILENT,
    whenAbsent: 'fault',
    hasBus: () => true,
  });
  const type = simulate ? 'simulated' : settings.type;
  return await open({ type, i2cBus: settings.i2cBus, i2cAddress: settings.i2cAddress });
}

/** Whether every measurement succeeded. */
async function measureSeries(
  sensor: Sensor,
  settings: SensorSection,
  { json, count, intervalMs }: ReadOptions,
  io: CommandIo,
): Promise<boolean> {
  const { clock, signal, stdout, stderr } = io;
  let failures = 0;
  let dueMs = clock.monotonicMs();
  for (let number = 1; number <= count; number += 1) {
    const startMs = clock.monotonicMs();
    try {
      const measurement = await sensor.measure(signal);
      const nowMs = clock.monotonicMs();
      const ageMs = nowMs - (measurement.taken?.endedMs ?? nowMs);
      const shown = show(measurement, settings, clock.nowMs() - ageMs, nowMs - startMs);
      if (!json && number - failures === 1) stdout.write(`${sensor.description}\n${heading()}\n`);
      stdout.write(`${json ? asJson(sensor, shown) : asRow(shown)}\n`);
    } catch (error) {
      if (!(error instanceof SensorError || error instanceof I2cError)) throw error;
      failures += 1;
      stderr.write(`${error.message} (${error.code})\n`);
    }
    dueMs += intervalMs;
    if (number < count) await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
  }
  if (failures > 0) stderr.write('Cause and remedy: techtemp-device check\n');
  return failures === 0;
}

function show(measurement: Measurement, offsets: SensorSection, tsMs: number, tookMs: number): Shown {
  const values = corrected(measurement, offsets);
  const frame = Buffer.from(measurement.frame).toString('hex').toUpperCase();
  return {
    ...values,
    tsMs,
    dewPointCelsius: dewPointCelsius(values.temperatureCelsius, values.humidityPercent),
    frame,
    tookMs: Math.round(tookMs),
  };
}

function heading(): string {
  return row(COLUMNS.map(([title]) => title));
}

function asRow(shown: Shown): string {
  return row([
    new Date(shown.tsMs).toISOString(),
    `${twoDecimals(shown.temperatureCelsius)} °C`,
    `${twoDecimals(shown.humidityPercent)} %RH`,
    shown.dewPointCelsius === null ? 'none' : `${twoDecimals(shown.dewPointCelsius)} °C`,
    shown.frame.replaceAll(/..(?=.)/g, '$& '),
    `${shown.tookMs} ms`,
  ]);
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(COLUMNS[index]?.[1] ?? 0))
    .join(' ')
    .trimEnd();
}

function asJson(sensor: Sensor, shown: Shown): string {
  return JSON.stringify({
    sensor: sensor.description,
    ts: Math.round(shown.tsMs),
    temperature_c: rounded(shown.temperatureCelsius),
    humidity_pct: rounded(shown.humidityPercent),
    dew_point_c: shown.dewPointCelsius === null ? null : rounded(shown.dewPointCelsius),
    frame: shown.frame,
    took_ms: shown.tookMs,
  });
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What the opener could log is only that it simulates, which it may not do here. */
const SILENT: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
