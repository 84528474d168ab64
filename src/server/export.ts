import { csvLine } from '../contract/csv.ts';
import type { Reading } from './http/schemas/readings.ts';
import type { ReadingQuery, ReadingScope, ReadingStore } from './store/store.ts';
import type { StoredReading } from './store/stored.ts';

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

export function csvHeader(): string {
  return csvLine(COLUMNS);
}

export function csvRow(reading: Reading): string {
  return csvLine(COLUMNS.map((column) => reading[column]));
}

/** A reading as the API, the live feed and exported files give it. */
export function toReadingRecord(stored: StoredReading): Reading {
  return {
    device_id: stored.deviceUid,
    room_id: stored.roomUid,
    ts: new Date(stored.tsMs).toISOString(),
    temperature: stored.temperatureCelsius,
    humidity: stored.humidityPercent,
    epoch: stored.epoch,
    seq: stored.seq,
    ...(stored.isUnsynced && { clock: 'unsynced' as const }),
    ...(stored.isOnDemand && { trigger: 'command' as const }),
  };
}

export type ExportFormat = 'csv' | 'jsonl';

/** What an exported file holds: all readings of the scope from `fromMs` (included) to `toMs` (not), oldest first. */
export type ExportQuery = Pick<ReadingQuery, 'scope' | 'fromMs' | 'toMs'>;

/** Readings a page: some 100 KB of text, written in a few milliseconds. */
const PAGE_READINGS = 1_000;

/**
 * The text of an exported file, in pieces of one page of the store each. A piece is read when it is asked for, so the whole takes
 * the memory of one, and leaving the loop reads no further. @throws StoreError
 */
export async function* exportReadings(
  store: Pick<ReadingStore, 'readings'>,
  query: ExportQuery,
  format: ExportFormat,
): AsyncGenerator<string, void> {
  const write = WRITERS[format];
  let header = format === 'csv' ? csvHeader() : '';
  let after: string | undefined;
  do {
    const page = await store.readings({
      ...query,
      order: 'oldest-first',
      limit: PAGE_READINGS,
      ...(after !== undefined && { after }),
    });
    const rows = page.readings.map((reading) => write(toReadingRecord(reading))).join('');
    if (header !== '' || rows !== '') yield header + rows;
    header = '';
    after = page.next;
  } while (after !== undefined);
}

/** `techtemp-salon-2026-01-01-2026-02-01.csv`; letters that any file system takes. */
export function exportFileName({ scope, fromMs, toMs }: ExportQuery, format: ExportFormat): string {
  const from = fromMs > 0 ? dayOf(fromMs) : 'until';
  return `techtemp-${scopeName(scope)}-${from}-${dayOf(toMs)}.${format}`;
}

const WRITERS = {
  csv: csvRow,
  jsonl: (record: ReturnType<typeof toReadingRecord>) => `${JSON.stringify(record)}\n`,
} satisfies Record<ExportFormat, unknown>;

function scopeName(scope: ReadingScope): string {
  if (scope === 'all') return 'all';
  return 'deviceUid' in scope ? scope.deviceUid : scope.roomUid;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
