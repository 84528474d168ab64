import { describe, expect, it } from 'vitest';
import type { TimeSync } from '../../../src/platform/time-sync.ts';
import { createQuarantineReview } from '../../../src/server/quarantine-review.ts';
import type { QuarantineStep } from '../../../src/server/store/audit-store.ts';
import { createTrustedClock } from '../../../src/server/trusted-clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog, recordingProgress } from '../../support/recording.ts';
import { HOME, itemsOf, numbered, statusOf } from '../../support/store-messages.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

async function rig(answer: TimeSync = 'unknown') {
  const clock = new FakeClock();
  const log = recordingLog();
  const progress = recordingProgress();
  const stop = new AbortController();
  let sync = answer;
  const trusted = createTrustedClock({
    clock,
    // The time service says when it synchronised: once, before any jump.
    probe: async (sinceMs) => Promise.resolve(sinceMs !== undefined && sync === 'synced' ? 'unsynced' : sync),
    log,
    progress,
    maxIdleMs: 40_000,
  });
  await trusted.begin();
  const running = trusted.run(stop.signal).catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  let seq = 0;
  return {
    clock,
    log,
    progress,
    trusted,
    is: (next: TimeSync) => {
      sync = next;
    },
    /** A live reading of a device whose clock is so far ahead of this server's. */
    speaks: (
      uid: string,
      aheadMs: number,
      over: { readonly clock?: 'unsynced'; readonly leaf?: string } = {},
    ): void => {
      seq += 1;
      const { leaf = 'reading', ...reading } = over;
      const item = numbered(seq, { tsMs: clock.nowMs() + aheadMs, ...reading });
      const topic = `home/${HOME}/sensors/${uid}/${leaf}`;
      trusted.heard(itemsOf(uid, [item], { receivedMs: clock.nowMs(), topic }));
    },
    stop: async (): Promise<void> => {
      stop.abort(new Error('over'));
      await running;
    },
  };
}

describe('the clock of the server', () => {
  it('A2: says that it may be the wrong one when several devices contradict it; counts devices, not messages', async () => {
    const { clock, log, trusted, speaks, stop } = await rig();
    for (let times = 0; times < 20; times += 1) speaks('one', 2 * DAY_MS);
    await clock.advance(10_000);
    expect(trusted.state()).toEqual({ kind: 'ok' });
    speaks('two', 2 * DAY_MS);
    speaks('three', 2 * DAY_MS, { clock: 'unsynced' });
    await clock.advance(10_000);
    expect(trusted.state().kind).toBe('contradicted');
    expect(trusted.state().problem).toBe(
      '2 of 2 devices say that it is 2.0 days later than this server\'s clock says: the clock of this server may be the wrong one. Look at it with "date", and set it',
    );
    expect(log.lines.map(({ level }) => level)).toEqual(['debug', 'warn']);
    expect(trusted.time().isConfirmed).toBe(false);
    for (const uid of ['three', 'four', 'five']) speaks(uid, 0);
    await clock.advance(10_000);
    expect(trusted.state()).toEqual({ kind: 'ok' });
    await stop();
  });

  it('a backlog is of the past and contradicts nothing; a device that goes on being behind does', async () => {
    const { clock, trusted, speaks, stop } = await rig();
    for (const uid of ['a', 'b', 'c']) speaks(uid, -5 * HOUR_MS, { leaf: 'backlog' });
    for (const uid of ['a', 'b']) speaks(uid, -5 * HOUR_MS);
    await clock.advance(10_000);
    expect(trusted.state().kind).toBe('ok');
    await clock.advance(180_000);
    for (const uid of ['a', 'b']) speaks(uid, -5 * HOUR_MS);
    await clock.advance(10_000);
    expect(trusted.state().problem).toContain('5.0 hours earlier');
    await stop();
  });

  it('a status tells the time, too; one that the broker held does not', async () => {
    const { clock, trusted, stop } = await rig();
    const ts = clock.nowMs() + DAY_MS;
    for (const uid of ['a', 'b']) {
      const status = { state: 'online', ts, clock: { state: 'synced' } } as const;
      trusted.heard(statusOf(uid, status, { receivedMs: clock.nowMs(), isRetained: true }));
    }
    await clock.advance(5_000);
    expect(trusted.state().kind).toBe('ok');
    for (const uid of ['a', 'b']) {
      trusted.heard(statusOf(uid, { state: 'online', ts, clock: { state: 'synced' } }, { receivedMs: clock.nowMs() }));
    }
    await clock.advance(5_000);
    expect(trusted.state().kind).toBe('contradicted');
    await stop();
  });

  it('a clock that jumps is doubted; what comes is judged by the lower of both until devices confirm it', async () => {
    const { clock, trusted, speaks, stop } = await rig();
    speaks('a', 0);
    await clock.advance(10_000);
    expect(trusted.time().isConfirmed).toBe(true);
    const beforeMs = clock.nowMs();
    clock.stepWall(3 * DAY_MS);
    expect(trusted.judgedByMs()).toBe(beforeMs);
    expect(trusted.state().kind).toBe('doubted');
    expect(trusted.time().isConfirmed).toBe(false);
    await clock.advance(10_000);
    // The device that agreed before says now that it is earlier; it was not asked since.
    expect(trusted.state().kind).toBe('doubted');
    clock.stepWall(-3 * DAY_MS);
    speaks('a', 0);
    const revision = trusted.revision();
    await clock.advance(10_000);
    expect(trusted.state().kind).toBe('ok');
    expect(trusted.revision()).toBeGreaterThan(revision);
    expect(trusted.judgedByMs()).toBe(clock.nowMs());
    await stop();
  });

  it('A2: a clock that is set right is confirmed at once by what devices said before', async () => {
    const { clock, trusted, speaks, stop } = await rig();
    for (const uid of ['a', 'b']) speaks(uid, 2 * DAY_MS);
    await clock.advance(5_000);
    expect(trusted.state().kind).toBe('contradicted');
    clock.stepWall(2 * DAY_MS);
    await clock.advance(5_000);
    expect(trusted.state()).toEqual({ kind: 'ok' });
    expect(trusted.time().isConfirmed).toBe(true);
    await stop();
  });

  it('where no device speaks, a clock that was set is believed once it has stood for a while', async () => {
    const { clock, trusted, stop } = await rig('synced');
    clock.stepWall(DAY_MS);
    await clock.advance(60_000);
    expect(trusted.state().kind).toBe('doubted');
    await clock.advance(300_000);
    expect(trusted.state().kind).toBe('ok');
    await stop();
  });

  it('the first setting of a clock that was never set is what was waited for', async () => {
    const { clock, trusted, is, stop } = await rig('unsynced');
    expect(trusted.state().kind).toBe('unset');
    const revision = trusted.revision();
    clock.stepWall(400 * DAY_MS);
    is('synced');
    await clock.advance(5_000);
    expect(trusted.state()).toEqual({ kind: 'ok' });
    expect(trusted.revision()).toBeGreaterThan(revision);
    await stop();
  });
});

describe('the review of the quarantine', () => {
  it('judges at the start, in steps, and again when the clock was set; not while the clock is in doubt', async () => {
    const { clock, log, progress, trusted, speaks, stop } = await rig();
    const asked: QuarantineStep[] = [];
    let waiting = 3;
    const store = {
      quarantineSummary: async () =>
        Promise.resolve({ waiting, waitingForTime: waiting, newestForTimeMs: null, devices: [] }),
      judgeQuarantine: async (step: QuarantineStep) => {
        asked.push(step);
        const isFirst = step.afterId === 0;
        return Promise.resolve({ released: 0, kept: 1, changes: [], ...(isFirst && { nextId: 7 }) });
      },
    };
    const end = new AbortController();
    const keeper = createQuarantineReview({
      store,
      trusted,
      changes: { publish: () => undefined },
      clock,
      log,
      progress,
      maxIdleMs: 40_000,
    });
    const running = keeper.run(end.signal).catch((error: unknown) => {
      if (error !== end.signal.reason) throw error;
    });
    await clock.advance(1_000);
    expect(asked.map(({ afterId }) => afterId)).toEqual([0, 7]);
    expect(log.lines.some(({ message }) => message.includes('3 readings wait in quarantine'))).toBe(true);
    await clock.advance(60_000);
    expect(asked).toHaveLength(2);
    clock.stepWall(DAY_MS);
    await clock.advance(10_000);
    expect(asked).toHaveLength(2);
    speaks('a', 0);
    await clock.advance(10_000);
    expect(asked).toHaveLength(4);
    expect(asked[2]?.time.isConfirmed).toBe(true);
    waiting = 0;
    await clock.advance(700_000);
    expect(asked).toHaveLength(4);
    expect(log.lines.at(-1)?.message).toBe('nothing waits in quarantine any more');
    end.abort(new Error('over'));
    await running;
    await stop();
  });
});
