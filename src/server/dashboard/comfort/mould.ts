import { dewPointCelsius, saturationPressureHpa } from './vapour.ts';

/**
 * Mould needs about 80 % relative humidity at a surface, day after day (DIN 4108-2, EN ISO 13788); careful people say 70 %. It is
 * a hint from means over a day, not a verdict.
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

/** What means over a day of a room's air say about a wall of that temperature. */
export function mouldHint(celsius: number, humidityPercent: number, wallCelsius: number): MouldHint {
  const wallHumidityPercent = surfaceHumidityPercent(celsius, humidityPercent, wallCelsius);
  return { level: levelOf(wallHumidityPercent), wallCelsius, wallHumidityPercent };
}

function levelOf(percent: number): MouldLevel {
  if (percent >= 100) return 'condensation';
  if (percent >= RISK_PERCENT) return 'risk';
  return percent >= WATCH_PERCENT ? 'watch' : 'ok';
}
