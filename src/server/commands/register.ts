import type { Command } from 'commander';
import type { CommandIo, ExitCode } from '../../common/command-io.ts';
import {
  withConfigOptions as addConfigOptions,
  configOptions,
  type GivenOptions,
} from '../../common/config-options.ts';
import { DEFAULT_CONFIG_PATH } from './command-config.ts';

/** What a registered command works with. */
export interface CommandContext {
  readonly io: CommandIo;
  /** Told how the command ended. */
  readonly finish: (exitCode: ExitCode) => void;
}

/** Adds a command to the program. What it needs is loaded when it is called, and not before. */
export type RegisterCommand = (program: Command, context: CommandContext) => void;

/** Every command besides `run`, in the order in which the help shows them. */
export const COMMANDS: readonly RegisterCommand[] = [registerConfig];

/** The two options that every command has; also for `run`. */
export function withConfigOptions(command: Command): Command {
  return addConfigOptions(command, DEFAULT_CONFIG_PATH);
}

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
