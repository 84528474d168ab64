import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type CommandIo,
  type ConfigOptions,
  EXIT_CONFIG,
  EXIT_FAILED,
  EXIT_OK,
  type ExitCode,
} from '../../cli/command-io.ts';
import { printListing, tableOf } from '../../cli/listing.ts';
import { ConfigError } from '../../config/problem.ts';
import { givenStateDirectory } from '../../platform/files.ts';
import { runAfterCommand } from '../backup/after-command.ts';
import { type Backup, BackupError, listBackups, manifestPathOf, removeBackup } from '../backup/backup-folder.ts';
import { backupFolder } from '../backup/backup-schedule.ts';
import { noteBackupState, readBackupState } from '../backup/backup-state.ts';
import { backupsToRemove } from '../backup/keep-plan.ts';
import { makeBackup, missingDisk, proveBackup } from '../backup/make-backup.ts';
import { removeScratch, unpackBackup } from '../backup/restore.ts';
import type { ServerConfig } from '../config.ts';
import { StoreError } from '../store/store.ts';
import { shownTime } from './command-store.ts';
import { loadConfigOrDefaults, serviceEnvironment, storePathFor } from './config.ts';

export interface BackupOptions extends ConfigOptions {
  /** Absent: the folder of the config. */
  readonly to?: string;
  /** Begin in a folder that held backups before and holds none now. */
  readonly newFolder: boolean;
}

/** Where the record and its backups are. */
interface BackupPlace {
  readonly config: ServerConfig;
  readonly recordPath: string;
  readonly stateFolder: string | undefined;
  readonly folder: string;
  readonly isDefault: boolean;
}

/** `backup`: makes one now, clears away old ones, and runs the owner's command. Exit code: 0 done, 1 not, 78 the config cannot be used. */
export async function runBackup(options: BackupOptions, io: CommandIo): Promise<ExitCode> {
  return await withBackups(options, io, async (place) => {
    const { config, recordPath, folder, isDefault } = place;
    const tried = new Date(io.clock.nowMs()).toISOString();
    try {
      const { newest } = await readBackupState(recordPath);
      const odd = options.newFolder ? undefined : await missingDisk(folder, newest ?? undefined).catch(() => undefined);
      if (odd !== undefined) throw new BackupError(odd);
      const backup = await makeBackup({
        ...place,
        mayMakeFolder: isDefault,
        nowMs: io.clock.nowMs(),
        program: process.env['TECHTEMP_VERSION'] ?? 'development',
        signal: io.signal,
        onStep: (text) => io.stderr.write(`${text}\n`),
      });
      await noteBackupState(recordPath, { tried, problem: null, newest: backup.path });
      io.stdout.write(`${inWords(backup)}\n`);
      await removeOld(place, io);
      return await runAfter(config.backup.after, backup, place, io);
    } catch (error) {
      if (io.signal.aborted || !isForPeople(error)) throw error;
      await noteBackupState(recordPath, { tried, problem: error.message }).catch(() => undefined);
      throw error;
    }
  });
}

/** Only after a backup that was read back: what goes cannot come back. */
async function removeOld({ config, folder }: BackupPlace, io: CommandIo): Promise<void> {
  const { keepDaily: daily, keepWeekly: weekly, keepMonthly: monthly } = config.backup;
  const { backups } = await listBackups(folder);
  for (const old of backupsToRemove(backups, { daily, weekly, monthly }, config.house.timeZone)) {
    io.signal.throwIfAborted();
    await removeBackup(old);
    io.stderr.write(`removed the old backup ${old.path}\n`);
  }
}

async function runAfter(
  command: string,
  backup: Backup,
  { recordPath }: BackupPlace,
  io: CommandIo,
): Promise<ExitCode> {
  if (command === '') {
    await noteBackupState(recordPath, { afterProblem: null });
    return EXIT_OK;
  }
  io.stderr.write('running the command of [backup] after\n');
  const problem = await runAfterCommand(
    command,
    { file: backup.path, manifest: manifestPathOf(backup.path) },
    io.signal,
  );
  await noteBackupState(recordPath, { afterProblem: problem ?? null });
  if (problem === undefined) return EXIT_OK;
  io.stderr.write(`The backup is there, but the command of [backup] after failed: ${problem}\n`);
  return EXIT_FAILED;
}

export interface BackupsOptions extends ConfigOptions {
  readonly to?: string;
  readonly json: boolean;
  /** Read each backup and compare it with its manifest. */
  readonly verify: boolean;
}

/** `backups` and `backups verify`. Exit code: 0, 1 where one is not usable (or, with verify, none is there), 78. */
export async function runBackups(options: BackupsOptions, io: CommandIo): Promise<ExitCode> {
  return await withBackups(options, io, async ({ folder }) => {
    const { backups, unusable } = await listBackups(folder).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { backups: [], unusable: [] };
      throw error;
    });
    const found: { readonly backup: Backup; readonly problem: string | undefined }[] = [];
    for (const backup of backups) {
      io.signal.throwIfAborted();
      if (options.verify) io.stderr.write(`reading ${backup.path}\n`);
      found.push({ backup, problem: options.verify ? await proveBackup(backup, io.signal) : undefined });
    }
    const rows = found.map(({ backup: { path, madeMs, manifest }, problem }) => [
      shownTime(madeMs),
      inMb(manifest.bytes),
      String(manifest.tables['readings'] ?? 0),
      manifest.readings === null ? '' : shownTime(Date.parse(manifest.readings.to)),
      manifest.verdict.outcome,
      problem === undefined ? (options.verify ? 'proved' : '') : `NOT USABLE: ${problem}`,
      path,
    ]);
    const lines = [
      ...tableOf(['made', 'MB', 'readings', 'newest reading', 'verdict', '', 'file'], rows),
      ...unusable.map(({ name, why }) => `${name}: ${why}`),
    ];
    const record = {
      folder,
      backups: found.map(({ backup: { path, manifest }, problem }) => ({
        path,
        ...manifest,
        ...(options.verify && { proved: problem === undefined, problem: problem ?? null }),
      })),
      unusable,
    };
    printListing(io, options, { record, lines, empty: `There is no backup in ${folder}.` });
    const isBad = unusable.length > 0 || found.some(({ problem }) => problem !== undefined);
    return isBad || (options.verify && found.length === 0) ? EXIT_FAILED : EXIT_OK;
  });
}

export interface RestoreOptions extends ConfigOptions {
  /** Absent, with `test`: the newest backup. */
  readonly file?: string;
  /** Unpack and examine it, and leave the record as it is. */
  readonly test: boolean;
}

/**
 * `restore FILE`: proves the backup first, then makes it the record, while no server runs; what lay there is set aside. `restore --test`
 * only proves it. Exit code: 0 done, 1 not (nothing was changed, or what was is said), 78.
 */
export async function runRestore(options: RestoreOptions, io: CommandIo): Promise<ExitCode> {
  return await withBackups(options, io, async (place) => {
    const { recordPath, stateFolder } = place;
    const file = options.file === undefined ? await newestOf(place) : named(options.file, place);
    const scratch = `${recordPath}.${options.test ? 'test' : 'restore'}.tmp`;
    if (!options.test) {
      const { lockRecord } = await import('../store/sqlite/place/record-lock.ts');
      const lock = await lockRecord(recordPath);
      try {
        const { facts } = await unpack(file, scratch, io);
        const { takeScratch } = await import('../store/sqlite/place/new-record.ts');
        const { record, setAside } = await takeScratch({ path: recordPath, stateFolder, clock: io.clock }, scratch);
        for (const { from, to } of setAside) io.stdout.write(`Set aside: ${from} is ${to} now.\n`);
        io.stdout.write(
          `The record is ${recordPath} again, as it was when the backup was made (identity ${record.id}). ${heldIn(facts)}\n` +
            'Start the server now: devices give again what they still have. "techtemp-server verify" shows what is missing.\n',
        );
        return EXIT_OK;
      } finally {
        lock.release();
      }
    }
    const tested = new Date(io.clock.nowMs()).toISOString();
    try {
      const { facts, manifest } = await unpack(file, scratch, io);
      await removeScratch(scratch);
      await noteBackupState(recordPath, { tested, testProblem: null });
      const compared =
        manifest === undefined ? 'there is no manifest to compare it with' : 'it agrees with its manifest';
      io.stdout.write(`${file} can be restored: every page is right, and ${compared}. ${heldIn(facts)}\n`);
      return EXIT_OK;
    } catch (error) {
      if (io.signal.aborted || !isForPeople(error)) throw error;
      await noteBackupState(recordPath, { tested, testProblem: error.message }).catch(() => undefined);
      throw error;
    }
  });
}

async function unpack(file: string, scratch: string, io: CommandIo): ReturnType<typeof unpackBackup> {
  const onStep = (text: string): void => void io.stderr.write(`${text}\n`);
  return await unpackBackup(file, scratch, { nowMs: io.clock.nowMs(), signal: io.signal, onStep });
}

/** A name without a folder is one from the list, unless there is such a file here. */
function named(file: string, { folder }: BackupPlace): string {
  return file.includes('/') || existsSync(file) ? file : join(folder, file);
}

async function newestOf({ folder }: BackupPlace): Promise<string> {
  const [newest] = (await listBackups(folder)).backups;
  if (newest === undefined) throw new BackupError(`There is no backup in ${folder}.`);
  return newest.path;
}

/** The place, for the work; what goes wrong is said in one line. @throws the signal's reason */
async function withBackups(
  options: ConfigOptions & { readonly to?: string },
  io: CommandIo,
  work: (place: BackupPlace) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    const { loaded } = await loadConfigOrDefaults(options, io);
    const recordPath = resolve(storePathFor(loaded, options, io));
    const stateFolder = givenStateDirectory(serviceEnvironment(options, io));
    const named = options.to ?? loaded.config.backup.folder;
    const folder = backupFolder({ folder: named }, recordPath);
    return await work({ config: loaded.config, recordPath, stateFolder, folder, isDefault: named === '' });
  } catch (error) {
    io.signal.throwIfAborted();
    if (error instanceof ConfigError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT_CONFIG;
    }
    if (!isForPeople(error)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_FAILED;
  }
}

function isForPeople(error: unknown): error is Error {
  return (
    error instanceof BackupError ||
    error instanceof StoreError ||
    (error as NodeJS.ErrnoException).syscall !== undefined
  );
}

function inWords({ path, manifest }: Backup): string {
  const { verdict, readings } = manifest;
  const newest = readings === null ? '' : `, the newest of ${shownTime(Date.parse(readings.to))}`;
  return `${path}: ${inMb(manifest.bytes)} MB, ${manifest.tables['readings'] ?? 0} readings${newest}; the verdict about the copy is "${verdict.outcome}".`;
}

function heldIn({ tables, readings, verdict }: Awaited<ReturnType<typeof unpackBackup>>['facts']): string {
  const newest = readings === null ? '' : `, the newest of ${shownTime(readings.toMs)}`;
  return `It holds ${tables['readings'] ?? 0} readings of ${tables['devices'] ?? 0} devices${newest}; the verdict is "${verdict.outcome}".`;
}

function inMb(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
