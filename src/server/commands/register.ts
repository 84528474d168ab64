import type { Command } from 'commander';
import { configOptions, type GivenOptions } from '../../common/config-options.ts';
import { type CommandContext, type RegisterCommand, withConfigOptions } from './command-context.ts';
import { registerDevices, registerToken } from './register-access.ts';
import { registerQuarantine } from './register-quarantine.ts';
import {
  registerCheck,
  registerExport,
  registerGaps,
  registerInit,
  registerRejected,
  registerVerify,
} from './register-record.ts';

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
      const { runConfig } = await import('./config.ts');
      finish(await runConfig({ ...configOptions(given), defaults: given.defaults }, io));
    });
}
