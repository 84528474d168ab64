import { createAht20 } from '../../../../drivers/aht20/aht20.ts';
import { FRAME_LENGTH, hasValidCrc } from '../../../../drivers/aht20/frame.ts';
import type { OpenI2cBus } from '../../../../drivers/i2c/bus.ts';
import type { SensorLock } from '../../../../drivers/i2c/lock.ts';
import { type Delay, I2cError, type Measurement, type Sensor, SensorError } from '../../../../drivers/sensor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { SensorSection } from '../../config.ts';
import { twoDecimals } from '../../sensor.ts';
import { report } from '../findings/catalogue.ts';

export interface I2cParts {
  readonly sensor: SensorSection;
  readonly openBus: OpenI2cBus;
  /** Keeps a running agent's measurements and ours apart. */
  readonly lock: SensorLock;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
  readonly configFile: string;
  /** Where TechTemp is installed. */
  readonly folder: string;
  /** `/`, or what stands for it. */
  readonly root: string;
}

export function busFile(busNumber: number): string {
  return `/dev/i2c-${busNumber}`;
}

export function hexAddress(address: number): string {
  return `0x${address.toString(16).padStart(2, '0')}`;
}

/** The finding for a bus that fails in a way that has nothing to do with the chip; undefined for a missing acknowledge. */
export function busFinding(error: I2cError, parts: Pick<I2cParts, 'sensor' | 'folder'>): Finding | undefined {
  const facts = { bus: busFile(parts.sensor.i2cBus), problem: error.message };
  switch (error.code) {
    case 'I2C_MODULE_MISSING':
      return report('bus.package-missing', { folder: parts.folder });
    case 'I2C_PERMISSION':
      return report('bus.permission', facts);
    case 'I2C_TIMEOUT':
      return report('bus.time-out', facts);
    case 'I2C_HUNG':
      return report('bus.hung', facts);
    case 'I2C_BUS_MISSING':
    case 'I2C_ADDRESS_IN_USE':
    case 'I2C_SHORT_TRANSFER':
    case 'I2C_FAILED':
      return report('bus.failed', facts);
    case 'I2C_NACK':
      return undefined;
  }
}

/** Enough to see noise, few enough not to warm the chip. */
const MEASUREMENTS = 5;
/** A measurement that fails has tried everything for seconds; two say as much as five. */
const FAILURES_TO_GIVE_UP = 2;
const RAW_READS = 3;

type Failure = SensorError | I2cError;

/** Measures as the agent does, with the same driver, and judges what comes. */
export async function examineSensor(parts: I2cParts, signal: AbortSignal): Promise<readonly Finding[]> {
  const { openBus, sensor: section, delay, monotonicMs, lock } = parts;
  const place = { openBus, busNumber: section.i2cBus, address: section.i2cAddress, delay, monotonicMs };
  const sensor = createAht20({ ...place, lock });
  try {
    const startMs = monotonicMs();
    const { values, failures } = await measureSeveral(sensor, signal);
    const milliseconds = Math.round((monotonicMs() - startMs) / Math.max(1, values.length + failures.length));
    const last = values.at(-1);
    const [failure] = failures;
    if (last === undefined) return failure === undefined ? [] : [await explain(failure, parts, signal)];
    return [
      valueFinding(sensor, last, values.length, milliseconds),
      ...remarks(sensor, section.i2cBus, values, failures),
    ];
  } finally {
    await sensor.close();
  }
}

async function measureSeveral(
  sensor: Sensor,
  signal: AbortSignal,
): Promise<{ readonly values: readonly Measurement[]; readonly failures: readonly Failure[] }> {
  const values: Measurement[] = [];
  const failures: Failure[] = [];
  while (values.length + failures.length < MEASUREMENTS) {
    if (values.length === 0 && failures.length >= FAILURES_TO_GIVE_UP) break;
    try {
      values.push(await sensor.measure(signal));
    } catch (error) {
      if (!(error instanceof SensorError || error instanceof I2cError)) throw error;
      failures.push(error);
    }
  }
  return { values, failures };
}

function valueFinding(sensor: Sensor, value: Measurement, count: number, milliseconds: number): Finding {
  return report('sensor.ok', {
    sensor: sensor.description,
    temperature: twoDecimals(value.temperatureCelsius),
    humidity: twoDecimals(value.humidityPercent),
    count,
    milliseconds,
  });
}

/** What deserves a look although values came. */
function remarks(
  sensor: Sensor,
  busNumber: number,
  values: readonly Measurement[],
  failures: readonly Failure[],
): readonly Finding[] {
  const count = values.length + failures.length;
  const { crcErrors, retries } = sensor.health();
  const findings: Finding[] = [];
  if (crcErrors > 0) findings.push(report('sensor.noise', { bad: crcErrors, count }));
  const starved = failures.find(({ code }) => code === 'SENSOR_NO_TIME');
  if (starved !== undefined) findings.push(report('sensor.no-time', { problem: starved.message }));
  const other = failures.find(({ code }) => code !== 'SENSOR_CRC' && code !== 'SENSOR_NO_TIME');
  // A damaged frame costs one repetition at most; what is repeated more often fails in another way.
  if (other?.code === 'I2C_HUNG') {
    // However many values came: nothing but a restart of the machine frees that transfer.
    findings.push(report('bus.hung', { bus: busFile(busNumber) }));
  } else if (other !== undefined || retries > crcErrors) {
    const problem = other === undefined ? '' : `: ${other.message}`;
    findings.push(report('sensor.unreliable', { failed: failures.length, retries, count, problem }));
  }
  // Status and checksum aside: the 40 bits of the two values, whose last ones are noise in a live chip.
  const bits = values.map(({ frame }) => Buffer.from(frame.subarray(1, 6)).toString('hex').toUpperCase());
  if (bits.length === MEASUREMENTS && new Set(bits).size === 1) {
    findings.push(report('sensor.frozen', { count, frame: bits[0] ?? '' }));
  }
  return findings;
}

/** Why there is no value at all. */
async function explain(failure: Failure, parts: I2cParts, signal: AbortSignal): Promise<Finding> {
  const problem = failure.message;
  if (failure.code === 'SENSOR_NO_TIME') return report('sensor.no-time', { problem });
  if (failure instanceof I2cError) return busFinding(failure, parts) ?? report('sensor.failed', { problem });
  const { i2cBus: number, i2cAddress } = parts.sensor;
  if (await looksForeign(failure, parts, signal)) {
    return report('sensor.not-an-aht', {
      address: hexAddress(i2cAddress),
      bus: busFile(number),
      number,
      count: RAW_READS,
    });
  }
  switch (failure.code) {
    case 'SENSOR_BUSY':
      return report('sensor.busy');
    case 'SENSOR_NOT_CALIBRATED':
      return report('sensor.not-calibrated');
    case 'SENSOR_IMPLAUSIBLE':
      return report('sensor.implausible', { problem });
    case 'SENSOR_CRC':
    case 'SENSOR_FROZEN':
      return report('sensor.failed', { problem });
  }
}

/**
 * An acknowledge proves nothing, since other chips live at 0x38 too. An AHT20 in trouble still shows its last frame with a
 * right checksum, or at least bytes that differ; another chip shows neither.
 */
async function looksForeign({ code }: SensorError, parts: I2cParts, signal: AbortSignal): Promise<boolean> {
  const frames = await readRaw(parts, signal);
  if (frames.some(hasValidCrc)) return false;
  const isMonotonous = frames.every((frame) => frame.every((byte) => byte === frame[0]));
  return code === 'SENSOR_CRC' || (isMonotonous && code !== 'SENSOR_IMPLAUSIBLE');
}

async function readRaw({ openBus, sensor, lock }: I2cParts, signal: AbortSignal): Promise<readonly Uint8Array[]> {
  const frames: Uint8Array[] = [];
  await lock.runExclusive(async () => {
    const bus = await openBus(sensor.i2cBus);
    try {
      while (frames.length < RAW_READS) frames.push(await bus.read(sensor.i2cAddress, FRAME_LENGTH));
    } catch (error) {
      if (!(error instanceof I2cError)) throw error;
    } finally {
      await bus.close();
    }
  }, signal);
  return frames;
}
