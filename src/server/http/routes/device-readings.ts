import type { Bucket, Store } from '../../store/store.ts';
import type { StoredReading } from '../../store/stored.ts';
import { deviceNotFound } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import {
  checkedTimeZone,
  isoTime,
  linkNextPage,
  newestBuckets,
  parseRange,
  parseTime,
  type TimeRange,
  withZone,
} from '../query.ts';
import { errors, Page } from '../schemas/common.ts';
import { DeviceParams } from '../schemas/devices.ts';
import { DeviceReading, DeviceReadingsQuery } from '../schemas/readings.ts';

/** 9999-12-31, the last day of ISO 8601: without `to` there is no end, as in the older API. A device may be ahead of this clock. */
const END_OF_TIME_MS = 253_402_300_799_999;

const BUCKET_SIZES = { hour: '1h', day: '1d' } as const;

interface Question {
  readonly uid: string;
  readonly range: TimeRange;
  readonly limit: number;
  readonly after: string | undefined;
}

interface Answer {
  readonly data: DeviceReading[];
  readonly next?: string;
}

/** The older API's way to a device's history. */
export const addDeviceReadingsRoutes: RouteFile = (app, { store, house }) => {
  app.get(
    '/devices/:uid/readings',
    {
      schema: {
        tags: ['readings'],
        summary: 'Readings of one device, newest first',
        description:
          'As in the older API, with `next` where there is more; a time without a zone is UTC here. With `bucket` the hours or days that have readings, in local time; the ' +
          'older API cut them at UTC.',
        params: DeviceParams,
        querystring: DeviceReadingsQuery,
        response: { 200: Page(DeviceReading), ...errors },
      },
    },
    async (request, reply) => {
      const { uid } = request.params;
      const { limit, bucket, tz, after, from, to } = request.query;
      const range = parseRange(
        { ...(from !== undefined && { from: withZone(from) }), ...(to !== undefined && { to: withZone(to) }) },
        END_OF_TIME_MS,
      );
      const timeZone = checkedTimeZone(tz, house.current.timeZone);
      if ((await store.device(uid)) === undefined) throw deviceNotFound(uid);
      const question = { uid, range, limit, after };
      const answer =
        bucket === 'raw'
          ? await rawPage(store, question)
          : await bucketPage(store, question, BUCKET_SIZES[bucket], timeZone);
      linkNextPage(request, reply, answer.next);
      return answer;
    },
  );
};

async function rawPage(store: Store, { uid, range, limit, after }: Question): Promise<Answer> {
  const page = await store.readings({
    scope: { deviceUid: uid },
    ...range,
    order: 'newest-first',
    limit,
    ...(after !== undefined && { after }),
  });
  return { data: page.readings.map(readingOf), ...(page.next !== undefined && { next: page.next }) };
}

async function bucketPage(
  store: Store,
  { uid, range, limit, after }: Question,
  size: '1h' | '1d',
  timeZone: string,
): Promise<Answer> {
  const toMs = after === undefined ? range.toMs : Math.min(range.toMs, parseTime('after', after));
  const page = await newestBuckets(store, {
    scope: { deviceUid: uid },
    range: { ...range, toMs },
    size,
    timeZone,
    limit,
  });
  return {
    data: page.buckets.flatMap(bucketOf),
    ...(page.nextMs !== undefined && { next: isoTime(page.nextMs) }),
  };
}

function readingOf({ tsMs, temperatureCelsius, humidityPercent }: StoredReading): DeviceReading {
  return { ts: isoTime(tsMs), temperature: temperatureCelsius, humidity: humidityPercent, source: 'mqtt' };
}

function bucketOf({ fromMs, count, temperature, humidity }: Bucket): DeviceReading[] {
  if (temperature === null || humidity === null) return [];
  return [
    {
      ts: isoTime(fromMs),
      temperature: temperature.avg,
      temperature_min: temperature.min,
      temperature_max: temperature.max,
      humidity: humidity.avg,
      humidity_min: humidity.min,
      humidity_max: humidity.max,
      count,
    },
  ];
}
