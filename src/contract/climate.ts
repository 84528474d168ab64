/**
 * Water vapour in air. Temperatures in °C, relative humidity in %, pressures in hPa. Pure: the device corrects humidity by these
 * formulas, and the dashboard derives the dew point and more from them.
 */

/**
 * Saturation vapour pressure at 0 °C, in hPa. This and the next two constants are those of the Magnus formula over water in
 * WMO-No. 8 (Guide to Instruments and Methods of Observation), annex 4.B, after Sonntag (1990). Valid from -45 to 60 °C.
 */
const MAGNUS_HPA = 6.112;
/** Without unit; same source. */
const MAGNUS_SLOPE = 17.62;
/** °C; same source. */
const MAGNUS_CELSIUS = 243.12;

/**
 * g K/J, for pressures in hPa: 100 000 / 461.5, where 461.5 J/(kg K) is the gas constant of water vapour. The digits are those of
 * Vaisala, Humidity Conversion Formulas (M211280EN).
 */
const ABSOLUTE_HUMIDITY_FACTOR = 216.679;
/** 0 °C in kelvin, by the definition of the Celsius scale. */
const ZERO_CELSIUS_KELVIN = 273.15;

/** Over water, also below 0 °C, as WMO reports humidity. */
export function saturationPressureHpa(celsius: number): number {
  return MAGNUS_HPA * Math.exp((MAGNUS_SLOPE * celsius) / (MAGNUS_CELSIUS + celsius));
}

/**
 * The Magnus formula solved for the temperature; within 0.05 K of Sonntag's full formula from 0 to 40 °C. Humidity above 100 %
 * counts as 100 %. Null for air without water, which has no dew point.
 */
export function dewPointCelsius(celsius: number, humidityPercent: number): number | null {
  if (!(humidityPercent > 0)) return null;
  const exponent =
    Math.log(Math.min(100, humidityPercent) / 100) + (MAGNUS_SLOPE * celsius) / (MAGNUS_CELSIUS + celsius);
  return (MAGNUS_CELSIUS * exponent) / (MAGNUS_SLOPE - exponent);
}

/** Grams of water in a cubic metre of air. */
export function absoluteHumidityGramsPerCubicMetre(celsius: number, humidityPercent: number): number {
  const pressureHpa = (saturationPressureHpa(celsius) * Math.min(100, Math.max(0, humidityPercent))) / 100;
  return (ABSOLUTE_HUMIDITY_FACTOR * pressureHpa) / (celsius + ZERO_CELSIUS_KELVIN);
}
