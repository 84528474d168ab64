import { localDays } from '../../../calendar/buckets.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import { dayStatistics, type PlacementTimes, staysOf, toGapRecord } from '../answers.ts';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { checkedCalendarRange, checkedTimeZone, isoTime, parseRange, sourcesOf } from '../query.ts';
import { Data, errors } from '../schemas/common.ts';
import {
  type DayStatistics,
  type Gap,
  Series,
  SeriesQuery,
  type SeriesSource,
  Statistics,
  StatisticsQuery,
} from '../schemas/readings.ts';
import { planSeries, seriesBuckets } from '../series.ts';

const DAY_MS = 86_400_000;
/** More gaps than this are no explanation but a list, and GET gaps pages through that. */
const MAX_GAPS = 200;

/** Values over time for charts. */
export const addSeriesRoutes: RouteFile = (app, { store, clock, house }) => {
  app.get(
    '/series',
    {
      schema: {
        tags: ['statistics'],
        summary: 'Several devices and rooms over time, for charts',
        description:
          'Per source its buckets with minimum, average and maximum, oldest first; the first and last are cut to the time asked for. A ' +
          'bucket without readings is there with count 0, and the gaps say what devices know about why.',
        querystring: SeriesQuery,
        response: { 200: Data(Series), ...errors },
      },
    },
    async ({ query }) => {
      const range = checkedCalendarRange(parseRange(query, clock.nowMs(), (toMs) => toMs - DAY_MS));
      const timeZone = checkedTimeZone(query.tz, house.current.timeZone);
      const question = { range, bucket: query.bucket, points: query.points, timeZone };
      const sources = await sourcesOf(store, query);
      const plans = await planSeries(
        store,
        sources.map(({ scope }) => scope),
        question,
      );
      const stays = await staysOf(store, sources, range);
      const answers: SeriesSource[] = [];
      // One after the other: a question for fifty rooms lets those of others through in between.
      for (const [index, plan] of plans.entries()) {
        const source = sources[index];
        if (source === undefined) continue;
        answers.push({
          kind: source.kind,
          uid: source.uid,
          name: source.name,
          bucket: plan.bucket,
          buckets: await seriesBuckets(store, plan, question),
          ...(await gapsOf(store, stays[index] ?? [])),
        });
      }
      return {
        data: { from: isoTime(range.fromMs), to: isoTime(range.toMs), tz: timeZone, sources: answers },
      };
    },
  );
};

async function gapsOf(
  store: AuditStore,
  stays: readonly PlacementTimes[],
): Promise<{ gaps: Gap[]; has_more_gaps: boolean }> {
  const pages = await Promise.all(
    stays.map(({ deviceUid, fromMs, toMs }) => store.gaps({ deviceUid, fromMs, toMs, limit: MAX_GAPS })),
  );
  // A device that came back into the room brings a gap that touches both its stays twice.
  const found = new Map(
    pages.flatMap(({ gaps }) => gaps).map((gap) => [`${gap.deviceUid} ${gap.epoch} ${gap.seq}`, gap]),
  );
  const gaps = [...found.values()].sort((a, b) => b.tsMs - a.tsMs);
  return {
    gaps: gaps.slice(0, MAX_GAPS).map(toGapRecord),
    has_more_gaps: gaps.length > MAX_GAPS || pages.some(({ next }) => next !== undefined),
  };
}

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
          'Whole days in `tz`, of 23 or 25 hours where clocks are changed. Expected is what the devices announced, up to now; it is not ' +
          'known of agents that announce no interval.',
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
