import { invalidField } from './api-error.ts';

/** `2026-01-31`, `2026-01-31T12:00Z`, `2026-01-31T12:00:00.123+05:30`; a `+` that a URL turned into a space is forgiven. */
const ISO_TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+ -]\d\d:?\d\d))?$/;

/** Epoch milliseconds: 0, or from 1970-04-26 on. Fewer digits are a year or epoch seconds: hardly what was meant. */
const EPOCH_MS = /^(?:0|\d{11,14})$/;

/** Epoch milliseconds of a time in a question. @throws ApiError VALIDATION that names the field */
export function parseTime(field: string, text: string): number {
  if (EPOCH_MS.test(text)) return Number(text);
  const [, day, time = '00:00', zone = 'Z'] = ISO_TIME.exec(text) ?? [];
  const offset = zone.replace(' ', '+').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${offset}`);
  if (Number.isNaN(ms) || !dayExists(day)) {
    throw invalidField(
      field,
      `must be a time such as 2026-01-31T12:00:00Z, 2026-01-31T12:00:00%2B01:00 or 1769860800000 (epoch milliseconds), found ${JSON.stringify(text)}`,
    );
  }
  return ms;
}

/** A time as the older API took it: without a zone it is UTC, as in the container that the older server came in. */
export function withZone(text: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?$/.test(text) ? `${text}Z` : text;
}

/** ISO 8601, UTC, with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

/** Date.parse turns 30 February into 2 March. */
function dayExists(day: string | undefined): boolean {
  if (day === undefined) return false;
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
