import { describe, expect, it } from 'vitest';
import { createAht20 } from '../../../drivers/aht20/aht20.ts';
import { decodeFrame, encodeFrame } from '../../../drivers/aht20/frame.ts';
import type { I2cBus } from '../../../drivers/i2c/bus.ts';
import { SensorError } from '../../../drivers/sensor.ts';
import { cases } from '../../support/cases.ts';

const never = new AbortController().signal;

/** A small linear congruential generator: a failure can be had again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

type DamageRead = (bytes: Uint8Array, random: () => number) => void;

/** A chip that measures on AC 33 00, on a line that damages what is read. */
function noisyChip(random: () => number, damageRead: DamageRead, truth: { frame: Uint8Array }): I2cBus {
  return {
    path: '/dev/i2c-1',
    write: (_address, bytes) => {
      if (bytes[0] === 0xac) {
        truth.frame = encodeFrame({ temperatureCelsius: 15 + 10 * random(), humidityPercent: 30 + 40 * random() });
      }
      return Promise.resolve();
    },
    read: (_address, length) => {
      const bytes = truth.frame.slice(0, length);
      damageRead(bytes, random);
      return Promise.resolve(bytes);
    },
    hungTransfers: () => 0,
    close: () => Promise.resolve(),
  };
}

/** A burst of noise somewhere, a line stuck from somewhere on, or nothing but noise. */
function damage(bytes: Uint8Array, random: () => number): void {
  const from = Math.floor(random() * bytes.length);
  const kind = random();
  for (let index = kind < 0.5 ? from : 0; index < bytes.length; index++) {
    if (kind < 0.25) bytes[index] = 0xff;
    else if (kind < 0.5) bytes[index] = 0x00;
    else if (kind < 0.75) bytes[index] = Math.floor(random() * 256);
    else if (index >= from && index < from + 2) bytes[index] = (bytes[index] ?? 0) ^ Math.floor(random() * 256);
  }
}

/** Measures again and again; returns how many readings came, and fails on the first that the chip did not say. */
async function measureMany(rounds: number, seed: number, damageRead: DamageRead): Promise<number> {
  const random = createRandom(seed);
  const truth = { frame: encodeFrame({ temperatureCelsius: 20, humidityPercent: 50 }) };
  let nowMs = 0;
  const sensor = createAht20({
    busNumber: 1,
    address: 0x38,
    openBus: () => Promise.resolve(noisyChip(random, damageRead, truth)),
    delay: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    monotonicMs: () => nowMs,
  });
  let readings = 0;
  for (let round = 0; round < rounds; round++) {
    try {
      const { temperatureCelsius, humidityPercent } = await sensor.measure(never);
      readings++;
      const real = decodeFrame(truth.frame);
      if (real.kind !== 'value') throw new Error(real.kind);
      if (temperatureCelsius === real.temperatureCelsius && humidityPercent === real.humidityPercent) continue;
      expect.fail(`seed ${seed} round ${round}: ${temperatureCelsius} °C instead of ${real.temperatureCelsius} °C`);
    } catch (error) {
      if (!(error instanceof SensorError)) throw error;
    }
  }
  expect(sensor.health()).toMatchObject({ measurements: readings, failures: rounds - readings });
  return readings;
}

describe('a line with noise', () => {
  it.each([
    [0.05, 1],
    [0.3, 1],
    [0.6, 0.9],
    [0.95, 0],
  ])('that damages %d of all reads never makes a wrong reading', async (probability, share) => {
    const rounds = cases(400, 2000);
    const readings = await measureMany(rounds, 17, (bytes, random) => {
      if (random() < probability) damage(bytes, random);
    });
    expect(readings).toBeGreaterThanOrEqual(rounds * share);
  });

  it.each([4, 12, 24, 28, 33, 40, 44])('that is dead from bit %d on never makes a reading', async (from) => {
    const readings = await measureMany(cases(200, 1000), from, (bytes) => {
      for (let bit = from; bit < bytes.length * 8; bit++) {
        const mask = 0x80 >> (bit & 7);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | mask;
      }
    });
    expect(readings).toBe(0);
  });
});
