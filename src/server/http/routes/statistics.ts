import { localDays } from '../../calendar/local-days.ts';
import { ApiError } from '../api-error.ts';
import type { RouteFile } from '../app.ts';
import { dayStatistics } from '../day-statistics.ts';
import { staysOf } from '../room-stays.ts';
import { Data, errors } from '../schemas/common.ts';
import { type DayStatistics, Statistics, StatisticsQuery } from '../schemas/statistics.ts';
import { sourcesOf } from '../sources.ts';
import { parseRange } from '../time-range.ts';
import { isoTime } from '../times.ts';
import { checkedCalendarRange, checkedTimeZone } from '../zones.ts';

/** Days of all sources together: a year of eleven rooms. */
const MAX_DAYS = 4_000;

/** How each day was, and how whole its record is. */
export const addStatisticsRoutes: RouteFile = (app, { store, clock, house }) => {
  app.get(
    '/statistics',
    {
      schema: {
        tags: ['statistics'],
        summary: 'Per day of the local calendar: received against expected, first, last, minimum, average, maximum',
        description:
          'Whole days in `tz`, of 23 or 25 hours where clocks are changed. Expected is what the devices announced, up to now; nobody ' +
          'knows of agents that announce no interval.',
        querystring: StatisticsQuery,
        response: { 200: Data(Statistics), ...errors },
      },
    },
    async ({ query }) => {
      const nowMs = clock.nowMs();
      const timeZone = checkedTimeZone(query.tz, house.current.timeZone);
      const asked = checkedCalendarRange(parseRange(query, nowMs, (toMs) => toMs - 6 * 86_400_000));
      // A moment is a question for its day.
      const days = localDays(asked.fromMs, Math.max(asked.toMs, asked.fromMs + 1), timeZone);
      const range = { fromMs: days[0]?.fromMs ?? asked.fromMs, toMs: days.at(-1)?.toMs ?? asked.toMs };
      const sources = await sourcesOf(store, query);
      if (days.length * sources.length > MAX_DAYS) {
        throw new ApiError(
          400,
          'TOO_MANY_POINTS',
          `${days.length} days of ${sources.length} sources are more than the ${MAX_DAYS} days given at once: ask for a shorter time or ` +
            'fewer sources',
        );
      }
      const stays = await staysOf(store, sources, range);
      const found: DayStatistics[] = [];
      for (const [index, source] of sources.entries()) {
        found.push(...(await dayStatistics(store, source, stays[index] ?? [], days, nowMs)));
      }
      return { data: { from: isoTime(range.fromMs), to: isoTime(range.toMs), tz: timeZone, days: found } };
    },
  );
};
