import { describe, expect, it } from 'vitest';
import { decodeFrame } from '../../../drivers/aht20/frame.ts';
import type { Measurement } from '../../../drivers/sensor.ts';
import { createSimulatedSensor } from '../../../drivers/simulated.ts';

const MINUTE_MS = 60_000;
const never = new AbortController().signal;

/** A small linear congruential generator: the same numbers in every run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

async function measureEveryMinute(count: number, seed = 1): Promise<readonly Measurement[]> {
  let nowMs = Date.UTC(2026, 0, 1);
  const sensor = createSimulatedSensor({ nowMs: () => nowMs, random: createRandom(seed) });
  const measurements: Measurement[] = [];
  for (let index = 0; index < count; index++) {
    measurements.push(await sensor.measure(never));
    nowMs += MINUTE_MS;
  }
  expect(sensor.health()).toMatchObject({ measurements: count, failures: 0 });
  return measurements;
}

describe('the simulated sensor', () => {
  it('has a day: warm in the afternoon and drier then, cool at night', async () => {
    const day = await measureEveryMinute(24 * 60);
    const at = (hour: number): Measurement => day[hour * 60]!;
    expect(at(16).temperatureCelsius).toBeGreaterThan(at(4).temperatureCelsius + 2);
    expect(at(16).humidityPercent).toBeLessThan(at(4).humidityPercent);
  });

  it('stays within what a room can be over two months, and moves a little from minute to minute', async () => {
    const months = await measureEveryMinute(60 * 24 * 60);
    let largestStep = 0;
    let previous = months[0]!;
    for (const measurement of months) {
      if (measurement.temperatureCelsius < 17 || measurement.temperatureCelsius > 25) expect.fail('not a room');
      if (measurement.humidityPercent < 30 || measurement.humidityPercent > 65) expect.fail('not a room');
      largestStep = Math.max(largestStep, Math.abs(measurement.temperatureCelsius - previous.temperatureCelsius));
      previous = measurement;
    }
    expect(largestStep).toBeGreaterThan(0.01);
    expect(largestStep).toBeLessThan(0.12);
  });

  it('shows the frame of a real chip for the values that it gives', async () => {
    const [measurement] = await measureEveryMinute(1);
    const { frame, ...values } = measurement!;
    expect(decodeFrame(frame)).toMatchObject({ kind: 'value', ...values });
  });

  it('is the same again for the same time and the same random numbers, and another for others', async () => {
    expect(await measureEveryMinute(100)).toEqual(await measureEveryMinute(100));
    expect(await measureEveryMinute(100)).not.toEqual(await measureEveryMinute(100, 2));
  });

  it('survives the random number zero', async () => {
    const sensor = createSimulatedSensor({ nowMs: () => 0, random: () => 0 });
    expect((await sensor.measure(never)).temperatureCelsius).toBeGreaterThan(15);
  });

  it('measures nothing any more once it was told to stop', async () => {
    const sensor = createSimulatedSensor({ nowMs: () => 0, random: () => 0 });
    await expect(sensor.measure(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    await sensor.close();
  });
});
