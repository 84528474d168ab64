import { createAht20 } from '../../../../drivers/aht20.ts';
import { FRAME_LENGTH, hasValidCrc } from '../../../../drivers/aht20-frame.ts';
import { I2cError, type Measurement, type Sensor, SensorError } from '../../../../drivers/sensor.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import { twoDecimals } from '../../correction.ts';
import { report } from '../finding.ts';
import { busFile, busFinding, hexAddress, type I2cParts } from './i2c-faults.ts';

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
