import { type Static, Type } from 'typebox';
import type { QuarantineReason } from '../../store/quarantine-store.ts';
import { After, IsoTime, Limit, Nullable, OneOf } from './common.ts';
import { Query } from './query.ts';

export const QUARANTINE_REASON_WORDS = ['bad-time', 'bad-shape'] as const satisfies readonly QuarantineReason[];

const DeviceUid = Type.String({ minLength: 1, maxLength: 200, description: "The device's uid" });

/** What came and waits: on disk, receipted, not among the readings yet. */
export const QuarantinedItem = Type.Object({
  id: Type.Integer({ description: 'Ascending' }),
  device_id: Type.String({ description: "The device's uid" }),
  epoch: Nullable(Type.String()),
  seq: Nullable(Type.Integer()),
  ts: Nullable(IsoTime),
  received_at: IsoTime,
  reason: OneOf(QUARANTINE_REASON_WORDS, {
    description:
      "`bad-time`: its time cannot be right by this server's clock. `bad-shape`: this version does not understand it",
  }),
  detail: Type.String({ description: 'For people: what was found' }),
  topic: Type.String(),
  item: Type.String({ description: 'The whole item as JSON text' }),
});
export type QuarantinedItem = Static<typeof QuarantinedItem>;

export const QuarantineOfDevice = Type.Object({
  device_id: Type.String({ description: "The device's uid" }),
  reason: OneOf(QUARANTINE_REASON_WORDS),
  count: Type.Integer(),
  from: Nullable(IsoTime),
  to: Nullable(IsoTime),
  first_received_at: IsoTime,
  last_received_at: IsoTime,
});

export const QuarantineSummary = Type.Object({
  waiting: Type.Integer({ description: 'How many items wait' }),
  waiting_for_time: Type.Integer({ description: 'Of these: because of their time' }),
  clock_problem: Nullable(
    Type.String({ description: "For people: what is known against this server's own clock; null: nothing" }),
  ),
  devices: Type.Array(QuarantineOfDevice),
});
export type QuarantineSummary = Static<typeof QuarantineSummary>;

export const QuarantineQuery = Query({
  device: Type.Optional(DeviceUid),
  limit: Limit(1000, 100),
  after: Type.Optional(After),
});

const choice = {
  device: Type.Optional(DeviceUid),
  id: Type.Optional(Type.Integer({ minimum: 1, description: 'One item' })),
  all: Type.Optional(Type.Literal(true, { description: 'Everything that waits' })),
};

export const QuarantineRelease = Type.Object(choice, {
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  description: 'Exactly one of `device`, `id` and `all`',
});

export const QuarantineDrop = Type.Object(
  {
    ...choice,
    reason: Type.String({ minLength: 1, maxLength: 500, pattern: '\\S', description: 'Why; it is kept' }),
  },
  {
    additionalProperties: false,
    minProperties: 2,
    maxProperties: 2,
    description: 'Exactly one of `device`, `id` and `all`, and the reason',
  },
);

export const QuarantineReleased = Type.Object({
  released: Type.Integer({ description: 'Now among the readings' }),
  kept: Type.Integer({ description: 'Not understood by this version; they wait on' }),
  message: Type.String(),
});

export const QuarantineDropped = Type.Object({ dropped: Type.Integer(), message: Type.String() });
