import {
  autoBucket,
  type BucketSize,
  bucketEdges,
  isBucketSize,
  localDays,
  mostBuckets,
} from '../../../calendar/buckets.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import type { ReadingScope, ReadingStore, Bucket as StoredBucket } from '../../store/store.ts';
import type { StoredReading } from '../../store/stored.ts';
import { dayStatistics, type PlacementTimes, staysOf, toGapRecord } from '../answers.ts';
import { ApiError, invalidField } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import {
  checkedCalendarRange,
  checkedTimeZone,
  edgesWithin,
  isoTime,
  parseRange,
  sourcesOf,
  type TimeRange,
} from '../query.ts';
import { Data, errors } from '../schemas/common.ts';
import {
  type Bucket,
  type DayStatistics,
  type Gap,
  MAX_PAGE,
  Series,
  SeriesQuery,
  type SeriesSource,
  Statistics,
  StatisticsQuery,
} from '../schemas/readings.ts';

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

/** Of all sources of an answer together: some 10 MB of JSON. */
export const MAX_POINTS = 50_000;

export interface SeriesQuestion {
  readonly range: TimeRange;
  /** As asked for. */
  readonly bucket: string;
  readonly points: number;
  readonly timeZone: string;
}

/** What one source gets. */
export interface SeriesPlan {
  readonly scope: ReadingScope;
  readonly bucket: 'raw' | BucketSize;
  /** At most this many buckets come of it. */
  readonly points: number;
}

/**
 * Decides how fine each source is to be given. `auto` gives the readings themselves where there are not more of them than points: a
 * bucket shorter than the interval of its device would be empty although nothing is missing.
 * @throws ApiError when it would be too much, before it is read
 */
export async function planSeries(
  store: Pick<ReadingStore, 'buckets'>,
  scopes: readonly ReadingScope[],
  question: SeriesQuestion,
): Promise<readonly SeriesPlan[]> {
  const plans: SeriesPlan[] = [];
  for (const scope of scopes) plans.push(await planOne(store, scope, question));
  const points = plans.reduce((sum, plan) => sum + plan.points, 0);
  if (points <= MAX_POINTS) return plans;
  const remedy =
    question.bucket === 'auto'
      ? 'ask for fewer "points" or fewer sources'
      : question.bucket === 'raw'
        ? 'ask for a bucket (5m, 1h, 1d, auto), for a shorter time, or page through GET /api/v1/readings'
        : 'ask for longer buckets, for bucket=auto, for a shorter time, or for fewer sources';
  throw new ApiError(
    400,
    'TOO_MANY_POINTS',
    `from ${isoTime(question.range.fromMs)} to ${isoTime(question.range.toMs)} with bucket=${question.bucket} that is up to ` +
      `${points} points in all; at most ${MAX_POINTS} are given at once: ${remedy}`,
  );
}

async function planOne(
  store: Pick<ReadingStore, 'buckets'>,
  scope: ReadingScope,
  { range, bucket: asked, points }: SeriesQuestion,
): Promise<SeriesPlan> {
  const { fromMs, toMs } = range;
  if (fromMs === toMs) return { scope, bucket: 'raw', points: 0 };
  if (asked === 'raw' || asked === 'auto') {
    const count = (await store.buckets(scope, [fromMs, toMs]))[0]?.count ?? 0;
    const bucket = autoBucket(fromMs, toMs, points);
    if (asked === 'raw' || (count > 0 && count <= mostBuckets(fromMs, toMs, bucket))) {
      return { scope, bucket: 'raw', points: count };
    }
    return { scope, bucket, points: mostBuckets(fromMs, toMs, bucket) };
  }
  if (!isBucketSize(asked)) {
    throw invalidField(
      'bucket',
      `must be raw, auto, minutes or hours that divide a day, days or weeks, found ${asked}`,
    );
  }
  return { scope, bucket: asked, points: mostBuckets(fromMs, toMs, asked) };
}

/** The buckets of one source; empty ones are among them, so that a hole is seen as one. */
export async function seriesBuckets(
  store: Pick<ReadingStore, 'buckets' | 'readings'>,
  { scope, bucket }: SeriesPlan,
  { range, timeZone }: SeriesQuestion,
): Promise<Bucket[]> {
  if (bucket === 'raw') return rawBuckets(store, scope, range);
  const edges = edgesWithin(bucketEdges({ ...range, bucket, timeZone }), range);
  return (await store.buckets(scope, edges)).map(toBucket);
}

async function rawBuckets(
  store: Pick<ReadingStore, 'readings'>,
  scope: ReadingScope,
  range: TimeRange,
): Promise<Bucket[]> {
  const buckets: Bucket[] = [];
  let after: string | undefined;
  do {
    const page = await store.readings({
      scope,
      ...range,
      order: 'oldest-first',
      limit: MAX_PAGE,
      ...(after !== undefined && { after }),
    });
    for (const reading of page.readings) buckets.push(readingAsBucket(reading));
    after = page.next;
  } while (after !== undefined);
  return buckets;
}

function readingAsBucket({ tsMs, temperatureCelsius, humidityPercent }: StoredReading): Bucket {
  const at = isoTime(tsMs);
  return { from: at, to: at, count: 1, temperature: spreadOf(temperatureCelsius), humidity: spreadOf(humidityPercent) };
}

function spreadOf(value: number) {
  return { min: value, avg: value, max: value };
}

function toBucket({ fromMs, toMs, count, temperature, humidity }: StoredBucket): Bucket {
  return { from: isoTime(fromMs), to: isoTime(toMs), count, temperature, humidity };
}
