import { type Static, Type } from 'typebox';
import type { RejectReason } from '../../store/stored.ts';
import { After, IsoTime, Limit, Nullable, OneOf } from './common.ts';
import { Query } from './query.ts';

/** Why a message is not among the readings, as in src/server/store/stored.ts. */
export const REJECT_REASON_WORDS = [
  'bad-topic',
  'too-large',
  'not-utf8',
  'not-json',
  'bad-shape',
  'bad-time',
  'conflict',
  'unknown-device',
  'refused-device',
  'too-many',
] as const satisfies readonly RejectReason[];

/** A message, or an item of one, that could not be stored as a reading. */
export const RejectedMessage = Type.Object({
  id: Type.Integer({ description: 'Ascending' }),
  topic: Type.String(),
  device_id: Nullable(Type.String({ description: "The device's uid; null where the topic names none" })),
  reason: OneOf(REJECT_REASON_WORDS),
  detail: Type.String({ description: 'For people: the field and what was found' }),
  payload: Type.String({ description: 'Its first bytes as text; what is not UTF-8 is replaced' }),
  payload_bytes: Type.Integer({ description: 'Size before it was cut' }),
  first_at: IsoTime,
  last_at: IsoTime,
  count: Type.Integer({ description: 'How often the same came' }),
});
export type RejectedMessage = Static<typeof RejectedMessage>;

export const RejectedQuery = Query({
  device: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "The device's uid" })),
  reason: Type.Optional(OneOf(REJECT_REASON_WORDS)),
  limit: Limit(1000, 100),
  after: Type.Optional(After),
});
