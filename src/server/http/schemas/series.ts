import { type Static, Type } from 'typebox';
import { IsoTime, Nullable, OneOf, Uid } from './common.ts';
import { Gap } from './gaps.ts';
import { Query } from './query.ts';
import { TimeIn, To } from './readings.ts';
import { TimeZone } from './time-zone.ts';

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
