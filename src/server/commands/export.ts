import { EventEmitter, once } from 'node:events';
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CommandIo, type ConfigOptions, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';
import { syncDirectory } from '../../platform/files.ts';
import { type ExportFormat, exportReadings } from '../export.ts';
import type { ReadingScope, Store } from '../store/store.ts';
import { CommandError, parseTimeOption, withStore } from './command-store.ts';

export interface ExportOptions extends ConfigOptions {
  readonly format: ExportFormat;
  readonly device?: string;
  readonly room?: string;
  /** Included. Absent: from the beginning. */
  readonly from?: string;
  /** Not included. Absent: now. */
  readonly to?: string;
  /** Absent: standard output. */
  readonly output?: string;
}

/** Readings are private to those who may read the store. */
const FILE_MODE = 0o640;

/**
 * Writes readings as CSV or JSON Lines, oldest first, in constant memory. A file appears under its name when it is whole and on
 * disk, never before.
 */
export async function runExport(options: ExportOptions, io: CommandIo): Promise<ExitCode> {
  return await withStore(options, io, async ({ store, config }) => {
    const scope = await scopeOf(store, options);
    const { timeZone } = config.house;
    const fromMs = options.from === undefined ? 0 : parseTimeOption('--from', options.from, timeZone);
    const toMs = options.to === undefined ? io.clock.nowMs() : parseTimeOption('--to', options.to, timeZone);
    if (fromMs > toMs) throw new CommandError(`--from ${options.from ?? ''} is after --to ${options.to ?? '(now)'}.`);
    const pieces = exportReadings(store, { scope, fromMs, toMs }, options.format);
    if (options.output === undefined) await writeOut(pieces, io);
    else await writeFile(options.output, pieces, io);
    return EXIT_OK;
  });
}

async function scopeOf(store: Store, { device, room }: ExportOptions): Promise<ReadingScope> {
  if (device !== undefined && (await store.device(device)) === undefined) {
    throw new CommandError(`There is no device ${device}; techtemp-server devices lists them.`);
  }
  if (room !== undefined && (await store.room(room)) === undefined) {
    const rooms = (await store.rooms()).map(({ uid }) => uid).join(', ');
    throw new CommandError(`There is no room ${room}; there are: ${rooms === '' ? 'none' : rooms}.`);
  }
  if (device !== undefined) return { deviceUid: device };
  return room === undefined ? 'all' : { roomUid: room };
}

/** Waits for the program that reads the pipe: a slow reader must not make us hold the whole record. */
async function writeOut(pieces: AsyncIterable<string>, { stdout, signal }: CommandIo): Promise<void> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    if (stdout.write(piece) === false && stdout instanceof EventEmitter) await once(stdout, 'drain', { signal });
  }
}

async function writeFile(path: string, pieces: AsyncIterable<string>, { stderr, signal }: CommandIo): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'wx', FILE_MODE);
  let bytes = 0;
  try {
    try {
      for await (const piece of pieces) {
        signal.throwIfAborted();
        bytes += (await file.write(piece)).bytesWritten;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
  stderr.write(`${bytes} bytes written to ${path}\n`);
}
