import type { AuditStore } from '../../store/audit-store.ts';
import type { RouteFile } from '../app.ts';
import { toGapRecord } from '../gap-record.ts';
import { type Stay, staysOf } from '../room-stays.ts';
import { Data, errors } from '../schemas/common.ts';
import type { Gap } from '../schemas/gaps.ts';
import { Series, SeriesQuery, type SeriesSource } from '../schemas/series.ts';
import { planSeries, seriesBuckets } from '../series.ts';
import { sourcesOf } from '../sources.ts';
import { parseRange } from '../time-range.ts';
import { isoTime } from '../times.ts';
import { checkedCalendarRange, checkedTimeZone } from '../zones.ts';

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

async function gapsOf(store: AuditStore, stays: readonly Stay[]): Promise<{ gaps: Gap[]; has_more_gaps: boolean }> {
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
