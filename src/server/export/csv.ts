import type { Reading } from '../http/schemas/readings.ts';

/** In this order; a column is never renamed or moved, new ones come last. */
const COLUMNS = [
  'ts',
  'device_id',
  'room_id',
  'temperature',
  'humidity',
  'epoch',
  'seq',
  'clock',
  'trigger',
] as const satisfies readonly (keyof Reading)[];

/** RFC 4180. */
const END_OF_LINE = '\r\n';

/** What spreadsheets take for the beginning of a formula (https://owasp.org/www-community/attacks/CSV_Injection). */
const FORMULA_START = /^[=+\-@\t\r]/;

export function csvHeader(): string {
  return COLUMNS.join(',') + END_OF_LINE;
}

export function csvRow(reading: Reading): string {
  return COLUMNS.map((column) => csvCell(reading[column])).join(',') + END_OF_LINE;
}

/**
 * One cell by RFC 4180; nothing is an empty cell. Numbers stay numbers. A text that a spreadsheet would carry out as a formula is
 * given an apostrophe in front, which spreadsheets do not show.
 */
export function csvCell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA_START.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
