import { describe, expect, it } from 'vitest';
import { ClockSync } from '../../../src/device/clock-sync.ts';
import type { ClockSection } from '../../../src/device/config.ts';
import type { TimeSync } from '../../../src/platform/time-sync.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { arrayJournals, recordingLog, recordingProgress, testLive } from '../../support/recording.ts';

const HOUR_MS = 3_600_000;

function bench(section: ClockSection = { source: 'auto', clockWaitMs: 120_000 }) {
  const clock = new FakeClock();
  const journals = arrayJournals();
  const log = recordingLog();
  let sync: TimeSync = 'unsynced';
  /** Wall clock of the newest synchronisation. */
  let syncedAtMs = 0;
  const keeper = new ClockSync({
    clock,
    probe: async (sinceMs) => {
      const isNewer = sinceMs === undefined || (syncedAtMs >= sinceMs && syncedAtMs <= clock.nowMs());
      return await Promise.resolve(sync === 'synced' && !isNewer ? 'unsynced' : sync);
    },
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
    synchronise: () => {
      sync = 'synced';
      syncedAtMs = clock.nowMs();
    },
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

describe('the clock', () => {
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

  it('waits for nobody under systemd when no time service answers', async () => {
    const rig = bench();
    rig.probeSays('no-answer');
    const stop = await rig.begin();
    expect(rig.keeper.state().state).toBe('waiting');
    await rig.clock.advance(121_000);
    expect(rig.keeper.state().state).toBe('unsynced');
    await stop();
  });
});

// A10
describe('the clock, when a clock that was believed is stepped', () => {
  const YEAR_MS = 365 * 24 * HOUR_MS;
  const jumps = (rig: ReturnType<typeof bench>): number =>
    rig.log.lines.filter(({ message }) => message.includes('jumped')).length;

  it.each([2 * YEAR_MS, -2 * YEAR_MS, 3 * HOUR_MS, -3 * HOUR_MS, 20_000])(
    'by %d ms, keeps the readings back until it is confirmed, then gives them the confirmed time',
    async (stepMs) => {
      const rig = bench();
      rig.synchronise();
      const stop = await rig.begin();
      await rig.take();
      await rig.clock.advance(60_000);
      rig.clock.stepWall(stepMs);
      for (let index = 0; index < 3; index += 1) {
        await rig.take();
        await rig.clock.advance(10_000);
      }
      expect(rig.journals.readings.map(({ stamp }) => stamp.state)).toEqual([
        'synced',
        'pending',
        'pending',
        'pending',
      ]);
      expect(rig.keeper.state()).toEqual({ state: 'waiting', lastStepMs: stepMs });
      expect(jumps(rig)).toBe(1);
      // The step was right: the time service says so anew.
      rig.synchronise();
      await rig.clock.advance(2_000);
      expect(rig.keeper.state()).toEqual({ state: 'synced', lastStepMs: stepMs });
      for (const { stamp, monotonicMs } of rig.journals.readings.slice(1)) {
        expect(stamp.state).toBe('synced');
        expect(Math.abs(stamp.tsMs - (rig.clock.nowMs() - rig.clock.monotonicMs() + monotonicMs))).toBeLessThan(2);
      }
      await stop();
    },
  );

  it('lets them go marked when nothing confirms it in time, and believes it again when something does', async () => {
    const rig = bench();
    rig.synchronise();
    const stop = await rig.begin();
    await rig.clock.advance(60_000);
    rig.clock.stepWall(-2 * YEAR_MS);
    await rig.take();
    const steppedMs = rig.clock.nowMs();
    await rig.clock.advance(121_000);
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'unsynced', tsMs: steppedMs });
    await rig.take();
    expect(rig.journals.readings[1]?.stamp.state).toBe('unsynced');
    // The time service corrects the clock, some seconds away from where it was.
    rig.clock.stepWall(2 * YEAR_MS + 7_000);
    await rig.take();
    expect(rig.journals.readings[2]?.stamp.state).toBe('unsynced');
    rig.synchronise();
    await rig.clock.advance(2_000);
    await rig.take();
    expect(rig.journals.readings[3]?.stamp).toEqual({ state: 'synced', tsMs: rig.clock.nowMs() });
    await stop();
  });

  it('believes it when it is back where it was, without asking, and gives what waits the true time', async () => {
    const rig = bench();
    rig.synchronise();
    const stop = await rig.begin();
    await rig.clock.advance(60_000);
    const trueMs = rig.clock.nowMs();
    rig.clock.stepWall(12 * YEAR_MS);
    await rig.take();
    await rig.clock.advance(6_000);
    rig.clock.stepWall(-12 * YEAR_MS + 40);
    await rig.clock.advance(1_500);
    expect(rig.journals.readings[0]?.stamp).toEqual({ state: 'synced', tsMs: trueMs + 40 });
    await stop();
  });

  it.each(['trust', 'unknown'] as const)(
    'marks at once where nobody can be asked (%s), and believes it after a restart',
    async (why) => {
      const section: ClockSection = { source: why === 'trust' ? 'trust' : 'auto', clockWaitMs: 120_000 };
      const rig = bench(section);
      if (why === 'unknown') rig.probeSays('unknown');
      const stop = await rig.begin();
      await rig.take();
      await rig.clock.advance(60_000);
      rig.clock.stepWall(-2 * YEAR_MS);
      await rig.take();
      await rig.clock.advance(10);
      await rig.take();
      await rig.clock.advance(60_000);
      await rig.take();
      expect(rig.journals.readings.map(({ stamp }) => stamp.state)).toEqual([
        'synced',
        'unsynced',
        'unsynced',
        'unsynced',
      ]);
      expect(rig.log.lines.map(({ message }) => message).join('\n')).toContain('or until the agent is restarted');
      await stop();
    },
  );

  it('takes neither small corrections nor hours of slewing for a step', async () => {
    const rig = bench();
    rig.synchronise();
    const stop = await rig.begin();
    for (let round = 0; round < 50; round += 1) {
      await rig.clock.advance(60_000);
      rig.clock.stepWall(round % 2 === 0 ? 400 : 30);
      await rig.take();
    }
    expect(new Set(rig.journals.readings.map(({ stamp }) => stamp.state))).toEqual(new Set(['synced']));
    expect(rig.keeper.state()).toEqual({ state: 'synced' });
    expect(jumps(rig)).toBe(0);
    await stop();
  });

  it('does not take a suspended machine for a step, nor the suspension for an excuse', async () => {
    const rig = bench();
    rig.synchronise();
    const stop = await rig.begin();
    await rig.clock.advance(60_000);
    rig.clock.suspend(8 * HOUR_MS);
    await rig.take();
    rig.clock.suspend(20_000);
    await rig.take();
    expect(rig.journals.readings.map(({ stamp }) => stamp.state)).toEqual(['synced', 'synced']);
    expect(jumps(rig)).toBe(0);
    rig.clock.suspend(HOUR_MS);
    rig.clock.stepWall(2 * HOUR_MS);
    await rig.take();
    expect(rig.journals.readings[2]?.stamp.state).toBe('pending');
    await stop();
  });
});
