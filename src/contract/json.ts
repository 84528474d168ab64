/** Reading untrusted JSON into plain records, shared by every payload of the contract. Pure; throws only WireError. */

export type WireErrorCode = 'WIRE_NOT_JSON' | 'WIRE_SCHEMA';

/** A payload that does not say what the contract says. The message names the field and what was found. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type JsonRecord = Readonly<Record<string, unknown>>;

/** Parses a text. @throws WireError WIRE_NOT_JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new WireError('WIRE_NOT_JSON', `not JSON: ${shown(text)}`, { cause });
  }
}

/** A JSON object (not an array, not null). @throws WireError WIRE_SCHEMA */
export function asRecord(value: unknown, what: string): JsonRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WireError('WIRE_SCHEMA', `${what} must be a JSON object, found ${found(value)}`);
  }
  return value as JsonRecord;
}

/** A finite number within limits. @throws WireError WIRE_SCHEMA */
export function numberField(record: JsonRecord, key: string, min: number, max: number): number {
  const value = record[key];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    throw new WireError('WIRE_SCHEMA', `${key} must be a number from ${min} to ${max}, found ${found(value)}`);
  }
  return value;
}

/** A whole number within limits. @throws WireError WIRE_SCHEMA */
export function integerField(record: JsonRecord, key: string, min: number, max: number): number {
  const value = numberField(record, key, min, max);
  if (!Number.isInteger(value)) throw new WireError('WIRE_SCHEMA', `${key} must be a whole number, found ${value}`);
  return value;
}

/** A text that passes a test. @throws WireError WIRE_SCHEMA */
export function textField(record: JsonRecord, key: string, rule: string, accepts: (text: string) => boolean): string {
  const value = record[key];
  if (typeof value !== 'string' || !accepts(value)) {
    throw new WireError('WIRE_SCHEMA', `${key} must be ${rule}, found ${found(value)}`);
  }
  return value;
}

/** Structures are only named: writing out one that is nested deeply enough overflows the stack. */
function found(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return shown(JSON.stringify(value));
}

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
