import { describe, expect, it } from 'vitest';
import { createLiveValue } from '../../../src/platform/live.ts';
import type { TimeSync } from '../../../src/platform/time-sync.ts';
import type { StoreHealth } from '../../../src/server/store/store.ts';
import { createStoreMonitor } from '../../../src/server/store-monitor.ts';
import { createTrustedClock } from '../../../src/server/trusted-clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog, recordingProgress } from '../../support/recording.ts';

const MB = 1024 * 1024;
const well: StoreHealth = { isOk: true, schemaVersion: 2, sizeBytes: 1, freeBytes: 1_000 * MB };

function rig() {
  const clock = new FakeClock();
  const log = recordingLog();
  const progress = recordingProgress();
  const stop = new AbortController();
  const run = (loop: (signal: AbortSignal) => Promise<void>): Promise<void> =>
    loop(stop.signal).catch((error: unknown) => {
      if (error !== stop.signal.reason) throw error;
    });
  return { clock, log, progress, stop, run };
}

describe('the store monitor', () => {
  it('tells each change of the store’s health once, and what a person has to know', async () => {
    const { clock, log, progress, stop, run } = rig();
    let health = well;
    const settings = createLiveValue({ path: '', minFreeBytes: 64 * MB });
    const store = { health: async () => Promise.resolve(health), trimLog: async () => Promise.resolve() };
    const keeper = createStoreMonitor({ store, settings, clock, log, progress, maxIdleMs: 40_000 });
    const running = run((signal) => keeper.run(signal));
    await clock.advance(0);
    expect([keeper.problem(), log.lines.length]).toEqual([undefined, 0]);

    health = { ...well, freeBytes: 10 * MB };
    await clock.advance(30_000);
    health = { ...well, freeBytes: 9 * MB };
    await clock.advance(30_000);
    expect(keeper.problem()).toContain('only 9 MB are free');
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);

    settings.set({ path: '', minFreeBytes: 1 });
    health = { ...well, isOk: false, problem: 'the disk is full' };
    await clock.advance(60_000);
    health = well;
    await clock.advance(60_000);
    expect(log.lines.map(({ level, message }) => `${level}: ${message}`).slice(1)).toEqual([
      'error: the store does not work: the disk is full',
      'info: the store is well again',
    ]);
    expect(progress.beats.length).toBeGreaterThan(10);
    stop.abort(new Error('over'));
    await running;
  });
});

describe('a log that a reader keeps long (D5)', () => {
  it('is told once, and cut back when the reader has gone', async () => {
    const { clock, log, progress, stop, run } = rig();
    let logBytes = 40 * MB;
    let isPinned = true;
    const store = {
      health: async () => Promise.resolve({ ...well, logBytes }),
      trimLog: async () => {
        if (!isPinned) logBytes = 0;
        return Promise.resolve();
      },
    };
    const settings = createLiveValue({ path: '', minFreeBytes: 64 * MB });
    const keeper = createStoreMonitor({ store, settings, clock, log, progress, maxIdleMs: 40_000 });
    const running = run((signal) => keeper.run(signal));
    await clock.advance(0);
    expect(keeper.problem()).toBeUndefined();
    logBytes = 55 * MB;
    await clock.advance(30_000);
    logBytes = 56 * MB;
    await clock.advance(30_000);
    expect(keeper.problem()).toContain('the log of the record has 56 MB');
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    isPinned = false;
    await clock.advance(60_000);
    expect([logBytes, keeper.problem()]).toEqual([0, undefined]);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
    stop.abort(new Error('over'));
    await running;
  });
});

describe('the trusted clock', () => {
  it('is believed where nobody can be asked, or the time service says so; not before', async () => {
    const { clock, log, progress, stop, run } = rig();
    let answer: TimeSync = 'unsynced';
    const trusted = createTrustedClock({
      clock,
      probe: async () => Promise.resolve(answer),
      log,
      progress,
      maxIdleMs: 40_000,
    });
    expect(trusted.isTrusted()).toBe(false);
    await trusted.begin();
    expect(trusted.isTrusted()).toBe(false);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    const running = run((signal) => trusted.run(signal));
    answer = 'synced';
    await clock.advance(2_000);
    expect(trusted.isTrusted()).toBe(true);
    answer = 'unsynced';
    await clock.advance(60_000);
    expect(trusted.isTrusted()).toBe(false);
    answer = 'unknown';
    await clock.advance(60_000);
    expect(trusted.isTrusted()).toBe(true);
    stop.abort(new Error('over'));
    await running;
  });

  it.each([['synced'], ['unknown']] as const)(
    'is in doubt at once when it is stepped, until it is confirmed anew or is back (%s)',
    async (before) => {
      const { clock, log, progress, stop, run } = rig();
      let syncedAtMs = clock.nowMs();
      const trusted = createTrustedClock({
        clock,
        probe: async (sinceMs) => {
          const isOld = sinceMs !== undefined && (syncedAtMs < sinceMs || syncedAtMs > clock.nowMs());
          return Promise.resolve(before === 'synced' && isOld ? 'unsynced' : before);
        },
        log,
        progress,
        maxIdleMs: 40_000,
      });
      await trusted.begin();
      const running = run((signal) => trusted.run(signal));
      await clock.advance(1_000);
      clock.stepWall(-3 * 86_400_000);
      expect(trusted.isTrusted()).toBe(false);
      await clock.advance(120_000);
      expect(trusted.isTrusted()).toBe(false);
      clock.stepWall(3 * 86_400_000 + 50);
      await clock.advance(2_500);
      expect(trusted.isTrusted()).toBe(true);
      clock.stepWall(7_200_000);
      expect(trusted.isTrusted()).toBe(false);
      syncedAtMs = clock.nowMs();
      await clock.advance(42_000);
      expect(trusted.isTrusted()).toBe(before === 'synced');
      stop.abort(new Error('over'));
      await running;
    },
  );
});
