import { autoBucket, type BucketSize, bucketEdges, isBucketSize, mostBuckets } from '../../calendar/buckets.ts';
import type { ReadingScope, ReadingStore, Bucket as StoredBucket } from '../store/store.ts';
import type { StoredReading } from '../store/stored.ts';
import { ApiError, invalidField } from './errors.ts';
import { edgesWithin, isoTime, type TimeRange } from './query.ts';
import { type Bucket, MAX_PAGE } from './schemas/readings.ts';

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
