import {
  type CommandIo,
  type ConfigOptions,
  EXIT_CONFIG,
  EXIT_FAILED,
  EXIT_OK,
  type ExitCode,
} from '../../cli/command-io.ts';
import { ConfigError } from '../../config/problem.ts';
import { givenStateDirectory } from '../../platform/files.ts';
import type { RecordSite } from '../store/sqlite/place/new-record.ts';
import { StoreError } from '../store/store.ts';
import { loadConfigOrDefaults, serviceEnvironment, storePathFor } from './config.ts';

export interface InitOptions extends ConfigOptions {
  /** Sets aside what lies there, and begins a new record. */
  readonly newRecord: boolean;
  /** The database that lies there is the record from now on. */
  readonly accept: boolean;
  /** A copy of the record that is to be put there. */
  readonly from?: string;
}

/**
 * Decides what is the record, where the server may not: after a loss, or to put a backup back. Deletes nothing, and works only
 * while no server uses the record.
 *
 * Exit code: 0 done, 1 not done (nothing was changed, or what was is said), 78 the config cannot be used.
 */
export async function runInit(options: InitOptions, io: CommandIo): Promise<ExitCode> {
  try {
    const { loaded } = await loadConfigOrDefaults(options, io);
    const path = storePathFor(loaded, options, io);
    const site = { path, stateFolder: givenStateDirectory(serviceEnvironment(options, io)), clock: io.clock };
    const { lockRecord } = await import('../store/sqlite/place/record-lock.ts');
    const lock = await lockRecord(path);
    try {
      return await decide(options, site, io);
    } finally {
      lock.release();
    }
  } catch (error) {
    io.signal.throwIfAborted();
    if (error instanceof ConfigError) {
      io.stderr.write(`${error.message}\n`);
      return EXIT_CONFIG;
    }
    if (!(error instanceof StoreError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_FAILED;
  }
}

async function decide({ newRecord, accept, from }: InitOptions, site: RecordSite, io: CommandIo): Promise<ExitCode> {
  const { acceptRecord, beginNewRecord, takeFrom } = await import('../store/sqlite/place/new-record.ts');
  if (!newRecord && !accept && from === undefined) {
    const { lookBeforeOpening } = await import('../store/sqlite/place/look.ts');
    if (lookBeforeOpening(site.path, site.stateFolder).state === 'present') {
      io.stdout.write(`The record ${site.path} is there; nothing was changed.\n`);
      return EXIT_OK;
    }
  }
  const { record, setAside, isOlder } =
    from !== undefined ? await takeFrom(site, from) : accept ? await acceptRecord(site) : await beginNewRecord(site);
  for (const { from: old, to } of setAside) io.stdout.write(`Set aside: ${old} is ${to} now.\n`);
  io.stdout.write(
    `The record is ${site.path} (identity ${record.id}, made ${new Date(record.createdMs).toISOString()}).\n`,
  );
  if (isOlder) {
    io.stdout.write(
      'It may be older than the newest receipts that devices have, so it has a new identity: devices give again the readings ' +
        'that they still have. "techtemp-server verify" shows what is missing, and what cannot be known.\n',
    );
  }
  io.stdout.write('Start the server now.\n');
  return EXIT_OK;
}
