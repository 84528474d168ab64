import { localIso } from '../time/local-iso.ts';
import type { Zone } from '../time/zone.ts';
import type { PlotData, PlotLine } from './plot-data.ts';

export interface CsvColumn {
  readonly name: string;
  readonly line: PlotLine;
}

/**
 * What the chart shows, as RFC 4180 text: UTC and local time, then mean, least and most of each source. Numbers with a point
 * whatever the reader's language, so that programs read them.
 */
export function toCsv({ times, spans }: PlotData, columns: readonly CsvColumn[], unit: string, zone: Zone): string {
  const head = [
    'from_utc',
    `from_local (${zone.name})`,
    ...columns.flatMap(({ name }) => [`${name} mean (${unit})`, `${name} min`, `${name} max`]),
  ];
  const rows = times.flatMap((_, index) => {
    const fromMs = spans[index]?.fromMs ?? 0;
    const values = columns.flatMap(({ line }) => [line.mean[index], line.least[index], line.most[index]]);
    if (values.every((value) => typeof value !== 'number')) return [];
    return [[new Date(fromMs).toISOString(), localIso(fromMs, zone), ...values.map(number)]];
  });
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function number(value: number | null | undefined): string {
  return typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : '';
}

/** A name that begins like a formula must not become one in a spreadsheet. */
function cell(text: string): string {
  const harmless = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
