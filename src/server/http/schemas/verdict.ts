import { type Static, Type } from 'typebox';
import { IsoTime, Nullable, OneOf, Uid } from './common.ts';
import { Query } from './query.ts';
import { From, To } from './readings.ts';

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
