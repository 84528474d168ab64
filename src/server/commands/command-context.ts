import type { Command } from 'commander';
import type { CommandIo, ExitCode } from '../../common/command-io.ts';
import { withConfigOptions as addConfigOptions } from '../../common/config-options.ts';
import { DEFAULT_CONFIG_PATH } from './command-config.ts';

/** What a registered command works with. */
export interface CommandContext {
  readonly io: CommandIo;
  /** Told how the command ended. */
  readonly finish: (exitCode: ExitCode) => void;
}

/** Adds a command to the program. What it needs is loaded when it is called, and not before. */
export type RegisterCommand = (program: Command, context: CommandContext) => void;

/** The two options that every command has; also for `run`. */
export function withConfigOptions(command: Command): Command {
  return addConfigOptions(command, DEFAULT_CONFIG_PATH);
}
