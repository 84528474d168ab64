import { stat } from 'node:fs/promises';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, type ExitCode } from '../../common/command-io.ts';
import { ConfigError } from '../../common/config/config-problem.ts';
import type { ConfigOptions } from '../../common/config-options.ts';
import { givenStateDirectory } from '../../common/state-directory.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { type Store, StoreError } from '../store/store.ts';
import { loadConfigOrDefaults, serviceEnvironment, storePathFor } from './command-config.ts';

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
