import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { nearestName } from '../../platform/nearest-name.ts';
import { ApiError } from './errors.ts';
import type { ErrorDetail } from './schemas/common.ts';

interface Complaint {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** More complaints than a person reads. */
const MAX_DETAILS = 20;
/** Says itself again in words of its own, or says what the complaint beside it says better. */
const ECHOES = new Set(['anyOf', 'oneOf', 'boolean']);
const TEXT_KEYWORDS = new Set(['pattern', 'minLength', 'maxLength']);

/**
 * Checks a request against its schema. Queries, paths and headers are texts and are converted; a body says itself what it means,
 * and `"5"` is not 5 there.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  const isText = httpPart !== 'body';
  return (value: unknown) => {
    const read: unknown = Value.Default(schema, isText ? Value.Convert(schema, value) : value);
    if (check.Check(read)) return { value: read };
    return { error: validationError(schema, httpPart ?? 'request', check.Errors(read)) };
  };
};

function validationError(schema: TSchema, httpPart: string, complaints: readonly Complaint[]): ApiError {
  const details = complaints
    .filter(({ keyword }) => !ECHOES.has(keyword))
    .flatMap((complaint) => detailsOf(schema, httpPart, complaint))
    .filter(({ field }, index, all) => all.findIndex((other) => other.field === field) === index)
    .slice(0, MAX_DETAILS);
  const first = details[0];
  const message =
    first === undefined ? `the ${partName(httpPart)} is not as documented` : `${first.field} ${first.problem}`;
  return new ApiError(400, 'VALIDATION', message, { details });
}

function detailsOf(
  schema: TSchema,
  httpPart: string,
  { keyword, instancePath, params, message }: Complaint,
): readonly ErrorDetail[] {
  const path = instancePath.split('/').slice(1);
  if (keyword === 'additionalProperties') {
    const names = listOf(params, 'additionalProperties');
    const known = Object.keys(schemaAt(schema, path)?.properties ?? {});
    return names.map((name) => ({ field: [...path, name].join('.'), problem: unknownProblem(name, known, httpPart) }));
  }
  if (keyword === 'required') {
    return listOf(params, 'requiredProperties').map((name) => ({
      field: [...path, name].join('.'),
      problem: 'is missing',
    }));
  }
  const field = path.length === 0 ? partName(httpPart) : path.join('.');
  const at = schemaAt(schema, path);
  if (keyword === 'enum') return [{ field, problem: `must be one of ${(at?.enum ?? []).join(', ')}` }];
  // The description says what a pattern and its lengths mean together.
  if (TEXT_KEYWORDS.has(keyword) && at?.pattern !== undefined && at.description !== undefined) {
    return [{ field, problem: `must be ${at.description}` }];
  }
  return [{ field, problem: message }];
}

function unknownProblem(name: string, known: readonly string[], httpPart: string): string {
  if (known.length === 0) return 'is not known here; there is none';
  const nearest = httpPart === 'querystring' ? nearestName(name, known) : undefined;
  return `is not known here; ${nearest === undefined ? '' : `did you mean "${nearest}"? `}known are ${known.join(', ')}`;
}

interface SchemaNode {
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly enum?: readonly string[];
  readonly description?: string;
}

/** The schema of what stands at a path of the value; undefined where it is not a plain property or item. */
function schemaAt(schema: TSchema, path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const step of path)
    node =
      node?.items ??
      (node?.properties !== undefined && Object.hasOwn(node.properties, step) ? node.properties[step] : undefined);
  return node;
}

function listOf(params: object, name: string): readonly string[] {
  const list: unknown = (params as Readonly<Record<string, unknown>>)[name];
  return Array.isArray(list) ? (list as readonly string[]) : [];
}

function partName(httpPart: string): string {
  return httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : httpPart;
}
