import { Command, CommanderError } from 'commander';
import { EXIT_USAGE } from '../common/command-io.ts';
import { configOptions, type GivenOptions } from '../common/config-options.ts';
import type { ProcessSignals } from '../common/signals.ts';
import { createSystemClock, systemRandom } from '../common/system-clock.ts';
import type { CommandIo } from './commands/command-io.ts';
import {
  registerCheck,
  registerConfig,
  registerJournal,
  registerRead,
  registerServers,
  withConfigOptions,
} from './commands/register.ts';

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
