import { encodeGapRecord, encodeReading } from '../../contract/reading.ts';
import type { InspectedEntry } from '../journal/inspect.ts';

/** Columns of the CSV export. Times are ISO 8601 UTC and epoch milliseconds; the last five belong to gap records. */
const CSV_COLUMNS = [
  'device_uid',
  'epoch',
  'seq',
  'kind',
  'time',
  'ts',
  'clock',
  'temperature_c',
  'humidity_pct',
  'trigger',
  'released',
  'gap_epoch',
  'gap_from',
  'gap_to',
  'gap_count',
  'gap_reason',
] as const;
type CsvRow = Partial<Record<(typeof CSV_COLUMNS)[number], string | number | boolean>>;

export const CSV_HEADING = CSV_COLUMNS.join(',');

/** One entry as a line of CSV. No cell needs quotes: ids, numbers and words of ours only. */
export function entryAsCsv(inspected: InspectedEntry): string {
  const row = csvRow(inspected);
  return CSV_COLUMNS.map((column) => row[column] ?? '').join(',');
}

/** One entry as on the wire, with its device and whether it is released; a time that is not final is marked. */
export function entryAsJson({ deviceUid, epoch, entry, released }: InspectedEntry): string {
  const wire =
    entry.kind === 'gap'
      ? encodeGapRecord({ gap: entry.gap, tsMs: entry.tsMs, epoch, seq: entry.seq })
      : encodeReading({
          temperatureCelsius: entry.temperatureCelsius,
          humidityPercent: entry.humidityPercent,
          tsMs: entry.stamp.tsMs,
          epoch,
          seq: entry.seq,
          ...(entry.stamp.state === 'unsynced' && { clock: 'unsynced' }),
          ...(entry.trigger !== undefined && { trigger: entry.trigger }),
        });
  const isPending = entry.kind === 'reading' && entry.stamp.state === 'pending';
  const fields = JSON.parse(wire) as object;
  return JSON.stringify({ device_uid: deviceUid, ...fields, ...(isPending && { clock: 'pending' }), released });
}

function csvRow({ deviceUid, epoch, entry, released }: InspectedEntry): CsvRow {
  const tsMs = entry.kind === 'gap' ? entry.tsMs : entry.stamp.tsMs;
  const common = {
    device_uid: deviceUid,
    epoch,
    seq: entry.seq,
    kind: entry.kind,
    time: new Date(tsMs).toISOString(),
    ts: tsMs,
    released,
  };
  if (entry.kind === 'reading') {
    return {
      ...common,
      clock: entry.stamp.state,
      temperature_c: entry.temperatureCelsius.toFixed(2),
      humidity_pct: entry.humidityPercent.toFixed(2),
      ...(entry.trigger !== undefined && { trigger: entry.trigger }),
    };
  }
  const { ofEpoch, from, to, count, reason } = entry.gap;
  return {
    ...common,
    gap_epoch: ofEpoch,
    gap_from: from,
    ...(to !== undefined && { gap_to: to }),
    ...(count !== undefined && { gap_count: count }),
    gap_reason: reason,
  };
}
