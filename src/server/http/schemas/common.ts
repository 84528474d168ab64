import { type Static, type TProperties, type TSchema, Type } from 'typebox';

/** The parameters of a query: a misspelt one is refused, since a filter that is not there would answer with everything. One with a default need not be sent, and a handler has it always. */
export function Query<T extends TProperties>(properties: T) {
  const schema = Type.Object(properties, { additionalProperties: false });
  const required = Object.entries<TSchema>(properties).flatMap(([name, property]) =>
    'default' in property || Type.IsOptional(property) ? [] : [name],
  );
  return Object.assign<typeof schema, object>(schema, { required });
}

/** `checkedTimeZone` says whether it exists. */
export const TimeZone = Type.String({
  minLength: 1,
  maxLength: 60,
  description: "IANA name of the time zone whose hours and days count; absent: the house's",
  examples: ['Europe/Brussels'],
});

/**
 * Pieces that the schemas share. Like everything in this folder they import nothing of the server when they run, so that the
 * browser's part can use them and their types.
 */

/** Ids on the wire, as in src/contract/topics.ts. */
export const Uid = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,50}$',
  description: '1 to 50 of the characters A-Z a-z 0-9 _ -',
  examples: ['aht20-a1b2c3'],
});

/** A time in an answer. */
export const IsoTime = Type.String({
  format: 'date-time',
  description: 'ISO 8601, UTC, with milliseconds',
  examples: ['2026-01-31T12:00:00.000Z'],
});

/** A time in a question; `parseTime` reads it. */
export const TimeParameter = Type.String({
  minLength: 1,
  maxLength: 40,
  description: 'ISO 8601 with a zone (`Z` or an offset), a date alone being its midnight UTC; or epoch milliseconds',
  examples: ['2026-01-31T12:00:00Z'],
});

/** A schema with a type of its own (no union), or null. Serialised without trying alternatives. */
export function Nullable<T extends TSchema>(schema: T) {
  const type = (schema as { readonly type?: string }).type;
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [type, 'null'] });
}

/** One of some words. */
export function OneOf<const T extends readonly string[]>(words: T, options: object = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...words], ...options });
}

/** `{"data": …}` */
export function Data<T extends TSchema>(schema: T) {
  return Type.Object({ data: schema });
}

/** `{"data": […], "next": …}`: one page; without `next` it was the last one. */
export function Page<T extends TSchema>(schema: T) {
  return Type.Object({
    data: Type.Array(schema),
    next: Type.Optional(
      Type.String({ description: 'Where the next page begins: give it as `after`. Absent on the last page.' }),
    ),
  });
}

export const After = Type.String({
  minLength: 1,
  maxLength: 400,
  description: '`next` of the page before',
});

export function Limit(maximum: number, byDefault: number) {
  return Type.Integer({
    minimum: 1,
    maximum,
    default: byDefault,
    description: 'How many entries the page holds at most',
  });
}

export const ErrorDetail = Type.Object({
  field: Type.String({ description: 'Where: a path into the body, the name of a parameter' }),
  problem: Type.String({ description: 'What is wrong, and what is allowed' }),
});
export type ErrorDetail = Static<typeof ErrorDetail>;

/** Every answer that is not what was asked for. */
export const ErrorBody = Type.Object(
  {
    error: Type.String({ description: 'For people' }),
    code: Type.String({ description: 'For programs; its meaning never changes' }),
    details: Type.Optional(Type.Array(ErrorDetail)),
    reference: Type.Optional(Type.String({ description: "Of an internal error: finds it in the server's log" })),
  },
  {
    description: 'An error',
    examples: [{ error: 'Device not found: there is no device "aht20-xyz"', code: 'DEVICE_NOT_FOUND' }],
  },
);
export type ErrorBody = Static<typeof ErrorBody>;

/** For `response` of every route: `{ 200: …, ...errors }`. */
export const errors = { '4xx': ErrorBody, '5xx': ErrorBody } as const;
