import { type Static, Type } from 'typebox';
import { After, Limit, Nullable, OneOf, Uid } from './common.ts';
import { Contact } from './devices.ts';
import { Query } from './query.ts';

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
