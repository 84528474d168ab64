import { describe, expect, it } from 'vitest';
import { I2cError, type Measurement, type Sensor, SensorError, type Taken } from '../../../drivers/sensor.ts';
import type { Stamp } from '../../../src/device/journal/journal.ts';
import { Sampler } from '../../../src/device/sampler.ts';
import { ActiveSensor } from '../../../src/device/sensor.ts';
import { createFaultLog } from '../../../src/platform/fault-log.ts';
import { sensorSection } from '../../support/device-sections.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { arrayJournals, recordingLog, recordingProgress, testLive } from '../../support/recording.ts';

const section = sensorSection({ type: 'aht20' });

function bench(options: { readonly conversionMs?: number; readonly clockState?: Stamp['state'] } = {}) {
  const clock = new FakeClock();
  const settings = testLive(section);
  const journals = arrayJournals();
  const log = recordingLog();
  const progress = recordingProgress();
  const health = {
    measurements: 0,
    failures: 0,
    crcErrors: 0,
    retries: 0,
    softResets: 0,
    reinitialisations: 0,
    busReopenings: 0,
    hungTransfers: 0,
  };
  let fault: Error | undefined;
  let takenAfter: ((nowMs: number) => Taken) | undefined;
  let opened = 0;
  const closed: string[] = [];
  const startedMs: number[] = [];
  const open = async (choice: { readonly i2cBus: number }): Promise<Sensor> => {
    opened += 1;
    return await Promise.resolve({
      description: `sensor on bus ${choice.i2cBus}`,
      measure: async (signal): Promise<Measurement> => {
        startedMs.push(clock.monotonicMs());
        if (options.conversionMs !== undefined) await clock.sleep(options.conversionMs, signal);
        if (fault !== undefined) throw fault;
        const taken = takenAfter?.(clock.monotonicMs());
        const values = { temperatureCelsius: 21.5, humidityPercent: 40, frame: Uint8Array.of(0x1c) };
        return { ...values, ...(taken !== undefined && { taken }) };
      },
      health: () => health,
      close: async () => void closed.push(await Promise.resolve(`bus ${choice.i2cBus}`)),
    });
  };
  const announced: number[] = [];
  const controller = new AbortController();
  const sampler = new Sampler({
    sensors: new ActiveSensor(open, settings),
    settings,
    clock,
    sensorClock: clock,
    clockSync: {
      stamp: (ageMs: number): { stamp: Stamp; monotonicMs: number } => ({
        stamp: { state: options.clockState ?? 'synced', tsMs: clock.nowMs() - ageMs },
        monotonicMs: clock.monotonicMs() - ageMs,
      }),
    },
    journals,
    faults: createFaultLog(log, clock),
    log,
    progress,
    maxIdleMs: 40_000,
    onReading: ({ entry }) => void announced.push(entry.seq),
    onStateChange: () => undefined,
  });
  const beginMs = clock.monotonicMs();
  const running = sampler.run(controller.signal);
  return {
    clock,
    settings,
    journals,
    log,
    progress,
    sampler,
    announced,
    startedMs,
    health,
    closed,
    opened: () => opened,
    taken: (after: (nowMs: number) => Taken) => (takenAfter = after),
    breakSensor: (error: Error | undefined) => (fault = error),
    /** When the readings were begun, in ms since the loop began. */
    times: () => startedMs.map((ms) => ms - beginMs),
    stop: async () => {
      controller.abort(new Error('stop'));
      // A measurement that has begun is finished: the time for it has to pass.
      await clock.advance(1_000);
      await running;
    },
  };
}

describe('the sampler', () => {
  it('measures at once and then at each interval, and hands each reading on after it was journaled', async () => {
    const rig = bench();
    await rig.clock.advance(180_000);
    expect(rig.times()).toEqual([0, 60_000, 120_000, 180_000]);
    expect(rig.announced).toEqual([1, 2, 3, 4]);
    expect(rig.journals.readings[0]).toMatchObject({ temperatureCelsius: 21.5, humidityPercent: 40, bootId: 'boot-a' });
    await rig.stop();
  });

  it('finishes a measurement that has begun when it is stopped, and keeps the reading', async () => {
    const rig = bench({ conversionMs: 80 });
    await rig.clock.advance(60_000);
    expect(rig.times()).toEqual([0, 60_000]);
    await rig.stop();
    expect(rig.announced).toEqual([1, 2]);
    expect(rig.journals.readings).toHaveLength(2);
  });

  it('gives a measurement up that does not end within a second of the stop', async () => {
    const rig = bench({ conversionMs: 5_000 });
    await rig.stop();
    expect(rig.journals.readings).toHaveLength(0);
  });

  it('keeps its grid although each conversion takes time', async () => {
    const rig = bench({ conversionMs: 80 });
    rig.settings.set({ ...section, readIntervalMs: 100 });
    await rig.clock.advance(100_000);
    const times = rig.times();
    expect(times).toHaveLength(1_001);
    expect(times.at(-1)).toBe(100_000);
    await rig.stop();
  });

  it('lets a new interval take effect at once', async () => {
    const rig = bench();
    rig.settings.set({ ...section, readIntervalMs: 300_000 });
    await rig.clock.advance(20_000);
    rig.settings.set({ ...section, readIntervalMs: 30_000 });
    await rig.clock.advance(40_000);
    expect(rig.times()).toEqual([0, 30_000, 60_000]);
    rig.settings.set({ ...section, readIntervalMs: 10_000 });
    await rig.clock.advance(20_000);
    expect(rig.times()).toEqual([0, 30_000, 60_000, 70_000, 80_000]);
    await rig.stop();
  });

  it('neither drops, moves nor doubles a sample when other keys are edited a thousand times', async () => {
    const rig = bench({ conversionMs: 80 });
    rig.settings.set({ ...section, readIntervalMs: 100 });
    await rig.clock.advance(0);
    for (let edit = 1; edit <= 1_000; edit += 1) {
      rig.settings.set({ ...section, readIntervalMs: 100, humidityOffsetPercent: edit / 1_000 });
      await rig.clock.advance(37);
    }
    expect(rig.times()).toEqual(Array.from({ length: 371 }, (_, index) => index * 100));
    expect(rig.opened()).toBe(1);
    await rig.stop();
  });

  it('exchanges the sensor between two measurements when the config names another', async () => {
    const rig = bench();
    await rig.clock.advance(60_000);
    rig.settings.set({ ...section, i2cBus: 3 });
    await rig.clock.advance(60_000);
    expect(rig.closed).toEqual(['bus 1']);
    expect(rig.times()).toEqual([0, 60_000, 120_000]);
    await rig.stop();
  });

  it('applies the offsets of the moment', async () => {
    const rig = bench();
    rig.settings.set({ ...section, humidityOffsetPercent: 2 });
    await rig.clock.advance(60_000);
    expect(rig.journals.readings.map((reading) => reading.humidityPercent)).toContain(42);
    await rig.stop();
  });

  it('tries a failed sensor again before the next interval, backing off, and returns to its grid', async () => {
    const rig = bench();
    rig.settings.set({ ...section, readIntervalMs: 300_000 });
    rig.breakSensor(new I2cError('I2C_NACK', 'nothing answers at 0x38'));
    await rig.clock.advance(20_000);
    expect(rig.sampler.state()).toMatchObject({ state: 'fault', error: 'nothing answers at 0x38' });
    expect(rig.times()).toEqual([0, 4_000, 12_000]);
    rig.breakSensor(undefined);
    await rig.clock.advance(280_000);
    expect(rig.times()).toEqual([0, 4_000, 12_000, 28_000, 300_000]);
    expect(rig.sampler.state()).toMatchObject({ state: 'ok', failures: 3, missed: 0 });
    await rig.stop();
  });

  it('counts a time of the schedule that passed without a reading, and says the fault once', async () => {
    const rig = bench();
    rig.settings.set({ ...section, readIntervalMs: 1_000 });
    rig.breakSensor(new I2cError('I2C_NACK', 'nothing answers at 0x38'));
    await rig.clock.advance(10_500);
    expect(rig.sampler.state().missed).toBe(11);
    expect(rig.log.lines.filter((line) => line.level === 'warn')).toHaveLength(1);
    await rig.stop();
  });

  it('stamps a measurement with the time at which it was taken, however late the program gets to it', async () => {
    const rig = bench();
    rig.taken((nowMs) => ({ endedMs: nowMs - 2_360, uncertaintyMs: 3 }));
    const nowMs = rig.clock.nowMs();
    await rig.clock.advance(10);
    expect(rig.journals.readings[0]).toMatchObject({ stamp: { state: 'synced', tsMs: nowMs - 2_360 } });
    expect(rig.journals.readings[0]).not.toHaveProperty('isTimeRough');
    await rig.stop();
  });

  it.each([
    ['synced', 'unsynced'],
    ['pending', 'pending'],
  ] as const)(
    'marks a measurement whose moment is known only roughly, by a clock that is %s',
    async (clockState, state) => {
      const rig = bench({ clockState });
      rig.taken((nowMs) => ({ endedMs: nowMs, uncertaintyMs: 900 }));
      await rig.clock.advance(10);
      expect(rig.journals.readings[0]).toMatchObject({ stamp: { state }, isTimeRough: true });
      await rig.stop();
    },
  );

  it('does not count it as a failure of the sensor that the machine was too busy, but does not hide it', async () => {
    const rig = bench();
    await rig.clock.advance(10);
    rig.breakSensor(new SensorError('SENSOR_NO_TIME', 'the machine was too busy'));
    await rig.clock.advance(180_000);
    expect(rig.sampler.state()).toMatchObject({
      state: 'ok',
      failures: 0,
      missed: 2,
      error: 'the machine was too busy',
    });
    expect(rig.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    rig.breakSensor(undefined);
    await rig.clock.advance(60_000);
    expect(rig.sampler.state()).not.toHaveProperty('error');
    await rig.stop();
  });

  it('takes one reading outside the schedule when asked, marked, and moves no other', async () => {
    const rig = bench();
    await rig.clock.advance(30_000);
    rig.sampler.measureNow();
    rig.sampler.measureNow();
    await rig.clock.advance(30_000);
    expect(rig.times()).toEqual([0, 30_000, 60_000]);
    expect(rig.journals.readings.map((reading) => reading.trigger)).toEqual([undefined, 'command', undefined]);
    await rig.stop();
  });

  it('beats while it idles, but not while a transfer hangs', async () => {
    const rig = bench();
    rig.settings.set({ ...section, readIntervalMs: 3_600_000 });
    await rig.clock.advance(400_000);
    const beats = rig.progress.beats.length;
    expect(beats).toBeGreaterThan(9);
    expect(Math.max(...rig.progress.beats)).toBeLessThanOrEqual(40_000);
    rig.health.hungTransfers = 1;
    await rig.clock.advance(400_000);
    expect(rig.progress.beats.length).toBe(beats);
    await rig.stop();
  });

  it('leaves no sleeper behind when it is stopped', async () => {
    const rig = bench();
    await rig.clock.advance(60_000);
    await rig.stop();
    expect(rig.clock.sleepers()).toBe(0);
  });
});
