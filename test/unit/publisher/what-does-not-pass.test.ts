import { describe, expect, it } from 'vitest';
import { LinkError } from '../../../src/device/mqtt/session.ts';
import { ClientIdWatch } from '../../../src/device/publisher/connection-loop.ts';
import { ArraySizes, SetAside } from '../../../src/device/publisher/delivery-limits.ts';
import { createSessionSteps, Faults, type SessionSteps } from '../../../src/device/publisher/faults.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../../support/recording.ts';

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

function faulty(): { clock: FakeClock; log: ReturnType<typeof recordingLog>; faults: Faults } {
  const clock = new FakeClock();
  const log = recordingLog();
  return { clock, log, faults: new Faults(log, clock, () => undefined) };
}

describe('C1: the size of arrays', () => {
  /** A broker that drops what is larger, and a server that gives a receipt for the rest. @returns sizes of the arrays that were sent */
  function sendThrough(sizes: ArraySizes, brokerLimit: number, rounds: number): number[] {
    const sent: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const bytes = sizes.probing() ? 140 : Math.max(140, Math.min(7_000, Math.floor(sizes.limitBytes(0) / 140) * 140));
      sent.push(bytes);
      if (bytes > brokerLimit) sizes.missed(bytes);
      else {
        const tooLarge = sizes.passed(bytes, bytes / 140);
        if (tooLarge !== undefined) sizes.tooLarge(tooLarge, 0);
      }
    }
    return sent;
  }

  for (const limit of [300, 1_000, 2_000, 6_000]) {
    it(`finds what passes below ${limit} bytes, and seldom tries more`, () => {
      const sizes = new ArraySizes();
      sendThrough(sizes, limit, 100);
      const later = sendThrough(sizes, limit, 200);
      expect(later.filter((bytes) => bytes > limit).length).toBeLessThan(5);
      const useful = later.filter((bytes) => bytes <= limit && bytes * 2 > limit - 280);
      expect(useful.length).toBeGreaterThan(150);
    });
  }

  it('says nothing about size while nothing at all gets through', () => {
    const sizes = new ArraySizes();
    for (let n = 0; n < 10; n += 1) sizes.missed(7_000);
    expect(sizes.limitBytes(0)).toBe(Infinity);
    expect(sizes.probing()).toBe(true);
    // The server was slow: the array gets its receipt after all.
    expect(sizes.passed(7_000, 50)).toBeUndefined();
    expect(sizes.limitBytes(0)).toBe(Infinity);
  });

  it('names a limit after the second array that did not pass, and forgets it after an hour', () => {
    const sizes = new ArraySizes();
    sizes.tooLarge(7_000, 0);
    expect(sizes.knownLimit(0)).toBeUndefined();
    sizes.tooLarge(3_500, 0);
    expect(sizes.knownLimit(0)).toBe(3_499);
    expect(sizes.knownLimit(HOUR_MS)).toBeUndefined();
  });
});

describe('entries that are set aside', () => {
  it('have failed three times while others got through; they are tried again after an hour', () => {
    const aside = new SetAside();
    expect([1, 2, 3].map(() => aside.failed('e', 7, 0))).toEqual([false, false, true]);
    expect(aside.has('e', 7, 0)).toBe(true);
    expect(aside.has('e', 8, 0)).toBe(false);
    expect(aside.has('other', 7, 0)).toBe(false);
    expect(aside.has('e', 7, HOUR_MS)).toBe(false);
    expect(aside.failed('e', 7, HOUR_MS)).toBe(true);
    aside.released('e', [[1, 9]]);
    expect(aside.count(HOUR_MS)).toBe(0);
  });

  it('may be offered to the next connection where the broker itself refused them', () => {
    const aside = new SetAside();
    aside.refused('e', 1, 0);
    for (let n = 0; n < 3; n += 1) aside.failed('e', 2, 0);
    aside.forgetRefusals();
    expect([aside.has('e', 1, 0), aside.has('e', 2, 0)]).toEqual([false, true]);
  });

  it('are not more than can be a few', () => {
    const aside = new SetAside();
    for (let seq = 1; seq <= 5_000; seq += 1) aside.refused('e', seq, 0);
    expect(aside.count(0)).toBe(1_000);
  });
});

describe('C3: steps that a broker answers by hanging up', () => {
  const hungUp = new LinkError('LINK_OFFLINE', 'the broker closed the connection');

  async function breaks(steps: SessionSteps, error: Error = hungUp): Promise<void> {
    steps.begin(never);
    await expect(steps.take('servers', 'we subscribe to x', async () => Promise.reject(error))).rejects.toBe(error);
  }

  it('are left out after the second time, told, and tried again after an hour, then two', async () => {
    const { clock, log, faults } = faulty();
    const steps = createSessionSteps(clock, faults);
    await breaks(steps);
    expect(steps.isLeftOut('servers')).toBe(false);
    await breaks(steps);
    expect(steps.leftOut().map(({ name }) => name)).toEqual(['servers']);
    expect(faults.last()).toContain('we subscribe to x');
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(await steps.take('servers', '', async () => Promise.reject(hungUp))).toBe(false);
    expect(await steps.take('commands', '', async () => Promise.resolve())).toBe(true);
    expect(steps.nextDueMs()).toBe(HOUR_MS);
    await clock.advance(HOUR_MS);
    await breaks(steps);
    expect(steps.nextDueMs()).toBe(2 * HOUR_MS);
    await clock.advance(2 * HOUR_MS);
    steps.begin(never);
    expect(await steps.take('servers', '', async () => Promise.resolve())).toBe(true);
    expect(faults.last()).toBeUndefined();
    expect(steps.nextDueMs()).toBe(Infinity);
  });

  it('are not to blame for other ends, for refusals, or for what we ended ourselves', async () => {
    const { clock, faults } = faulty();
    const steps = createSessionSteps(clock, faults);
    const others = [
      new LinkError('LINK_SUBSCRIBE_REFUSED', ''),
      new LinkError('LINK_OFFLINE', '', { reasonCode: 0x8b }),
      new LinkError('LINK_OFFLINE', '', { reasonCode: 0x8e }),
    ];
    for (const error of [...others, ...others]) await breaks(steps, error);
    const asked = AbortSignal.abort(new Error('stop'));
    for (let n = 0; n < 3; n += 1) {
      steps.begin(asked);
      await steps.take('servers', '', async () => Promise.reject(hungUp)).catch(() => undefined);
    }
    expect(steps.leftOut()).toEqual([]);
  });

  it('that only waited for their turn are not to blame', async () => {
    const { clock, faults } = faulty();
    const steps = createSessionSteps(clock, faults);
    for (let n = 0; n < 2; n += 1) {
      steps.begin(never);
      const first = steps.take('status', '', async () => Promise.reject(hungUp));
      const second = steps.take('latest', '', async () => Promise.reject(hungUp));
      await Promise.allSettled([first, second]);
    }
    expect(steps.leftOut().map(({ name }) => name)).toEqual(['status']);
  });
});

describe('C10: another client with the same client id', () => {
  it('is told at once where the broker says so, as one fault, until a connection has lasted', () => {
    const { clock, log, faults } = faulty();
    const watch = new ClientIdWatch(clock, faults);
    expect(watch.calmInMs()).toBeUndefined();
    for (let n = 0; n < 20; n += 1) {
      watch.sessionEnded(new LinkError('LINK_OFFLINE', '', { reasonCode: 0x8e }), 'techtemp-x', false);
    }
    expect(faults.all()).toMatchObject([{ code: 'CLIENT_ID_TAKEN' }]);
    expect(faults.last()).toContain('"techtemp-x"');
    expect(log.lines).toHaveLength(1);
    expect(watch.calmInMs()).toBeGreaterThan(0);
    watch.calm();
    expect(faults.last()).toBeUndefined();
  });

  it('is suspected where a 3.1.1 broker accepts and closes again and again', async () => {
    const { clock, faults } = faulty();
    const watch = new ClientIdWatch(clock, faults);
    const closed = new LinkError('LINK_OFFLINE', 'the broker closed the connection');
    watch.sessionEnded(closed, 'id', false);
    watch.sessionEnded(closed, 'id', false);
    // A broker that is restarted is away in between.
    watch.attemptFailed();
    watch.sessionEnded(closed, 'id', false);
    // Known to be for another reason.
    watch.sessionEnded(closed, 'id', true);
    await clock.advance(HOUR_MS);
    watch.sessionEnded(closed, 'id', false);
    watch.sessionEnded(closed, 'id', false);
    expect(faults.last()).toBeUndefined();
    watch.sessionEnded(closed, 'id', false);
    expect(faults.last()).toContain('perhaps another client');
  });
});
