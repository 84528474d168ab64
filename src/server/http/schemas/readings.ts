import { type Static, Type } from 'typebox';
import { GAP_REASONS } from '../../../contract/reading.ts';
import { After, IsoTime, Limit, Nullable, OneOf, Query, TimeZone, Uid } from './common.ts';
import { Contact } from './devices.ts';

const OptionalUid = Type.Optional(Uid);

/** One reading, the same in every answer, in the live feed and in exported JSON Lines. */
export const Reading = Type.Object({
  device_id: Type.String({ description: "The device's uid" }),
  room_id: Nullable(Type.String({ description: 'The uid of the room in which the device stood at `ts`' })),
  ts: Type.String({ format: 'date-time', description: 'When the measurement ended: ISO 8601, UTC' }),
  temperature: Type.Number({ description: '°C' }),
  humidity: Type.Number({ description: '%RH' }),
  epoch: Nullable(Type.String({ description: 'Names the journal that numbered it; null for older agents' })),
  seq: Nullable(Type.Integer({ description: 'Counts from 1 within its epoch, without holes; null for older agents' })),
  clock: Type.Optional(
    OneOf(['unsynced'], {
      description:
        'The time cannot be relied on: the clock of the device was not synchronised, or the moment is known only roughly',
    }),
  ),
  trigger: Type.Optional(OneOf(['command'], { description: 'Somebody asked for this reading' })),
});
export type Reading = Static<typeof Reading>;

/** The newest reading, with whether its device is silent. */
export const LatestReading = Type.Object({ ...Reading.properties, contact: Contact });

export const LatestQuery = Query({
  deviceId: Type.Optional(
    Type.String({ maxLength: 200, description: "A device's uid; an unknown one gives no reading" }),
  ),
  roomId: Type.Optional(Type.String({ maxLength: 200, description: "A room's uid; an unknown one gives no reading" })),
});

/** The largest page that can be asked for, as in the older API. */
export const MAX_PAGE = 10_000;

export const Order = OneOf(['asc', 'desc'], {
  default: 'asc',
  description: '`asc`: oldest first; `desc`: newest first',
});

/** A time in a query: `what` it is for, then how it is written. */
export function TimeIn(what: string) {
  const how = 'ISO 8601 with a zone (`Z` or an offset), a date alone being its midnight UTC; or epoch milliseconds';
  return Type.Optional(
    Type.String({ minLength: 1, maxLength: 40, description: `${what} ${how}.`, examples: ['2026-01-31T12:00:00Z'] }),
  );
}

export const From = TimeIn('Included; absent: the beginning of the record.');
export const To = TimeIn('Not included; absent: now.');

export const ReadingsQuery = Query({
  device: OptionalUid,
  room: OptionalUid,
  from: From,
  to: To,
  order: Order,
  limit: Limit(MAX_PAGE, 1000),
  after: Type.Optional(After),
});

/** What a device says is missing from its record, and why. */
export const Gap = Type.Object({
  device_id: Type.String({ description: "The device's uid" }),
  epoch: Type.String({ description: 'The epoch whose numbers are gone' }),
  from_seq: Type.Integer(),
  to_seq: Nullable(Type.Integer({ description: 'Null: the end is not known' })),
  count: Nullable(Type.Integer({ description: 'How many of them are gone; null: not known' })),
  reason: OneOf(GAP_REASONS),
  from: Nullable({ ...IsoTime, description: 'Time of the first reading that is gone; null: not known' }),
  to: Nullable({ ...IsoTime, description: 'Time of the last reading that is gone; null: not known' }),
  record: Type.Object(
    { epoch: Type.String(), seq: Type.Integer(), ts: IsoTime },
    { description: "The record's own number, and when the device noticed" },
  ),
  dismissal: Type.Optional(
    Type.Object(
      { reason: Type.String(), at: IsoTime },
      { description: 'Somebody said that this record is wrong; it explains nothing any more' },
    ),
  ),
});
export type Gap = Static<typeof Gap>;

export const GapsQuery = Query({
  device: Type.Optional(Uid),
  from: From,
  to: To,
  limit: Limit(1000, 100),
  after: Type.Optional(After),
});

export const SERIES_BUCKETS = ['raw', '5m', '1h', '1d'] as const;
/** The usual ones; any other number of minutes or hours that divides a day, days and weeks will do. */
export type SeriesBucket = (typeof SERIES_BUCKETS)[number];

/** How many devices and rooms one question may name. */
export const MAX_SOURCES = 50;

export const Spread = Type.Object({ min: Type.Number(), avg: Type.Number(), max: Type.Number() });
export type Spread = Static<typeof Spread>;

/** From `from` (included) to `to` (not). With `bucket=raw` each reading is one of its own, whose `to` is its `from`. */
export const Bucket = Type.Object({
  from: IsoTime,
  to: IsoTime,
  count: Type.Integer({ description: 'How many readings; 0: nothing was measured, or it is missing (see `gaps`)' }),
  temperature: Nullable(Spread),
  humidity: Nullable(Spread),
});
export type Bucket = Static<typeof Bucket>;

export const SourceKind = OneOf(['device', 'room']);

export const SeriesSource = Type.Object({
  kind: SourceKind,
  uid: Type.String(),
  name: Nullable(Type.String({ description: "The device's label or the room's name" })),
  bucket: Type.String({ description: '`raw`, `2m`, `1h` …: never `auto`, but what that came to for this source' }),
  buckets: Type.Array(Bucket),
  gaps: Type.Array(Gap, { description: 'What devices say is missing in this time, and why; newest first' }),
  has_more_gaps: Type.Boolean({ description: 'There are more than these: GET /api/v1/gaps pages through all' }),
});
export type SeriesSource = Static<typeof SeriesSource>;

export const Series = Type.Object({
  from: IsoTime,
  to: IsoTime,
  tz: Type.String({ description: 'The time zone in whose local time the buckets begin' }),
  sources: Type.Array(SeriesSource, { description: 'As asked for: devices, then rooms' }),
});
export type Series = Static<typeof Series>;

/** Which devices or rooms; none of either: all devices. */
export const Sources = Type.Optional(
  Type.Array(Uid, { maxItems: MAX_SOURCES, description: 'May be repeated. No device and no room: all devices' }),
);

export const SeriesQuery = Query({
  device: Sources,
  room: Sources,
  from: TimeIn('Included; absent: 24 hours before `to`.'),
  to: To,
  bucket: Type.String({
    pattern: '^(auto|raw|[1-9][0-9]{0,3}[mhdw])$',
    default: 'auto',
    description:
      'raw, auto, or a number of minutes or hours that divides a day, of days or of weeks: 5m, 1h, 1d. Buckets begin at whole steps of ' +
      'local time in `tz`. auto: what comes nearest to `points`; the readings themselves where there are not more of them',
    examples: ['1h'],
  }),
  points: Type.Integer({
    minimum: 10,
    maximum: 5000,
    default: 500,
    description: 'With `auto`: how many buckets a source should have, about',
  }),
  tz: Type.Optional(TimeZone),
});

/** What one device or room gave on one day. */
export const DayStatistics = Type.Object({
  kind: SourceKind,
  uid: Type.String(),
  date: Type.String({ format: 'date', description: 'The day in the time zone' }),
  from: IsoTime,
  to: IsoTime,
  received: Type.Integer({ description: 'Readings in the store' }),
  expected: Nullable(
    Type.Integer({
      description: 'Readings that were due by the interval which the devices told, until now; null: not known',
    }),
  ),
  missing: Nullable(Type.Integer({ description: 'Expected and not there, 0 at least; null: not known' })),
  first: Nullable({ ...IsoTime, description: 'Time of the first reading of the day' }),
  last: Nullable({ ...IsoTime, description: 'Time of the last reading of the day' }),
  temperature: Nullable(Spread),
  humidity: Nullable(Spread),
});
export type DayStatistics = Static<typeof DayStatistics>;

export const Statistics = Type.Object({
  from: IsoTime,
  to: IsoTime,
  tz: Type.String(),
  days: Type.Array(DayStatistics, { description: 'By source as asked for (devices, then rooms), then by day' }),
});
export type Statistics = Static<typeof Statistics>;

export const StatisticsQuery = Query({
  device: Sources,
  room: Sources,
  from: TimeIn('Its day is the first; absent: six days before the day of `to`.'),
  to: TimeIn('The day before which it ends; within a day: that day is the last. Absent: now.'),
  tz: Type.Optional(TimeZone),
});

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const;

export const ExportQuery = Query({
  format: OneOf(EXPORT_FORMATS, { default: 'csv', description: '`csv`: with a header; `jsonl`: one reading a line' }),
  device: Type.Optional(Uid),
  room: Type.Optional(Uid),
  from: From,
  to: To,
});

/** The `data` of each kind of event on `GET /api/v1/events`. The kind is the event's name. */
export interface LiveEventData {
  /** The newest reading of its device. */
  readonly reading: Reading & { readonly received_at: string };
  /** Older readings were added or corrected: ask for this stretch again. */
  readonly history: { readonly device_id: string; readonly from: string; readonly to: string; readonly count: number };
  /** Registered, renamed, moved, other status or presence: ask for the device again. */
  readonly device: { readonly device_id: string };
  readonly gap: { readonly device_id: string };
  readonly rejected: { readonly count: number };
  /** The feed no longer knows what was missed: ask for everything again. */
  readonly resync: Readonly<Record<string, never>>;
}

export const LIVE_EVENT_KINDS = ['reading', 'history', 'device', 'gap', 'rejected', 'resync'] as const;
export type LiveEventKind = (typeof LIVE_EVENT_KINDS)[number];

export const EventsQuery = Query({
  lastEventId: Type.Optional(
    Type.String({
      maxLength: 100,
      description: 'Go on after this id. For the first connection of an EventSource, which can send no header',
    }),
  ),
});
export type EventsQuery = Static<typeof EventsQuery>;

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
