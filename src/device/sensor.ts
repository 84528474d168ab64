import type { Aht20Options } from '../../drivers/aht20/aht20.ts';
import type { I2cErrorCode, Sensor, SensorErrorCode, SensorHealth } from '../../drivers/sensor.ts';
import { saturationPressureHpa } from '../contract/climate.ts';
import type { Clock, Random } from '../platform/clock.ts';
import type { Live } from '../platform/live.ts';
import type { Log } from '../platform/log.ts';
import type { SensorSection } from './config.ts';

/** What decides which sensor is meant; a change of anything else leaves the open one alone. */
type SensorChoice = Pick<SensorSection, 'type' | 'i2cBus' | 'i2cAddress'>;

export type OpenSensor = (choice: SensorChoice) => Promise<Sensor>;

/** Holds the sensor that the config asks for, and exchanges it between two measurements when the config asks for another. */
export class ActiveSensor {
  readonly #open: OpenSensor;
  readonly #settings: Live<SensorSection>;
  #held: { readonly choice: SensorChoice; readonly sensor: Sensor } | undefined;

  constructor(open: OpenSensor, settings: Live<SensorSection>) {
    this.#open = open;
    this.#settings = settings;
  }

  /** The sensor to measure with now. Not to be called while a measurement runs. @throws I2cError when it can't be opened */
  async current(): Promise<Sensor> {
    const { type, i2cBus, i2cAddress } = this.#settings.current;
    const choice: SensorChoice = { type, i2cBus, i2cAddress };
    if (this.#held !== undefined && sameChoice(this.#held.choice, choice)) return this.#held.sensor;
    await this.close();
    this.#held = { choice, sensor: await this.#open(choice) };
    return this.#held.sensor;
  }

  description(): string {
    return this.#held?.sensor.description ?? 'no sensor opened yet';
  }

  health(): SensorHealth | undefined {
    return this.#held?.sensor.health();
  }

  /** Transfers that never came back; above zero only a restart of the process helps. */
  hungTransfers(): number {
    return this.#held?.sensor.health().hungTransfers ?? 0;
  }

  async close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held?.sensor.close();
  }
}

function sameChoice(a: SensorChoice, b: SensorChoice): boolean {
  return a.type === b.type && a.i2cBus === b.i2cBus && a.i2cAddress === b.i2cAddress;
}

export interface OpenSensorParts {
  /** For the chip's waits and the limits of transfers. */
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What `type = auto` does when no sensor answers. A recorder must never invent readings: only `npm start` simulates. */
  readonly whenAbsent: 'fault' | 'simulate';
  /** Whether this machine has the given bus. */
  readonly hasBus: (busNumber: number) => boolean;
}

/**
 * Opens what `[sensor] type` asks for. Where a simulated sensor may stand in, it says so and why; but where there is a bus and
 * only the native package to use it is missing, that is an error with its remedy. The drivers are loaded here and not before. The bus is opened once for all sensors, so that transfers on it take turns.
 */
export async function createSensorOpener(parts: OpenSensorParts): Promise<OpenSensor> {
  const { clock, random, log, signal, whenAbsent, hasBus } = parts;
  const { createI2cBusOpener, preloadI2cBus } = await import('../../drivers/i2c/bus.ts');
  const { createSensorLock } = await import('../../drivers/i2c/lock.ts');
  const openBus = createI2cBusOpener({ delay: clock.sleep, monotonicMs: clock.monotonicMs });

  const simulated = async (): Promise<Sensor> => {
    const { createSimulatedSensor } = await import('../../drivers/simulated.ts');
    return createSimulatedSensor({ nowMs: clock.nowMs, random });
  };

  const open: OpenSensor = async ({ type, i2cBus: busNumber, i2cAddress: address }) => {
    const place = { busNumber, address, delay: clock.sleep, monotonicMs: clock.monotonicMs };
    const options: Aht20Options = { ...place, openBus, lock: createSensorLock(place) };
    if (type === 'simulated') return await simulated();
    await preloadI2cBus();
    if (type === 'aht20' || whenAbsent === 'fault') {
      const { createAht20 } = await import('../../drivers/aht20/aht20.ts');
      return createAht20(options);
    }
    const { findAht20 } = await import('../../drivers/aht20/aht20.ts');
    const found = await findAht20(options, signal);
    if (found.found) return found.sensor;
    if (!isAbsent(found.reason.code, hasBus(busNumber))) throw found.reason;
    log.warn({ code: found.reason.code }, `no real sensor, so a simulated one: ${found.reason.message}`);
    return await simulated();
  };
  return async (choice) => {
    const sensor = await open(choice);
    log.info({}, `sensor: ${sensor.description}`);
    return sensor;
  };
}

/** Nothing is there, as against a chip that is there and faulty, or a bus that only lacks the package to use it. */
function isAbsent(code: I2cErrorCode | SensorErrorCode, hasBus: boolean): boolean {
  return code === 'I2C_BUS_MISSING' || code === 'I2C_NACK' || (code === 'I2C_MODULE_MISSING' && !hasBus);
}

/** Applies the configured offsets to a measurement. Pure. */

export interface ClimateValues {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
}

export interface Offsets {
  readonly temperatureOffsetCelsius: number;
  readonly humidityOffsetPercent: number;
}

/**
 * Adds the offsets. A sensor that is warmed by its neighbours reads too warm and, for the same air, too dry: when the
 * temperature is corrected, the relative humidity is calculated again for the same vapour pressure. Clamped to 0..100 %.
 */
export function corrected(measured: ClimateValues, offsets: Offsets): ClimateValues {
  const temperatureCelsius = measured.temperatureCelsius + offsets.temperatureOffsetCelsius;
  const sameVapour =
    offsets.temperatureOffsetCelsius === 0
      ? measured.humidityPercent
      : (measured.humidityPercent * saturationPressureHpa(measured.temperatureCelsius)) /
        saturationPressureHpa(temperatureCelsius);
  return { temperatureCelsius, humidityPercent: clamp(sameVapour + offsets.humidityOffsetPercent, 0, 100) };
}

/** Two decimals for people. What is rounded to zero has no sign: -0.004 is 0.00. */
export function twoDecimals(value: number): string {
  // toFixed() itself gives "-0.00", but not for a negative zero.
  return (Math.round(value * 100) / 100).toFixed(2);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
