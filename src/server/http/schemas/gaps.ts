import { type Static, Type } from 'typebox';
import { GAP_REASONS } from '../../../contract/reading.ts';
import { After, IsoTime, Limit, Nullable, OneOf, Uid } from './common.ts';
import { Query } from './query.ts';
import { From, To } from './readings.ts';

/** What a device says is missing from its record, and why. */
export const Gap = Type.Object({
  device_id: Type.String({ description: "The device's uid" }),
  epoch: Type.String({ description: 'The epoch whose numbers are gone' }),
  from_seq: Type.Integer(),
  to_seq: Nullable(Type.Integer({ description: 'Null: the end is not known' })),
  count: Nullable(Type.Integer({ description: 'How many of them are gone; null: nobody knows' })),
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
