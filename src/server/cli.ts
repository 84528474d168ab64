import { Command, CommanderError } from 'commander';
import { type CommandIo, configOptions, EXIT_FAILED, EXIT_USAGE, type GivenOptions } from '../cli/command-io.ts';
import { createSystemClock, systemRandom } from '../platform/clock.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import {
  type CommandContext,
  type RegisterCommand,
  registerDevices,
  registerToken,
  withConfigOptions,
} from './commands/register-access.ts';
import {
  registerCheck,
  registerExport,
  registerGaps,
  registerInit,
  registerQuarantine,
  registerRejected,
  registerVerify,
} from './commands/register-record.ts';

/** Runs `techtemp-server ARGUMENTS` and resolves with the exit code. Each command loads what it needs when it is called. */
export async function runCommandLine(arguments_: readonly string[], signals: ProcessSignals): Promise<number> {
  let exitCode = 0;
  const finish = (code: number): void => void (exitCode = code);
  const io: CommandIo = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: createSystemClock(),
    random: systemRandom,
    signal: signals.stop,
  };
  const program = new Command('techtemp-server')
    .description('stores what the devices measured, once, with proof, and shows it')
    .version(process.env['TECHTEMP_VERSION'] ?? 'development')
    .showHelpAfterError()
    .exitOverride();
  withConfigOptions(program.command('run'))
    .description('store what comes from the broker, and answer over HTTP: what the service runs')
    .action(async (given: GivenOptions) => {
      const { runService } = await import('./commands/run.ts');
      finish(await runService({ ...configOptions(given), env: process.env }, signals));
    });
  for (const register of COMMANDS) register(program, { io, finish });

  try {
    await program.parseAsync(arguments_, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (!signals.stop.aborted) throw error;
    return EXIT_FAILED;
  }
  return exitCode;
}

/** Every command besides `run`, in the order in which the help shows them. */
export const COMMANDS: readonly RegisterCommand[] = [
  registerCheck,
  registerVerify,
  registerDevices,
  registerToken,
  registerExport,
  registerGaps,
  registerRejected,
  registerInit,
  registerQuarantine,
  registerConfig,
];

/** `config`: what is in force and where it comes from. */
function registerConfig(program: Command, { io, finish }: CommandContext): void {
  withConfigOptions(program.command('config'))
    .description('print the effective config and where each value comes from; secrets are masked')
    .option('--defaults', 'print the annotated default file instead', false)
    .action(async (given: GivenOptions & { readonly defaults: boolean }) => {
      const { runConfig } = await import('./commands/config.ts');
      finish(await runConfig({ ...configOptions(given), defaults: given.defaults }, io));
    });
}
