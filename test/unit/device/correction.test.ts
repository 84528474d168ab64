import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { saturationPressureHpa } from '../../../src/contract/climate.ts';
import { corrected, twoDecimals } from '../../../src/device/sensor.ts';

const none = { temperatureOffsetCelsius: 0, humidityOffsetPercent: 0 };

// D7
it('never gives a zero a sign', () => {
  expect([-0.004, -0, 0, -0.005_1, -12.345, 0.004].map(twoDecimals)).toEqual([
    '0.00',
    '0.00',
    '0.00',
    '-0.01',
    '-12.34',
    '0.00',
  ]);
});

describe('the offsets', () => {
  it('leave a measurement alone when they are zero', () => {
    expect(corrected({ temperatureCelsius: 22.52, humidityPercent: 39.73 }, none)).toEqual({
      temperatureCelsius: 22.52,
      humidityPercent: 39.73,
    });
  });

  it('derive the humidity anew when the temperature is corrected: the air holds the same vapour', () => {
    const measured = { temperatureCelsius: 25, humidityPercent: 40 };
    const result = corrected(measured, { ...none, temperatureOffsetCelsius: -3 });
    expect(result.temperatureCelsius).toBe(22);
    const before = measured.humidityPercent * saturationPressureHpa(25);
    const after = result.humidityPercent * saturationPressureHpa(22);
    expect(after).toBeCloseTo(before, 9);
    // WMO-No. 8: 31.67 hPa at 25 °C, 26.43 hPa at 22 °C over water.
    expect(result.humidityPercent).toBeCloseTo((40 * 31.67) / 26.43, 1);
  });

  it('keep the humidity within 0 and 100 %', () => {
    fc.assert(
      fc.property(
        fc.float({ min: -40, max: 85, noNaN: true }),
        fc.float({ min: 0, max: 100, noNaN: true }),
        fc.float({ min: -20, max: 20, noNaN: true }),
        fc.float({ min: -50, max: 50, noNaN: true }),
        (temperatureCelsius, humidityPercent, temperatureOffsetCelsius, humidityOffsetPercent) => {
          const result = corrected(
            { temperatureCelsius, humidityPercent },
            { temperatureOffsetCelsius, humidityOffsetPercent },
          );
          expect(result.humidityPercent).toBeGreaterThanOrEqual(0);
          expect(result.humidityPercent).toBeLessThanOrEqual(100);
        },
      ),
    );
  });

  it('agree with the published saturation pressures of water', () => {
    // WMO-No. 8 (CIMO guide), saturation vapour pressure with respect to water.
    for (const [celsius, hpa] of [
      [0, 6.112],
      [10, 12.28],
      [20, 23.38],
      [30, 42.45],
    ] as const) {
      expect(Math.abs(saturationPressureHpa(celsius) - hpa) / hpa).toBeLessThan(0.003);
    }
  });
});
