import { type Static, Type } from 'typebox';
import { After, Limit, OneOf } from './common.ts';
import { Query } from './query.ts';
import { From, MAX_PAGE, To } from './readings.ts';
import { TimeZone } from './time-zone.ts';

/** A reading (`bucket=raw`) or an hour or day of them, in the shapes of the older API. */
export const DeviceReading = Type.Object({
  ts: Type.String({ format: 'date-time', description: 'Of the reading, or the beginning of its hour or day' }),
  temperature: Type.Number({ description: '°C; of a bucket the average' }),
  temperature_min: Type.Optional(Type.Number()),
  temperature_max: Type.Optional(Type.Number()),
  humidity: Type.Number({ description: '%RH; of a bucket the average' }),
  humidity_min: Type.Optional(Type.Number()),
  humidity_max: Type.Optional(Type.Number()),
  count: Type.Optional(Type.Integer({ description: 'How many readings the bucket holds' })),
  source: Type.Optional(OneOf(['mqtt'], { description: 'How a reading came' })),
});
export type DeviceReading = Static<typeof DeviceReading>;

export const DEVICE_READING_BUCKETS = ['raw', 'hour', 'day'] as const;

export const DeviceReadingsQuery = Query({
  limit: Limit(MAX_PAGE, 10),
  from: From,
  to: To,
  bucket: OneOf(DEVICE_READING_BUCKETS, {
    default: 'raw',
    description: 'Readings, or averages with minimum and maximum of the hours or days of `tz` that have any',
  }),
  tz: Type.Optional(TimeZone),
  after: Type.Optional(After),
});
