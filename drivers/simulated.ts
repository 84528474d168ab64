import { decodeFrame, encodeFrame } from './aht20/frame.ts';
import type { Measurement, Sensor } from './sensor.ts';

const DAY_MS = 24 * 3600 * 1000;
/** Weather: two slow waves whose periods have no common multiple that anybody would live to see. */
const WEATHER_MS = [5.3 * DAY_MS, 11.7 * DAY_MS] as const;
/** A heated room is warmest in the late afternoon. */
const WARMEST_AT_MS = 16 * 3600 * 1000;

const MEAN_TEMPERATURE_CELSIUS = 21;
const DAILY_SWING_CELSIUS = 1.4;
const WEATHER_SWING_CELSIUS = 0.6;
const MEAN_HUMIDITY_PERCENT = 47;
const WEATHER_SWING_PERCENT = 6;
/** Warming air by 1 °C lowers its relative humidity by about 6 % of the value: near 3 %RH in a room. */
const HUMIDITY_PER_CELSIUS = -2.8;
/** Noise of a real AHT20, one standard deviation. */
const TEMPERATURE_NOISE_CELSIUS = 0.01;
const HUMIDITY_NOISE_PERCENT = 0.03;

export interface SimulatedSensorOptions {
  /** Wall clock, epoch ms UTC: the climate is a function of it, so it goes on where it was after a restart. */
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A room that is believable over a day and a week, for trying things without hardware. Measures at once, fails never. */
export function createSimulatedSensor(options: SimulatedSensorOptions): Sensor {
  const { nowMs, random } = options;
  let measurements = 0;
  return {
    description: 'simulated sensor',
    // eslint-disable-next-line @typescript-eslint/require-await -- a Sensor answers later, this one only sooner
    async measure(signal): Promise<Measurement> {
      signal.throwIfAborted();
      // Through a real frame, so that the values have the steps of the chip's scale, and a frame to keep.
      const frame = encodeFrame(roomClimate(nowMs(), random));
      const decoded = decodeFrame(frame);
      if (decoded.kind !== 'value') throw new Error(`the simulated climate is not a room's: ${decoded.kind}`);
      measurements++;
      const { temperatureCelsius, humidityPercent } = decoded;
      return { temperatureCelsius, humidityPercent, frame };
    },
    health: () => ({
      measurements,
      failures: 0,
      crcErrors: 0,
      retries: 0,
      softResets: 0,
      reinitialisations: 0,
      busReopenings: 0,
      hungTransfers: 0,
    }),
    close: () => Promise.resolve(),
  };
}

function roomClimate(
  atMs: number,
  random: () => number,
): { readonly temperatureCelsius: number; readonly humidityPercent: number } {
  const day = wave(atMs - WARMEST_AT_MS, DAY_MS);
  const [front, season] = WEATHER_MS.map((period) => wave(atMs, period)) as [number, number];
  const deviation = DAILY_SWING_CELSIUS * day + WEATHER_SWING_CELSIUS * front;
  const temperatureCelsius = MEAN_TEMPERATURE_CELSIUS + deviation + TEMPERATURE_NOISE_CELSIUS * normal(random);
  const humidityPercent =
    MEAN_HUMIDITY_PERCENT +
    HUMIDITY_PER_CELSIUS * deviation +
    WEATHER_SWING_PERCENT * season +
    HUMIDITY_NOISE_PERCENT * normal(random);
  return { temperatureCelsius, humidityPercent };
}

function wave(atMs: number, periodMs: number): number {
  return Math.cos((2 * Math.PI * atMs) / periodMs);
}

/** Standard normal (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
