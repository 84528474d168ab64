import { describe, expect, it } from 'vitest';
import type { TimeSync } from '../../../src/common/time-sync.ts';
import { ClockKeeper } from '../../../src/device/clock-keeper.ts';
import type { ClockSection } from '../../../src/device/config/device-config.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { arrayJournals, recordingLog, recordingProgress, testLive } from '../../support/recording.ts';

const HOUR_MS = 3_600_000;

function bench(section: ClockSection = { source: 'auto', clockWaitMs: 120_000 }) {
  const clock = new FakeClock();
  const journals = arrayJournals();
  const log = recordingLog();
  let sync: TimeSync = 'unsynced';
  const keeper = new ClockKeeper({
    clock,
    probe: async () => await Promise.resolve(sync),
    settings: testLive(section),
    journals,
    log,
    progress: recordingProgress(),
    maxIdleMs: Number.POSITIVE_INFINITY,
    onChange: () => undefined,
  });
  const controller = new AbortController();
  return {
    clock,
    journals,
    log,
    keeper,
    synchronise: () => (sync = 'synced'),
    probeSays: (answer: TimeSync) => (sync = answer),
    begin: async () => {
      await keeper.begin();
      const running = keeper.run(controller.signal);
      return async () => {
        controller.abort();
        await running;
      };
    },
    take: async () => {
      const { stamp, monotonicMs } = keeper.stamp();
      await journals.append({ temperatureCelsius: 20, humidityPercent: 50, stamp, monotonicMs, bootId: clock.bootId });
    },
  };
}

describe('the clock keeper', () => {
  it('gives readings of a boot three hours in the past their true times within 50 ms once the clock is synchronised', async () => {
    const rig = bench();
    const trueMs: number[] = [];
    const stop = await rig.begin();
    for (let index = 0; index < 3; index += 1) {
      trueMs.push(rig.clock.nowMs() + 3 * HOUR_MS);
      await rig.take();
      await rig.clock.advance(10_000);
    }
    expect(rig.journals.readings.map((reading) => reading.stamp.state)).toEqual(['pending', 'pending', 'pending']);
    rig.clock.stepWall(3 * HOUR_MS);
    rig.synchronise();
    await rig.clock.advance(1_500);
    trueMs.push(rig.clock.nowMs());
    await rig.take();
    rig.journals.readings.forEach((reading, index) => {
      expect(reading.stamp.state).toBe('synced');
      expect(Math.abs(reading.stamp.tsMs - trueMs[index]!)).toBeLessThanOrEqual(50);
    });
    expect(rig.keeper.state()).toEqual({ state: 'synced' });
    await stop();
  });

  it('lets waiting readings go, marked, with the time they were stamped with, when nothing synchronises the clock', async () => {
    const rig = bench();
    const stop = await rig.begin();
    const stampedMs = rig.clock.nowMs();
    await rig.take();
    await rig.clock.advance(119_000);
    expect(rig.journals.readings[0]?.stamp.state).toBe('pending');
    await rig.clock.advance(2_000);
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'unsynced', tsMs: stampedMs });
    rig.clock.stepWall(3 * HOUR_MS);
    rig.synchronise();
    await rig.clock.advance(10_000);
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'unsynced', tsMs: stampedMs });
    await rig.take();
    expect(rig.journals.readings[1]?.stamp).toEqual({ state: 'synced', tsMs: rig.clock.nowMs() });
    await stop();
  });

  it('leaves the times of an earlier boot as they are, marked, since nobody can tell any more', async () => {
    const rig = bench();
    await rig.journals.append({
      temperatureCelsius: 20,
      humidityPercent: 50,
      stamp: { state: 'pending', tsMs: 42 },
      monotonicMs: 7,
      bootId: 'boot-before',
    });
    rig.synchronise();
    const stop = await rig.begin();
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'unsynced', tsMs: 42 });
    await stop();
  });

  it('gives readings that an agent of the same boot left behind their true time', async () => {
    const rig = bench();
    await rig.journals.append({
      temperatureCelsius: 20,
      humidityPercent: 50,
      stamp: { state: 'pending', tsMs: rig.clock.nowMs() },
      monotonicMs: rig.clock.monotonicMs(),
      bootId: rig.clock.bootId,
    });
    const trueMs = rig.clock.nowMs() + HOUR_MS;
    await rig.clock.advance(5_000);
    rig.clock.stepWall(HOUR_MS);
    rig.synchronise();
    const stop = await rig.begin();
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'synced', tsMs: trueMs });
    await stop();
  });

  it('believes the clock where there is nobody to ask, and where it is told to', async () => {
    const nobody = bench();
    nobody.probeSays('unknown');
    const stopNobody = await nobody.begin();
    expect(nobody.keeper.state().state).toBe('synced');
    await stopNobody();
    const trusted = bench({ source: 'trust', clockWaitMs: 120_000 });
    const stopTrusted = await trusted.begin();
    expect(trusted.keeper.state().state).toBe('synced');
    await stopTrusted();
  });

  it('notices a clock that is stepped after it was believed, and stamps by the new time', async () => {
    const rig = bench();
    rig.synchronise();
    const stop = await rig.begin();
    await rig.take();
    await rig.clock.advance(60_000);
    rig.clock.stepWall(-7_200_000);
    await rig.take();
    expect(rig.keeper.state()).toEqual({ state: 'synced', lastStepMs: -7_200_000 });
    expect(rig.journals.readings[1]?.stamp.tsMs).toBe(rig.clock.nowMs());
    expect(rig.log.lines.filter((line) => line.message.includes('jumped'))).toHaveLength(1);
    await rig.take();
    expect(rig.log.lines.filter((line) => line.message.includes('jumped'))).toHaveLength(1);
    await stop();
  });
});
