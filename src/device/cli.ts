import { type Command, InvalidArgumentError, Option } from 'commander';
import { configOptions, type GivenOptions } from '../cli/command-io.ts';
import {
  type CommandContext,
  checkCommand,
  configCommand,
  processIo,
  type RegisterCommand,
  runProgram,
  wholeNumber,
} from '../cli/program.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import type { CommandIo } from './commands/command-io.ts';
import { DEFAULT_CONFIG_PATH } from './commands/config.ts';

/** What the command line came to. */
export interface CommandLineEnd {
  readonly exitCode: number;
  /** Whether a transfer hangs in the kernel: then the process can't end in the ordinary way. */
  readonly hangs: boolean;
}

/** Every command besides `run`, in the order in which the help shows them. */
export const COMMANDS: readonly RegisterCommand<CommandIo>[] = [
  registerRead,
  checkCommand(
    'examine sensor, broker, disk, clock and service; say cause and remedy of what is wrong',
    async () => import('./commands/check.ts'),
  ),
  registerJournal,
  registerServers,
  configCommand(async () => import('./commands/config.ts')),
];

/** Runs `techtemp-device ARGUMENTS`. Each command loads what it needs when it is called. */
export async function runCommandLine(arguments_: readonly string[], signals: ProcessSignals): Promise<CommandLineEnd> {
  const end = { hangs: false };
  const io: CommandIo = { ...processIo(signals), onHungTransfer: () => void (end.hangs = true) };
  const exitCode = await runProgram(
    {
      name: 'techtemp-device',
      description: 'records temperature and humidity from an AHT20 and never loses a reading',
      configPath: DEFAULT_CONFIG_PATH,
      commands: [runCommand(signals), ...COMMANDS],
      io,
    },
    arguments_,
  );
  return { exitCode, hangs: end.hangs };
}

/** `run`: what the service runs. */
function runCommand(signals: ProcessSignals): RegisterCommand<CommandIo> {
  return (program, { io, finish, withConfigOptions }) => {
    withConfigOptions(program.command('run'))
      .description('measure, keep, deliver: what the service runs')
      .action(async (given: GivenOptions) => {
        const { runDevice } = await import('./commands/run.ts');
        const { exitCode, hungTransfers } = await runDevice({ ...configOptions(given), env: process.env }, signals);
        finish(exitCode);
        if (hungTransfers > 0) io.onHungTransfer();
      });
  };
}

const MIN_INTERVAL_SECONDS = 0.1;
/** Two seconds: read more often, the sensor warms itself (see the driver's sources). */
const DEFAULT_INTERVAL_SECONDS = 2;
const MS_PER_SECOND = 1000;
const DEFAULT_LAST = 20;

/** `read`: measures once, or a few times. */
function registerRead(program: Command, { io, finish, withConfigOptions }: CommandContext<CommandIo>): void {
  withConfigOptions(program.command('read'))
    .description('measure once with the sensor of the config, also beside a running agent')
    .option('--json', 'print one JSON object a measurement', false)
    .option('-n, --count <number>', 'how many measurements', wholeNumber, 1)
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
function registerJournal(program: Command, { io, finish, withConfigOptions }: CommandContext<CommandIo>): void {
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
    .option('-n, --last <number>', 'how many', wholeNumber, DEFAULT_LAST)
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
function registerServers(program: Command, { io, finish, withConfigOptions }: CommandContext<CommandIo>): void {
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

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < MIN_INTERVAL_SECONDS)
    throw new InvalidArgumentError(`expected seconds, ${MIN_INTERVAL_SECONDS} or more.`);
  return seconds;
}
