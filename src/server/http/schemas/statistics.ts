import { type Static, Type } from 'typebox';
import { IsoTime, Nullable } from './common.ts';
import { Query } from './query.ts';
import { TimeIn } from './readings.ts';
import { SourceKind, Sources, Spread } from './series.ts';
import { TimeZone } from './time-zone.ts';

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
      description: 'Readings that were due by the interval which the devices told, until now; null: nobody knows',
    }),
  ),
  missing: Nullable(Type.Integer({ description: 'Expected and not there, 0 at least; null: nobody knows' })),
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
  from: TimeIn('Its day is the first; absent: six days before that of `to`.'),
  to: TimeIn('The day before which it ends; within a day: that day is the last. Absent: now.'),
  tz: Type.Optional(TimeZone),
});
