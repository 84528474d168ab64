import { configOptions, type GivenOptions } from '../cli/command-io.ts';
import { checkCommand, configCommand, processIo, type RegisterCommand, runProgram } from '../cli/program.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import { DEFAULT_CONFIG_PATH } from './commands/config.ts';
import { registerDevices, registerToken } from './commands/register-access.ts';
import { registerBackup, registerBackups, registerRestore } from './commands/register-backup.ts';
import {
  registerExport,
  registerGaps,
  registerInit,
  registerQuarantine,
  registerRejected,
  registerVerify,
} from './commands/register-record.ts';

/** Every command besides `run`, in the order in which the help shows them. */
export const COMMANDS: readonly RegisterCommand[] = [
  checkCommand(
    'examine config, store, broker, HTTP, devices and service; say cause and remedy of what is wrong',
    async () => import('./commands/check.ts'),
  ),
  registerVerify,
  registerDevices,
  registerToken,
  registerExport,
  registerGaps,
  registerRejected,
  registerInit,
  registerQuarantine,
  registerBackup,
  registerBackups,
  registerRestore,
  configCommand(async () => import('./commands/config.ts')),
];

/** Runs `techtemp-server ARGUMENTS` and resolves with the exit code. Each command loads what it needs when it is called. */
export async function runCommandLine(arguments_: readonly string[], signals: ProcessSignals): Promise<number> {
  return await runProgram(
    {
      name: 'techtemp-server',
      description: 'stores what the devices measured, once, with proof, and shows it',
      configPath: DEFAULT_CONFIG_PATH,
      commands: [runCommand(signals), ...COMMANDS],
      io: processIo(signals),
    },
    arguments_,
  );
}

/** `run`: what the service runs. */
function runCommand(signals: ProcessSignals): RegisterCommand {
  return (program, { finish, withConfigOptions }) => {
    withConfigOptions(program.command('run'))
      .description('store what comes from the broker, and answer over HTTP: what the service runs')
      .action(async (given: GivenOptions) => {
        const { runService } = await import('./commands/run.ts');
        finish(await runService({ ...configOptions(given), env: process.env }, signals));
      });
  };
}
