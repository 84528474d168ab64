import { dewPointCelsius } from './vapour.ts';

/** Below this the humidex says nothing: its scale begins here. */
const HUMIDEX_FROM_CELSIUS = 20;

export type HumidexBand = 'none' | 'some' | 'great' | 'dangerous';

export interface Humidex {
  /** A whole number; looks like °C but is none. */
  readonly value: number;
  readonly band: HumidexBand;
}

/**
 * Masterton & Richardson 1979, "Humidex: a method of quantifying human discomfort due to excessive heat and humidity", as
 * Environment Canada publishes it: vapour pressure from the dew point. Unrounded.
 */
export function humidexOf(celsius: number, dewPoint: number): number {
  const pressureHpa = 6.11 * Math.exp(5417.753 * (1 / 273.16 - 1 / (273.15 + dewPoint)));
  return celsius + 0.5555 * (pressureHpa - 10);
}

/** Null where it means nothing: below 20 °C, or where the air feels no warmer than it is. */
export function humidex(celsius: number, humidityPercent: number): Humidex | null {
  const dewPoint = dewPointCelsius(celsius, humidityPercent);
  if (dewPoint === null || celsius < HUMIDEX_FROM_CELSIUS) {
    return null;
  }
  const exact = humidexOf(celsius, dewPoint);
  const value = Math.round(exact);
  return exact > celsius ? { value, band: bandOf(value) } : null;
}

/** Bands of the Canadian Centre for Climate Services. */
function bandOf(value: number): HumidexBand {
  if (value < 30) return 'none';
  if (value < 40) return 'some';
  return value <= 45 ? 'great' : 'dangerous';
}
