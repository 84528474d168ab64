import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { textTable } from '../../cli/listing.ts';
import { ConfigError } from '../../config/problem.ts';
import { lossInWords } from '../doctor/examinations/journal.ts';
import { isDirectoryLocked } from '../journal/directory-lock.ts';
import { type InspectedEntry, inspectEntries, inspectJournals, type JournalReport } from '../journal/inspect.ts';
import { type GapEntry, JournalError, type ReadingEntry } from '../journal/journal.ts';
import { createNodeJournalFs } from '../journal/journal-fs.ts';
import { encodeEntry } from '../publisher/entry-message.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from './command-io.ts';
import { type ConfigOptions, journalFolder, loadConfigOrDefaults } from './config.ts';

const BYTES_PER_KB = 1024;

/** The epochs as an aligned table, what is wrong with them below, and a line with the sums. */
export function reportLines(folder: string, reports: readonly JournalReport[], isInUse: boolean): string {
  if (reports.length === 0) return `no journal under ${folder} yet\n`;
  const rows = reports.map((report) => [
    report.deviceUid,
    report.epoch,
    // Released segments are removed, so the first number that lies here is not 1 for ever.
    report.lastSeq === 0 ? 'none yet' : `up to ${report.lastSeq}`,
    String(report.unreleased),
    String(report.pending),
    String(report.unreleased - report.unreleasedReadings),
    kilobytes(report.bytesOnDisk),
  ]);
  const heading = ['device', 'epoch', 'numbers', 'unreleased', 'no time yet', 'gap records', 'on disk'];
  const sum = (count: (report: JournalReport) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const total = `${sum(({ unreleased }) => unreleased)} unreleased, ${kilobytes(sum(({ bytesOnDisk }) => bytesOnDisk))} on disk`;
  return [
    `${folder} (${isInUse ? 'an agent is writing to it' : 'no agent is writing to it'})`,
    ...textTable([heading, ...rows]),
    ...reports.flatMap(remarks),
    total,
    '',
  ].join('\n');
}

/** The entries as an aligned table. */
export function entryTable(entries: readonly InspectedEntry[]): string {
  const rows = entries.map(({ deviceUid, epoch, entry, released }) => [
    new Date(entry.kind === 'gap' ? entry.tsMs : entry.stamp.tsMs).toISOString(),
    deviceUid,
    epoch,
    String(entry.seq),
    entry.kind === 'gap' ? gapInWords(entry) : readingInWords(entry),
    released ? 'released' : 'waits',
  ]);
  return `${textTable([['time (UTC)', 'device', 'epoch', 'number', 'what', 'delivery'], ...rows]).join('\n')}\n`;
}

function remarks({ epoch, newerVersion, losses, uncertain }: JournalReport): readonly string[] {
  return [
    ...(newerVersion ? [`${epoch}: written by a newer version of this program; kept, not delivered`] : []),
    ...losses.map((gap) => `${epoch}: ${lossInWords(gap)} (${gap.reason}); the agent will report it`),
    ...(uncertain === undefined ? [] : [`${epoch}: closed for writing: ${uncertain}`]),
  ];
}

function readingInWords({ temperatureCelsius, humidityPercent, stamp }: ReadingEntry): string {
  const words = { synced: '', unsynced: ', clock unsynced', pending: ', time not final yet' };
  return `${temperatureCelsius.toFixed(2)} °C, ${humidityPercent.toFixed(2)} %RH${words[stamp.state]}`;
}

function gapInWords({ gap }: GapEntry): string {
  return `gap: of ${gap.ofEpoch}, ${lossInWords(gap)} (${gap.reason})`;
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / BYTES_PER_KB)} KB`;
}

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
  const isPending = entry.kind === 'reading' && entry.stamp.state === 'pending';
  const fields = JSON.parse(encodeEntry(epoch, entry)) as object;
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

export interface JournalListOptions extends ConfigOptions {
  readonly json: boolean;
}

export interface JournalShowOptions extends ConfigOptions {
  /** How many of the newest entries. */
  readonly last: number;
}

export interface JournalExportOptions extends ConfigOptions {
  readonly format: 'csv' | 'jsonl';
  /** Absent: standard output. */
  readonly output?: string;
  /** `unreleased`: only what waits for delivery; `all`: also what is stored elsewhere and still lies here. */
  readonly selection: 'all' | 'unreleased';
}

/** Lines are written in pieces of this size: a system call for each would be most of the work. */
const CHUNK_CHARACTERS = 65_536;

/** Prints what lies in the journal: each epoch with its numbers, what waits, what is gone. Changes nothing, takes no lock. */
export async function runJournalList(options: JournalListOptions, io: CommandIo): Promise<ExitCode> {
  return await withJournal(options, io, async (folder) => {
    const reports = await inspectJournals(folder, createNodeJournalFs());
    const isInUse = reports.length > 0 && (await isDirectoryLocked(folder));
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ path: folder, in_use: isInUse, journals: reports }, undefined, 2)}\n`
        : reportLines(folder, reports, isInUse),
    );
  });
}

/** Prints the newest entries, oldest of them first. */
export async function runJournalShow(options: JournalShowOptions, io: CommandIo): Promise<ExitCode> {
  return await withJournal(options, io, async (folder) => {
    const newest: InspectedEntry[] = [];
    for await (const entry of inspectEntries(folder, createNodeJournalFs())) {
      io.signal.throwIfAborted();
      newest.push(entry);
      if (newest.length > options.last) newest.shift();
    }
    io.stdout.write(newest.length === 0 ? `no entry under ${folder}\n` : entryTable(newest));
  });
}

/** Writes the entries as CSV or JSON Lines, oldest first, one by one: the journal may be larger than the memory. */
export async function runJournalExport(options: JournalExportOptions, io: CommandIo): Promise<ExitCode> {
  const { format, output, selection } = options;
  let count = 0;
  async function* lines(folder: string): AsyncGenerator<string> {
    if (format === 'csv') yield CSV_HEADING;
    for await (const entry of inspectEntries(folder, createNodeJournalFs())) {
      if (selection === 'unreleased' && entry.released) continue;
      count += 1;
      yield format === 'csv' ? entryAsCsv(entry) : entryAsJson(entry);
    }
  }
  return await withJournal(options, io, async (folder) => {
    const text = Readable.from(chunked(lines(folder)));
    if (output === undefined) {
      for await (const chunk of text) {
        io.signal.throwIfAborted();
        io.stdout.write(chunk as string);
      }
      return;
    }
    await pipeline(text, createWriteStream(output, { mode: 0o640 }), { signal: io.signal });
    io.stderr.write(`${count} entries written to ${output}\n`);
  });
}

/** What goes wrong with config, journal or output file is said in one line. */
async function withJournal(
  options: ConfigOptions,
  io: CommandIo,
  work: (folder: string) => Promise<void>,
): Promise<ExitCode> {
  try {
    const { loaded } = await loadConfigOrDefaults(options, io);
    await work(journalFolder(loaded, options, io));
    return EXIT_OK;
  } catch (error) {
    io.signal.throwIfAborted();
    if (!(error instanceof ConfigError || error instanceof JournalError || isFileError(error))) throw error;
    const hint = isForbidden(error) ? '\nThe journal is private to the agent: sudo techtemp-device journal' : '';
    io.stderr.write(`${error.message}${hint}\n`);
    return error instanceof ConfigError ? EXIT_CONFIG : EXIT_FAILED;
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function isForbidden(error: Error): boolean {
  const { cause } = error;
  return error instanceof JournalError && cause instanceof Error && 'code' in cause && cause.code === 'EACCES';
}

async function* chunked(lines: AsyncGenerator<string>): AsyncGenerator<string> {
  let chunk = '';
  for await (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}
