import { type TProperties, type TSchema, Type } from 'typebox';

/** The parameters of a query: a misspelt one is refused, since a filter that is not there would answer with everything. One with a default need not be sent, and a handler has it always. */
export function Query<T extends TProperties>(properties: T) {
  const schema = Type.Object(properties, { additionalProperties: false });
  const required = Object.entries<TSchema>(properties).flatMap(([name, property]) =>
    'default' in property || Type.IsOptional(property) ? [] : [name],
  );
  return Object.assign<typeof schema, object>(schema, { required });
}
