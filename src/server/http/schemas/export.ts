import { Type } from 'typebox';
import { OneOf, Uid } from './common.ts';
import { Query } from './query.ts';
import { From, To } from './readings.ts';

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const;

export const ExportQuery = Query({
  format: OneOf(EXPORT_FORMATS, { default: 'csv', description: '`csv`: with a header; `jsonl`: one reading a line' }),
  device: Type.Optional(Uid),
  room: Type.Optional(Uid),
  from: From,
  to: To,
});
