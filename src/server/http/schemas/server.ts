import { type Static, Type } from 'typebox';
import { Nullable, OneOf } from './common.ts';
import { RecordSummary } from './verdict.ts';

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
});
export type Readiness = Static<typeof Readiness>;
