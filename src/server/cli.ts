import { Command, CommanderError } from 'commander';
import { type CommandIo, EXIT_FAILED, EXIT_USAGE } from '../common/command-io.ts';
import { configOptions, type GivenOptions } from '../common/config-options.ts';
import type { ProcessSignals } from '../common/signals.ts';
import { createSystemClock, systemRandom } from '../common/system-clock.ts';
import { withConfigOptions } from './commands/command-context.ts';
import { COMMANDS } from './commands/register.ts';

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
