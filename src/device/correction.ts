/** Applies the configured offsets to a measurement. Pure. */

/** Coefficients of the Magnus formula after Sonntag; see saturationPressureHpa. */
const MAGNUS_HPA = 6.112;
const MAGNUS_SLOPE = 17.62;
const MAGNUS_CELSIUS = 243.12;

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

/**
 * Saturation vapour pressure over water in hPa: the Magnus formula with the coefficients of Sonntag (1990), as in the
 * WMO Guide to Instruments and Methods of Observation (WMO-No. 8), annex 4.B; valid from -45 to 60 °C.
 */
export function saturationPressureHpa(temperatureCelsius: number): number {
  return MAGNUS_HPA * Math.exp((MAGNUS_SLOPE * temperatureCelsius) / (MAGNUS_CELSIUS + temperatureCelsius));
}

/** Dew point in °C: the same formula solved for the temperature. Minus infinity for air without any water. */
export function dewPointCelsius({ temperatureCelsius, humidityPercent }: ClimateValues): number {
  if (humidityPercent <= 0) return Number.NEGATIVE_INFINITY;
  const vapourPressureHpa = (humidityPercent / 100) * saturationPressureHpa(temperatureCelsius);
  const exponent = Math.log(vapourPressureHpa / MAGNUS_HPA);
  return (MAGNUS_CELSIUS * exponent) / (MAGNUS_SLOPE - exponent);
}

/** Two decimals for people. What is rounded to zero has no sign: -0.004 is 0.00. */
export function twoDecimals(value: number): string {
  // toFixed() itself gives "-0.00", but not for a negative zero.
  return (Math.round(value * 100) / 100).toFixed(2);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
