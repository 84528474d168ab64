import { stat } from 'node:fs/promises';
import { localDays } from '../../calendar/buckets.ts';
import { type CommandIo, type ConfigOptions, EXIT_CONFIG, EXIT_FAILED, type ExitCode } from '../../cli/command-io.ts';
import { ConfigError } from '../../config/problem.ts';
import { givenStateDirectory } from '../../platform/files.ts';
import type { ServerConfig } from '../config.ts';
import { type Store, StoreError } from '../store/store.ts';
import { loadConfigOrDefaults, serviceEnvironment, storePathFor } from './config.ts';

/** What a command that was asked for something impossible says; one line for a person. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface StoreAtHand {
  readonly store: Store;
  readonly config: ServerConfig;
  /** Of the database file. */
  readonly path: string;
}

/**
 * Opens the store of the server that this config describes, beside that server, and closes it when the work is done. What goes
 * wrong with config, store or files is said in one line; `failed` is the exit code then.
 * @throws the signal's reason
 */
export async function withStore(
  options: ConfigOptions,
  io: CommandIo,
  work: (atHand: StoreAtHand) => Promise<ExitCode>,
  failed: ExitCode = EXIT_FAILED,
): Promise<ExitCode> {
  try {
    const { loaded } = await loadConfigOrDefaults(options, io);
    const path = storePathFor(loaded, options, io);
    const stateFolder = givenStateDirectory(serviceEnvironment(options, io));
    await mustExist(path, stateFolder, options.configPath);
    const { openSqliteStore } = await import('../store/sqlite/open-store.ts');
    const store = await openSqliteStore({
      path,
      clock: io.clock,
      openedBy: 'command',
      ...(stateFolder !== undefined && { stateFolder }),
    });
    try {
      return await work({ store, config: loaded.config, path });
    } finally {
      await store.close();
    }
  } catch (error) {
    io.signal.throwIfAborted();
    if (error instanceof ConfigError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT_CONFIG;
    }
    if (!(error instanceof StoreError || error instanceof CommandError || isFileError(error))) throw error;
    io.stderr.write(`${error.message}\n`);
    return failed;
  }
}

/** A command never makes a database: one that a wrong path brought about would be empty, and look like a record without holes. */
async function mustExist(path: string, stateFolder: string | undefined, configPath: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      const { lookBeforeOpening } = await import('../store/sqlite/place/look.ts');
      // Says so where there was one.
      lookBeforeOpening(path, stateFolder);
      throw new CommandError(
        `There is no store at ${path}: the server makes it at its first start, or ${configPath} (--config) names another place.`,
      );
    }
    const hint = code === 'EACCES' ? '; the readings are private to the server: use sudo' : '';
    throw new CommandError(`The store at ${path} cannot be reached (${code})${hint}.`);
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const DURATION = /^(\d+)([mhdw])$/;
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
/** The longest day of a zone, and its largest distance from UTC, fit in. */
const AROUND_MS = 172_800_000;

/**
 * Epoch ms of a time that a person typed: a day (its midnight in the house's time zone) or ISO 8601 with `Z` or an offset.
 * @throws CommandError that names the option
 */
export function parseTimeOption(option: string, text: string, timeZone: string): number {
  const ms = DAY.test(text) ? midnight(text, timeZone) : instant(text);
  if (ms === undefined) {
    throw new CommandError(
      `${option} must be a day such as 2026-01-31 or a time such as 2026-01-31T12:00:00+01:00, found ${JSON.stringify(text)}.`,
    );
  }
  return ms;
}

/** ms of `90d`, `12h`, `30m`, `2w`. @throws CommandError that names the option */
export function parseDurationOption(option: string, text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (!(ms > 0))
    throw new CommandError(`${option} must be a length such as 90d, 12h or 30m, found ${JSON.stringify(text)}.`);
  return ms;
}

/** `2026-01-31 12:00:05Z`, or a dash. */
export function shownTime(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? '-' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

export function isoOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

function midnight(day: string, timeZone: string): number | undefined {
  const utcMs = Date.parse(`${day}T00:00Z`);
  if (Number.isNaN(utcMs)) return undefined;
  return localDays(utcMs - AROUND_MS, utcMs + AROUND_MS, timeZone).find(({ name }) => name === day)?.fromMs;
}

function instant(text: string): number | undefined {
  const day = TIME.exec(text)?.[1];
  const ms = Date.parse(text);
  // Date.parse turns 30 February into 2 March.
  const dayMs = Date.parse(`${day ?? ''}T00:00Z`);
  const isDay = !Number.isNaN(dayMs) && new Date(dayMs).toISOString().slice(0, 10) === day;
  return isDay && !Number.isNaN(ms) ? ms : undefined;
}
