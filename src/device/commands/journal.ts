import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError } from '../../common/config/config-problem.ts';
import { isDirectoryLocked } from '../journal/directory-lock.ts';
import { type InspectedEntry, inspectEntries, inspectJournals } from '../journal/inspect.ts';
import { JournalError } from '../journal/journal.ts';
import { createNodeJournalFs } from '../journal/journal-fs.ts';
import { type ConfigOptions, journalFolder, loadConfigOrDefaults } from './command-config.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from './command-io.ts';
import { CSV_HEADING, entryAsCsv, entryAsJson } from './journal-export.ts';
import { entryTable, reportLines } from './journal-tables.ts';

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
