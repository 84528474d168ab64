import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absoluteHumidityGramsPerCubicMetre,
  dewPointCelsius,
  saturationPressureHpa,
} from '../../../src/contract/climate.ts';

const air = {
  celsius: fc.double({ min: -40, max: 60, noNaN: true }),
  percent: fc.double({ min: 1, max: 100, noNaN: true }),
};

describe('vapour', () => {
  it.each([
    [0, 6.112],
    [20, 23.326],
    [30, 42.337],
  ])('at %d °C air holds vapour up to %d hPa', (celsius, hpa) => {
    expect(saturationPressureHpa(celsius)).toBeCloseTo(hpa, 3);
  });

  // Exact: Sonntag 1990 in full, which IAPWS-IF97 confirms.
  it.each([
    [20, 50, 9.255, 9.274, 8.621],
    [20, 60, 11.995, 12.008, 10.345],
    [21, 45, 8.607, 8.628, 8.224],
    [25, 60, 16.693, 16.702, 13.779],
    [30, 70, 23.927, 23.928, 21.183],
    [0, 80, -3.04, -3.033, 3.879],
    [-10, 80, -12.797, -12.791, 1.891],
    [35, 20, 8.688, 8.709, 7.893],
    [22, 100, 22, 22, 19.362],
  ])(
    '%d °C and %d RH have their dew point at %d °C, within 0.05 K of %d, and %d g/m³',
    (celsius, percent, dew, exact, grams) => {
      expect(dewPointCelsius(celsius, percent)).toBeCloseTo(dew, 3);
      expect(Math.abs(dewPointCelsius(celsius, percent)! - exact)).toBeLessThan(0.05);
      expect(absoluteHumidityGramsPerCubicMetre(celsius, percent)).toBeCloseTo(grams, 3);
    },
  );

  it('air without water has no dew point, and above 100 % it is the temperature', () => {
    expect(dewPointCelsius(20, 0)).toBeNull();
    expect(dewPointCelsius(20, -1)).toBeNull();
    expect(dewPointCelsius(20, 104)).toBeCloseTo(20, 9);
    expect(absoluteHumidityGramsPerCubicMetre(20, 0)).toBe(0);
  });

  it('the dew point is never above the temperature, and rises with both', () => {
    fc.assert(
      fc.property(air.celsius, air.percent, (celsius, percent) => {
        const dew = dewPointCelsius(celsius, percent)!;
        expect(dew).toBeLessThanOrEqual(celsius + 1e-9);
        expect(dewPointCelsius(celsius + 1, percent)!).toBeGreaterThan(dew);
        expect(dewPointCelsius(celsius, Math.min(100, percent + 1))!).toBeGreaterThanOrEqual(dew);
      }),
      { seed: 20, numRuns: 200 },
    );
  });
});
