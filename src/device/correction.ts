/** Applies the configured offsets to a measurement. Pure. */
import { saturationPressureHpa } from '../contract/climate.ts';

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
