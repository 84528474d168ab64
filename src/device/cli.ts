import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  withConfigOptions as addConfigOptions,
  configOptions,
  EXIT_USAGE,
  type GivenOptions,
} from '../cli/command-io.ts';
import { createSystemClock, systemRandom } from '../platform/clock.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import type { CommandIo, ExitCode } from './commands/command-io.ts';
import { DEFAULT_CONFIG_PATH } from './commands/config.ts';

/** What the command line came to. */
export interface CommandLineEnd {
  readonly exitCode: number;
  /** Whether a transfer hangs in the kernel: then the process can't end in the ordinary way. */
  readonly hangs: boolean;
}

/** Runs `techtemp-device ARGUMENTS`. Each command loads what it needs when it is called. */
export async function runCommandLine(arguments_: readonly string[], signals: ProcessSignals): Promise<CommandLineEnd> {
  const end = { exitCode: 0, hangs: false };
  const finish = (exitCode: number): void => void (end.exitCode = exitCode);
  const io: CommandIo = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: createSystemClock(),
    random: systemRandom,
    signal: signals.stop,
    onHungTransfer: () => void (end.hangs = true),
  };
  const program = new Command('techtemp-device')
    .description('records temperature and humidity from an AHT20 and never loses a reading')
    .version(process.env['TECHTEMP_VERSION'] ?? 'development')
    .showHelpAfterError()
    .exitOverride();
  withConfigOptions(program.command('run'))
    .description('measure, keep, deliver: what the service runs')
    .action(async (given: GivenOptions) => {
      const { runDevice } = await import('./commands/run.ts');
      const { exitCode, hungTransfers } = await runDevice({ ...configOptions(given), env: process.env }, signals);
      finish(exitCode);
      if (hungTransfers > 0) io.onHungTransfer();
    });
  for (const register of [registerRead, registerCheck, registerJournal, registerServers, registerConfig])
    register(program, { io, finish });

  try {
    await program.parseAsync(arguments_, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : EXIT_USAGE, hangs: false };
    if (!signals.stop.aborted) throw error;
    finish(1);
  }
  return end;
}

/** What a registered command works with. */
export interface CommandContext {
  readonly io: CommandIo;
  /** Told how the command ended. */
  readonly finish: (exitCode: ExitCode) => void;
}

const MIN_INTERVAL_SECONDS = 0.1;
/** Two seconds: read more often, the sensor warms itself (see the driver's sources). */
const DEFAULT_INTERVAL_SECONDS = 2;
const MS_PER_SECOND = 1000;
const DEFAULT_LAST = 20;

/** `check`: the doctor. What a command needs is loaded when it is called, and not before. */
export function registerCheck(program: Command, { io, finish }: CommandContext): void {
  withConfigOptions(program.command('check'))
    .description('examine sensor, broker, disk, clock and service; say cause and remedy of what is wrong')
    .option('--json', 'print the findings as JSON', false)
    .addHelpText('after', '\nExit code: 0 nothing failed, 1 something did, 78 the config cannot be used.')
    .action(async (given: GivenOptions & { readonly json: boolean }) => {
      const { runCheck } = await import('./commands/check.ts');
      finish(await runCheck({ ...configOptions(given), json: given.json }, io));
    });
}

/** `read`: measures once, or a few times. */
export function registerRead(program: Command, { io, finish }: CommandContext): void {
  withConfigOptions(program.command('read'))
    .description('measure once with the sensor of the config, also beside a running agent')
    .option('--json', 'print one JSON object a measurement', false)
    .option('-n, --count <number>', 'how many measurements', parseCount, 1)
    .option('-i, --interval <seconds>', 'time between two measurements', parseInterval, DEFAULT_INTERVAL_SECONDS)
    .option('--simulate', 'invented values instead of the sensor', false)
    .addHelpText('after', '\nExit code: 0 all measurements succeeded, 1 one failed, 78 the config cannot be used.')
    .action(async (given: GivenOptions & GivenReadOptions) => {
      const { runRead } = await import('./commands/read.ts');
      const { json, count, interval, simulate } = given;
      const intervalMs = interval * MS_PER_SECOND;
      finish(await runRead({ ...configOptions(given), json, count, intervalMs, simulate }, io));
    });
}

/** `journal`: what lies in the buffer. */
export function registerJournal(program: Command, { io, finish }: CommandContext): void {
  const journal = program
    .command('journal')
    .description('look into the journal without changing it, also beside a running agent');
  withConfigOptions(journal.command('list', { isDefault: true }))
    .description('each epoch: numbers, what waits for delivery, what is gone')
    .option('--json', 'print it as JSON', false)
    .action(async (given: GivenOptions & { readonly json: boolean }) => {
      const { runJournalList } = await import('./commands/journal.ts');
      finish(await runJournalList({ ...configOptions(given), json: given.json }, io));
    });
  withConfigOptions(journal.command('show'))
    .description('the newest entries')
    .option('-n, --last <number>', 'how many', parseCount, DEFAULT_LAST)
    .action(async (given: GivenOptions & { readonly last: number }) => {
      const { runJournalShow } = await import('./commands/journal.ts');
      finish(await runJournalShow({ ...configOptions(given), last: given.last }, io));
    });
  withConfigOptions(journal.command('export'))
    .description('write the entries as CSV or JSON Lines, oldest first')
    .addOption(new Option('-f, --format <format>', 'csv or jsonl').choices(['csv', 'jsonl']).default('csv'))
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .addOption(new Option('--all', 'also what is released and still lies there (the default)').conflicts('unreleased'))
    .option('--unreleased', 'only what waits for delivery', false)
    .action(async (given: GivenOptions & GivenExportOptions) => {
      const { runJournalExport } = await import('./commands/journal.ts');
      const { format, output, unreleased } = given;
      const selection = unreleased ? 'unreleased' : 'all';
      const options = { ...configOptions(given), format, selection, ...(output !== undefined && { output }) } as const;
      finish(await runJournalExport(options, io));
    });
}

/** `servers`: whose receipts the agent waits for. */
export function registerServers(program: Command, { io, finish }: CommandContext): void {
  const servers = program.command('servers').description('the servers whose receipts the agent waits for');
  withConfigOptions(servers.command('list', { isDefault: true }))
    .description('each server: when it was last online, whether it gave receipts, its record')
    .option('--json', 'print it as JSON', false)
    .action(async (given: GivenOptions & { readonly json: boolean }) => {
      const { runServersList } = await import('./commands/servers.ts');
      finish(await runServersList({ ...configOptions(given), json: given.json }, io));
    });
  withConfigOptions(servers.command('forget <name>'))
    .description('wait no longer for receipts of this server; also beside a running agent')
    .action(async (name: string, given: GivenOptions) => {
      const { runServersForget } = await import('./commands/servers.ts');
      finish(await runServersForget({ ...configOptions(given), name }, io));
    });
}

/** `config`: what is in force and where it comes from. */
export function registerConfig(program: Command, { io, finish }: CommandContext): void {
  withConfigOptions(program.command('config'))
    .description('print the effective config and where each value comes from; secrets are masked')
    .option('--defaults', 'print the annotated default file instead', false)
    .action(async (given: GivenOptions & { readonly defaults: boolean }) => {
      const { runConfig } = await import('./commands/config.ts');
      finish(await runConfig({ ...configOptions(given), defaults: given.defaults }, io));
    });
}

interface GivenExportOptions {
  readonly format: 'csv' | 'jsonl';
  readonly output?: string;
  readonly unreleased: boolean;
}

interface GivenReadOptions {
  readonly json: boolean;
  readonly count: number;
  readonly interval: number;
  readonly simulate: boolean;
}

/** The two options that every command has; also for `run`. */
export function withConfigOptions(command: Command): Command {
  return addConfigOptions(command, DEFAULT_CONFIG_PATH);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return count;
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < MIN_INTERVAL_SECONDS)
    throw new InvalidArgumentError(`expected seconds, ${MIN_INTERVAL_SECONDS} or more.`);
  return seconds;
}
