/** What the air of a room means for people and walls. Temperatures in °C, relative humidity in %, pressures in hPa. */
import { dewPointCelsius, saturationPressureHpa } from '../contract/climate.ts';

/**
 * Mould needs about 80 % relative humidity at a surface, day after day (DIN 4108-2, EN ISO 13788); careful people say 70 %. It is
 * an estimate from means over a day, not a measurement of the wall.
 */
const RISK_PERCENT = 80;
const WATCH_PERCENT = 70;
/** f_Rsi of DIN 4108-2: how much of the way from the outdoor to the indoor temperature the coldest corner stays. */
const TEMPERATURE_FACTOR = 0.7;

export type MouldLevel = 'ok' | 'watch' | 'risk' | 'condensation';

export interface MouldHint {
  readonly level: MouldLevel;
  readonly wallCelsius: number;
  readonly wallHumidityPercent: number;
}

/** Relative humidity of the room's air where it touches a surface; above 100 %: water condenses. */
export function surfaceHumidityPercent(celsius: number, humidityPercent: number, surfaceCelsius: number): number {
  return (humidityPercent * saturationPressureHpa(celsius)) / saturationPressureHpa(surfaceCelsius);
}

/** On surfaces colder than this, mould can grow. Null for dry air. */
export function mouldBelowCelsius(celsius: number, humidityPercent: number): number | null {
  return dewPointCelsius(celsius, Math.min(100, (humidityPercent * 100) / RISK_PERCENT));
}

/** The coldest corner of an outer wall, from a sensor outdoors (DIN 4108-2). */
export function coldCornerCelsius(indoorCelsius: number, outdoorCelsius: number): number {
  return outdoorCelsius + TEMPERATURE_FACTOR * (indoorCelsius - outdoorCelsius);
}

/** The mould level at a wall of that temperature, from means over a day of the room's air. */
export function mouldHint(celsius: number, humidityPercent: number, wallCelsius: number): MouldHint {
  const wallHumidityPercent = surfaceHumidityPercent(celsius, humidityPercent, wallCelsius);
  return { level: levelOf(wallHumidityPercent), wallCelsius, wallHumidityPercent };
}

function levelOf(percent: number): MouldLevel {
  if (percent >= 100) return 'condensation';
  if (percent >= RISK_PERCENT) return 'risk';
  return percent >= WATCH_PERCENT ? 'watch' : 'ok';
}

/** Below this there is no humidex: its scale begins here. */
const HUMIDEX_FROM_CELSIUS = 20;

export type HumidexBand = 'none' | 'some' | 'great' | 'dangerous';

export interface Humidex {
  /** A whole number. It has no unit, although it looks like °C. */
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

/**
 * EN 16798-1, category II ("normal"), for people who sit: 20 to 25 °C while heating, 23 to 26 °C while cooling, 25 to 60 %RH. The
 * season is not guessed: what lies within either range is usual.
 */
const TEMPERATURE_CELSIUS = { from: 20, to: 26 } as const;
const HUMIDITY_PERCENT = { from: 25, to: 60 } as const;

export type ComfortWord = 'usual' | 'cool' | 'warm' | 'dry' | 'humid';

/** Temperature comes first: one word is shown, not two. */
export function comfortWord(celsius: number, humidityPercent: number): ComfortWord {
  if (celsius < TEMPERATURE_CELSIUS.from) return 'cool';
  if (celsius > TEMPERATURE_CELSIUS.to) return 'warm';
  if (humidityPercent < HUMIDITY_PERCENT.from) return 'dry';
  return humidityPercent > HUMIDITY_PERCENT.to ? 'humid' : 'usual';
}
