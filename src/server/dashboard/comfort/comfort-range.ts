/**
 * EN 16798-1, category II ("normal"), for people who sit: 20 to 25 °C while heating, 23 to 26 °C while cooling, 25 to 60 %RH. The
 * season is not guessed: what lies within either range is usual.
 */
const TEMPERATURE_CELSIUS = { from: 20, to: 26 } as const;
const HUMIDITY_PERCENT = { from: 25, to: 60 } as const;

export type ComfortWord = 'usual' | 'cool' | 'warm' | 'dry' | 'humid';

/** Temperature speaks first. */
export function comfortWord(celsius: number, humidityPercent: number): ComfortWord {
  if (celsius < TEMPERATURE_CELSIUS.from) return 'cool';
  if (celsius > TEMPERATURE_CELSIUS.to) return 'warm';
  if (humidityPercent < HUMIDITY_PERCENT.from) return 'dry';
  return humidityPercent > HUMIDITY_PERCENT.to ? 'humid' : 'usual';
}
