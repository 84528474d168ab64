import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backupsToRemove, type KeepRule } from '../../../../src/server/backup/keep-plan.ts';

const DAY_MS = 86_400_000;
const ZONE = 'Europe/Paris';
const RULE: KeepRule = { daily: 7, weekly: 4, monthly: 12 };
const night = (day: number): { readonly madeMs: number } => ({ madeMs: Date.UTC(2026, 0, 1, 2, 10) + day * DAY_MS });
const keptOf = (backups: readonly { readonly madeMs: number }[], rule = RULE): readonly string[] => {
  const gone = new Set(backupsToRemove(backups, rule, ZONE));
  return backups.filter((backup) => !gone.has(backup)).map(({ madeMs }) => new Date(madeMs).toISOString().slice(0, 10));
};

describe('which backups stay', () => {
  it('keeps 7 days, 4 weeks and 12 months of a year of nights', () => {
    // Night 364 is Thursday 2026-12-31.
    expect(keptOf(Array.from({ length: 365 }, (_, day) => night(day)))).toEqual([
      ...[
        '2026-01-31',
        '2026-02-28',
        '2026-03-31',
        '2026-04-30',
        '2026-05-31',
        '2026-06-30',
        '2026-07-31',
        '2026-08-31',
      ],
      ...['2026-09-30', '2026-10-31', '2026-11-30', '2026-12-13', '2026-12-20'],
      ...['2026-12-25', '2026-12-26', '2026-12-27', '2026-12-28', '2026-12-29', '2026-12-30', '2026-12-31'],
    ]);
  });

  it('counts days that have a backup: a long pause removes nothing that was kept', () => {
    const before = Array.from({ length: 30 }, (_, day) => night(day));
    const kept = keptOf(before);
    // One day and one week make room for it.
    const stay = kept.filter((day) => day !== '2026-01-11' && day !== '2026-01-24');
    expect(keptOf([...before, night(400)])).toEqual([...stay, '2027-02-05']);
  });

  it('counts days of the house: two backups of one local day keep the newer one', () => {
    const evening = { madeMs: Date.UTC(2026, 5, 1, 21, 30) };
    const night = { madeMs: Date.UTC(2026, 5, 1, 22, 30) };
    const later = { madeMs: Date.UTC(2026, 5, 2, 20, 0) };
    const newest = { madeMs: Date.UTC(2026, 5, 4, 20, 0) };
    const rule = { daily: 3, weekly: 0, monthly: 0 };
    expect(backupsToRemove([evening, night, later, newest], rule, ZONE)).toEqual([night]);
  });

  it('never removes the newest one, and keeps what it kept when it is asked again', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 2_000 * 24 }), { minLength: 1, maxLength: 60 }),
        fc.record({ daily: fc.nat(10), weekly: fc.nat(6), monthly: fc.nat(14) }),
        (hours, rule) => {
          const backups = hours.map((hour) => ({ madeMs: Date.UTC(2026, 0, 1) + hour * 3_600_000 }));
          const gone = backupsToRemove(backups, rule, ZONE);
          const kept = backups.filter((backup) => !gone.includes(backup));
          expect(Math.max(...kept.map(({ madeMs }) => madeMs))).toBe(Math.max(...backups.map(({ madeMs }) => madeMs)));
          expect(backupsToRemove(kept, rule, ZONE)).toEqual([]);
          const recent = backups.filter(
            ({ madeMs }) => madeMs > Math.max(...backups.map((one) => one.madeMs)) - DAY_MS,
          );
          for (const backup of recent) expect(kept).toContain(backup);
          expect(kept.length).toBeLessThanOrEqual(recent.length + rule.daily + rule.weekly + rule.monthly);
        },
      ),
    );
  });
});
