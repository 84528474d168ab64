import { type Static, Type } from 'typebox';
import type { QuarantineReason } from '../../store/audit-store.ts';
import type { RejectReason } from '../../store/stored.ts';
import { After, IsoTime, Limit, Nullable, OneOf, Query, Uid } from './common.ts';
import { From, To } from './readings.ts';

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

/** `not-checked`: no verdict is there yet; ask again. */
export const OUTCOMES = ['whole', 'unknown', 'faulty', 'not-checked'] as const;

export const Outcome = OneOf(OUTCOMES, {
  description:
    '`whole`: every number that was heard of is there, or a gap record says why not. `faulty`: numbers are missing without a word, or ' +
    'doubled. `unknown`: no fault was found, and something cannot be judged. `not-checked`: there is no verdict yet',
});

/** Numbers, of all that was asked for or of one device. */
const counts = {
  missing: Type.Integer({ description: 'Numbers that are missing without a word' }),
  explained: Type.Integer({ description: 'Numbers that are missing as gap records say' }),
  waiting: Type.Integer({ description: 'Numbers that are missing and may still wait on their device' }),
  before_record: Type.Integer({
    description: 'Numbers from before this record began: it cannot know what became of them',
  }),
  unnumbered: Type.Integer({
    description: 'Readings without numbers: whether any is missing between them cannot be known',
  }),
  unknown_ends: Type.Integer({
    description:
      'Epochs whose end cannot be known: an older state of the record was taken over, and the device did not continue them',
  }),
  doubled: Type.Integer({ description: 'Numbers that are stored more than once, with different times' }),
  rejected: Type.Integer({ description: 'Numbers that came and could not be stored as readings' }),
  quarantined: Type.Integer({ description: 'Numbers that came and wait in quarantine' }),
};

export const VerdictHole = Type.Object({
  epoch: Type.String(),
  from_seq: Type.Integer(),
  to_seq: Type.Integer(),
  count: Type.Integer({ description: 'How many of them are missing without a word' }),
  after: Nullable({ ...IsoTime, description: 'Time of the reading before; null: there is none' }),
  before: Nullable({ ...IsoTime, description: 'Time of the reading behind; null: there is none' }),
});

export const DoubtedGap = Type.Object({
  record: Type.Object({ epoch: Type.String(), seq: Type.Integer() }, { description: "The record's own number" }),
  epoch: Type.String({ description: 'The epoch that it speaks of' }),
  from_seq: Type.Integer(),
  to_seq: Nullable(Type.Integer()),
  count: Nullable(Type.Integer()),
  why: OneOf(['dismissed', 'counts-too-many', 'not-given-yet', 'never-heard-of']),
});

export const VerdictDevice = Type.Object({
  device_id: Type.String({ description: "The device's uid" }),
  outcome: Outcome,
  ...counts,
  holes: Type.Array(VerdictHole, { description: 'The first of them, in the time asked for' }),
  has_more_holes: Type.Boolean(),
  gaps_not_believed: Type.Array(DoubtedGap, { description: 'Gap records that cannot be true, or were dismissed' }),
});
export type VerdictDevice = Static<typeof VerdictDevice>;

export const Verdict = Type.Object({
  outcome: Outcome,
  checked_at: Nullable(IsoTime),
  age_s: Nullable(Type.Integer({ description: 'How old the verdict is' })),
  record_began_at: Nullable({ ...IsoTime, description: 'Null: nothing was heard yet' }),
  ...counts,
  devices: Type.Array(VerdictDevice),
});
export type Verdict = Static<typeof Verdict>;

export const VerdictQuery = Query({ device: Type.Optional(Uid), from: From, to: To });

/** For /ready: in short. */
export const RecordSummary = Type.Object(
  { outcome: Outcome, missing: Type.Integer(), age_s: Nullable(Type.Integer()) },
  { description: 'The verdict about the record. It does not make `status` fail: a hole is not cured by a restart' },
);

export const NewDismissal = Type.Object(
  {
    device_id: Uid,
    epoch: Type.String({ minLength: 1, maxLength: 50, description: 'The epoch in which the gap record stands' }),
    seq: Type.Integer({ minimum: 1, description: "The gap record's own number there" }),
    reason: Type.String({ minLength: 1, maxLength: 500, pattern: '\\S', description: 'Why it is wrong; it is kept' }),
  },
  { additionalProperties: false },
);

export const ServerInfo = Type.Object({
  product: Type.Literal('TechTemp'),
  name: Type.Optional(Type.String({ description: 'Of the house; may be empty', examples: ['Rue des Lilas 4'] })),
  version: Type.Optional(Type.String({ examples: ['1.0.0'] })),
  time_zone: Type.Optional(
    Type.String({ description: 'Where its days begin at midnight', examples: ['Europe/Paris'] }),
  ),
  reading: OneOf(['open', 'token'], { description: 'Whether reading needs a token' }),
  writing: OneOf(['open', 'token'], { description: 'Whether writing needs a token, coming the way this request came' }),
  rights: OneOf(['none', 'read', 'write'], { description: 'What this request, with the token it sent, may do' }),
  token: OneOf(['absent', 'valid', 'invalid'], { description: 'What became of the token it sent' }),
});
export type ServerInfo = Static<typeof ServerInfo>;

/** The older API's, with more said. */
export const Health = Type.Object({
  status: OneOf(['ok', 'failed', 'record-lost'], {
    description:
      'record-lost: the files of the record were removed or replaced; nothing is stored, and a restart would not help. /ready says more',
  }),
  broker: OneOf(['connected', 'connecting', 'stopped'], { description: 'Told here; does not make `status` fail' }),
});
export type Health = Static<typeof Health>;

const part = {
  ok: Type.Boolean(),
  problem: Type.Optional(Type.String({ description: 'For people' })),
};

const BackupSummary = Type.Object(
  {
    age_s: Nullable(Type.Integer({ description: 'How old the newest backup is; null: there is none' })),
    bytes: Nullable(Type.Integer({ description: 'Size of its file' })),
    warning: Type.Optional(Type.String({ description: 'What is wrong with the backups; it does not change `status`' })),
  },
  { description: 'Only for clients that may read, and where the server makes backups' },
);

export const Readiness = Type.Object({
  status: OneOf(['ready', 'not-ready']),
  parts: Type.Object({
    database: Type.Object({
      ...part,
      warning: Type.Optional(Type.String({ description: 'What does not keep it from storing, but should be seen to' })),
      log_bytes: Type.Optional(Nullable(Type.Integer({ description: 'Size of its write-ahead log' }))),
    }),
    broker: Type.Object({
      ...part,
      left_out: Type.Optional(
        Type.Array(Type.String(), {
          description: 'Optional steps on which the broker ends the connection; for people',
        }),
      ),
    }),
    ingest: Type.Object({
      ...part,
      last_commit_age_s: Type.Optional(
        Nullable(Type.Number({ description: 'Null: nothing was stored since the start' })),
      ),
      waiting: Type.Optional(Type.Integer({ description: 'Messages received and not yet on disk' })),
      held_back: Type.Optional(Type.Boolean({ description: 'The broker is made to wait' })),
    }),
    quarantine: Type.Object({
      ...part,
      note: Type.Optional(Type.String({ description: 'For people: what waits, while that is no problem' })),
      waiting: Type.Optional(
        Nullable(Type.Integer({ description: 'Readings that wait because of their time or form; null: not known' })),
      ),
    }),
    clock: Type.Object({
      ...part,
      note: Type.Optional(
        Type.String({ description: 'For people: what is known against it, while that is no problem' }),
      ),
    }),
    disk: Type.Object({ ...part, free_bytes: Type.Optional(Nullable(Type.Integer())) }),
  }),
  record: Type.Optional(RecordSummary),
  backup: Type.Optional(BackupSummary),
});
export type Readiness = Static<typeof Readiness>;
