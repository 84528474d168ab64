import { describe, expect, it } from 'vitest';
import {
  coldCornerCelsius,
  comfortWord,
  humidex,
  humidexOf,
  mouldBelowCelsius,
  mouldHint,
  surfaceHumidityPercent,
} from '../../../src/dashboard/comfort.ts';

describe('humidex', () => {
  // Environment Canada's table, by temperature and dew point.
  it.each([
    [30, 15, 33.969],
    [30, 25, 42.338],
    [35, 20, 42.57],
    [28, 22, 37.321],
    [33, 15, 36.969],
  ])('%d °C with a dew point of %d °C feels like %d', (celsius, dewPoint, expected) => {
    expect(humidexOf(celsius, dewPoint)).toBeCloseTo(expected, 2);
  });

  it.each([
    [25, 50, 28, 'none'],
    [30, 50, 36, 'some'],
    [30, 70, 41, 'great'],
    [22, 60, 25, 'none'],
    [33, 55, 43, 'great'],
    [36, 70, 54, 'dangerous'],
  ] as const)('%d °C and %d RH feel like %d: %s discomfort', (celsius, percent, value, band) => {
    expect(humidex(celsius, percent)).toEqual({ value, band });
  });

  it('says nothing below 20 °C, nor where the air feels no warmer than it is', () => {
    expect(humidex(19.9, 90)).toBeNull();
    expect(humidex(22, 20)).toBeNull();
    expect(humidex(25, 0)).toBeNull();
  });
});

describe('mould', () => {
  it.each([
    [20, 50, -5, 12.5, 80.62, 12.617, 'risk'],
    [20, 60, -5, 12.5, 96.74, 15.431, 'risk'],
    [20, 50, 0, 14, 73.11, 12.617, 'watch'],
    [21, 60, 0, 14.7, 89.18, 16.397, 'risk'],
    [20, 65, 5, 15.5, 86.29, 16.687, 'risk'],
    [18, 70, 5, 14.1, 89.77, 15.892, 'risk'],
    [20, 70, -5, 12.5, 112.87, 17.859, 'condensation'],
    [20, 40, 0, 14, 58.49, 9.255, 'ok'],
  ] as const)(
    '%d °C and %d RH with %d °C outdoors: a corner at %d °C and %d RH',
    (inside, percent, outside, wall, wallPercent, below, level) => {
      expect(coldCornerCelsius(inside, outside)).toBeCloseTo(wall, 9);
      expect(surfaceHumidityPercent(inside, percent, wall)).toBeCloseTo(wallPercent, 1);
      expect(mouldBelowCelsius(inside, percent)).toBeCloseTo(below, 2);
      expect(mouldHint(inside, percent, wall).level).toBe(level);
    },
  );

  it('has no such surface in dry air', () => {
    expect(mouldBelowCelsius(20, 0)).toBeNull();
  });
});

describe('comfort', () => {
  it.each([
    [21, 45, 'usual'],
    [19.9, 45, 'cool'],
    [26.1, 80, 'warm'],
    [21, 24, 'dry'],
    [21, 61, 'humid'],
  ] as const)('%d °C and %d RH are %s', (celsius, percent, word) => {
    expect(comfortWord(celsius, percent)).toBe(word);
  });
});
