import type { Readable } from 'node:stream';
import { Type } from 'typebox';

/** What an answer that is no JSON says of itself in the document. */
export function streamed(description: string, contentTypes: readonly string[]) {
  const content = Object.fromEntries(contentTypes.map((type) => [type, { schema: Type.String() }]));
  return Type.Unsafe<Readable>({ description, content });
}
