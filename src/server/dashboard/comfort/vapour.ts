/** Saturation vapour pressure and what follows from it. Temperatures in °C, relative humidity in %, pressures in hPa. */

/**
 * Magnus formula over water with the coefficients of WMO-No. 8 (Guide to Instruments and Methods of Observation), Annex 4.B,
 * after Sonntag 1990. Over water also below 0 °C, as WMO reports it. The dew point made of it is within 0.05 K of Sonntag's full
 * formula from 0 to 40 °C, far below what a sensor of ±2 %RH can tell.
 */
const MAGNUS_HPA = 6.112;
const MAGNUS_A = 17.62;
const MAGNUS_B_CELSIUS = 243.12;

/** g K/J: 1000 / 461.5, for pressures in Pa; 216.679 for hPa (Vaisala, Humidity Conversion Formulas, M211280EN). */
const ABSOLUTE_HUMIDITY_FACTOR = 216.679;
const KELVIN = 273.15;

export function saturationPressureHpa(celsius: number): number {
  return MAGNUS_HPA * Math.exp((MAGNUS_A * celsius) / (MAGNUS_B_CELSIUS + celsius));
}

/** Null for air without water, which has no dew point. Humidity above 100 % counts as 100 %. */
export function dewPointCelsius(celsius: number, humidityPercent: number): number | null {
  if (!(humidityPercent > 0)) {
    return null;
  }
  const gamma = Math.log(Math.min(100, humidityPercent) / 100) + (MAGNUS_A * celsius) / (MAGNUS_B_CELSIUS + celsius);
  return (MAGNUS_B_CELSIUS * gamma) / (MAGNUS_A - gamma);
}

/** Grams of water in a cubic metre of air. */
export function absoluteHumidityGramsPerCubicMetre(celsius: number, humidityPercent: number): number {
  const pressureHpa = (saturationPressureHpa(celsius) * Math.min(100, Math.max(0, humidityPercent))) / 100;
  return (ABSOLUTE_HUMIDITY_FACTOR * pressureHpa) / (celsius + KELVIN);
}
