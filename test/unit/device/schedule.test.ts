import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextDue, rescheduled } from '../../../src/device/sampler.ts';

describe('the schedule', () => {
  it('comes from the schedule and not from now, so that nothing drifts', () => {
    let dueMs = 1_000;
    for (let index = 0; index < 10_000; index += 1) dueMs = nextDue(dueMs, 100, dueMs + 37).dueMs;
    expect(dueMs).toBe(1_000 + 10_000 * 100);
  });

  it('skips times that have passed, counts them, and never makes up for them in a burst', () => {
    expect(nextDue(1_000, 100, 1_050)).toEqual({ dueMs: 1_100, missed: 0 });
    expect(nextDue(1_000, 100, 1_180)).toEqual({ dueMs: 1_100, missed: 0 });
    expect(nextDue(1_000, 100, 1_350)).toEqual({ dueMs: 1_300, missed: 2 });
  });

  it('always stays on the grid and less than one period behind', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 3_600_000 }), fc.integer({ min: 0, max: 1e9 }), (periodMs, lateMs) => {
        const { dueMs, missed } = nextDue(0, periodMs, lateMs);
        expect(dueMs % periodMs).toBe(0);
        expect(dueMs).toBe((missed + 1) * periodMs);
        expect(dueMs).toBeGreaterThan(lateMs - periodMs);
      }),
    );
  });

  it('lets a shorter interval take effect at once, counted from the last sample', () => {
    expect(rescheduled(0, 300_000, 60_000, 20_000)).toBe(60_000);
    expect(rescheduled(0, 300_000, 60_000, 100_000)).toBe(100_000);
  });

  it('does not move a sample that was due already', () => {
    expect(rescheduled(0, 1_000, 60_000, 1_000)).toBe(1_000);
    expect(rescheduled(0, 1_000, 60_000, 1_400)).toBe(1_000);
  });
});
