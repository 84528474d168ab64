import { openZone } from '../../calendar/local-time.ts';

export interface KeepRule {
  /** So many days, weeks and months keep their newest backup; counted are those that have one. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** 1970-01-05 was the first Monday; weeks begin there, as in ISO 8601. */
const FIRST_MONDAY = 4;
const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

/**
 * Which backups stay. Days, weeks and months are those of the house. The newest always stays, whatever the rule says, with those of the
 * 24 hours before it: a person made them for a reason. After a long pause the old ones stay too, because only periods with a backup are
 * counted. Pure. @returns those that may go, oldest first
 */
export function backupsToRemove<T extends { readonly madeMs: number }>(
  backups: readonly T[],
  rule: KeepRule,
  timeZone: string,
): readonly T[] {
  const newestFirst = [...backups].sort((a, b) => b.madeMs - a.madeMs);
  const zone = openZone(timeZone);
  const dayOf = (ms: number): number => Math.floor((ms + zone.offsetMs(ms)) / DAY_MS);
  const periods: readonly (readonly [count: number, periodOf: (ms: number) => number])[] = [
    [rule.daily, dayOf],
    [rule.weekly, (ms) => Math.floor((dayOf(ms) - FIRST_MONDAY) / WEEK_DAYS)],
    [
      rule.monthly,
      (ms) => {
        const { year, month } = zone.parts(ms);
        return year * 12 + month;
      },
    ],
  ];
  const recentMs = (newestFirst[0]?.madeMs ?? 0) - DAY_MS;
  const kept = new Set<T>(newestFirst.filter(({ madeMs }) => madeMs > recentMs));
  for (const [count, periodOf] of periods) {
    const seen = new Set<number>();
    for (const backup of newestFirst) {
      const period = periodOf(backup.madeMs);
      if (seen.has(period)) continue;
      if (seen.size >= count) break;
      seen.add(period);
      kept.add(backup);
    }
  }
  return newestFirst.filter((backup) => !kept.has(backup)).reverse();
}
