import { access } from 'node:fs/promises';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ConfigError, type ConfigProblem, describeProblem } from '../config/problem.ts';
import { createSystemClock, systemRandom } from '../platform/clock.ts';
import type { ProcessSignals } from '../platform/signals.ts';
import {
  type CommandIo,
  type ConfigOptions,
  configOptions,
  EXIT_CONFIG,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type ExitCode,
  type GivenOptions,
  withConfigOptions,
} from './command-io.ts';

/** What a command works with when it is added to a program. */
export interface CommandContext<Io extends CommandIo = CommandIo> {
  readonly io: Io;
  /** Told how the command ended. */
  readonly finish: (exitCode: number) => void;
  /** Adds the two options that every command has. */
  readonly withConfigOptions: (command: Command) => Command;
}

/** Adds a command to the program. What it needs is loaded when it is called, and not before. */
export type RegisterCommand<Io extends CommandIo = CommandIo> = (program: Command, context: CommandContext<Io>) => void;

export interface ProgramParts<Io extends CommandIo> {
  readonly name: string;
  readonly description: string;
  readonly configPath: string;
  /** In the order in which the help shows them. */
  readonly commands: readonly RegisterCommand<Io>[];
  readonly io: Io;
}

/** The outside world of a command, as this process has it. */
export function processIo(signals: ProcessSignals): CommandIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: createSystemClock(),
    random: systemRandom,
    signal: signals.stop,
  };
}

/** Runs the command that the arguments name. @returns the exit code */
export async function runProgram<Io extends CommandIo>(
  { name, description, configPath, commands, io }: ProgramParts<Io>,
  arguments_: readonly string[],
): Promise<number> {
  const end = { exitCode: 0 };
  const context: CommandContext<Io> = {
    io,
    finish: (exitCode) => void (end.exitCode = exitCode),
    withConfigOptions: (command) => withConfigOptions(command, configPath),
  };
  const program = new Command(name)
    .description(description)
    .version(process.env['TECHTEMP_VERSION'] ?? 'development')
    .showHelpAfterError()
    .exitOverride();
  for (const register of commands) register(program, context);
  try {
    await program.parseAsync(arguments_, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (!io.signal.aborted) throw error;
    return EXIT_FAILED;
  }
  return end.exitCode;
}

export interface JsonOption extends ConfigOptions {
  readonly json: boolean;
}

/** `check`: the doctor. `load` imports it. */
export function checkCommand<Io extends CommandIo>(
  description: string,
  load: () => Promise<{ readonly runCheck: (options: JsonOption, io: Io) => Promise<ExitCode> }>,
): RegisterCommand<Io> {
  return (program, { io, finish, withConfigOptions: withConfig }) => {
    withConfig(program.command('check'))
      .description(description)
      .option('--json', 'print the findings as JSON', false)
      .addHelpText('after', '\nExit code: 0 nothing failed, 1 something did, 78 the config cannot be used.')
      .action(async (given: GivenOptions & { readonly json: boolean }) => {
        const { runCheck } = await load();
        finish(await runCheck({ ...configOptions(given), json: given.json }, io));
      });
  };
}

export interface ConfigCommandOptions extends ConfigOptions {
  /** Prints the annotated default file instead. */
  readonly defaults: boolean;
}

/** `config`: what is in force and where it comes from. `load` imports what prints it. */
export function configCommand<Io extends CommandIo>(
  load: () => Promise<{ readonly runConfig: (options: ConfigCommandOptions, io: Io) => Promise<ExitCode> }>,
): RegisterCommand<Io> {
  return (program, { io, finish, withConfigOptions: withConfig }) => {
    withConfig(program.command('config'))
      .description('print the effective config and where each value comes from; secrets are masked')
      .option('--defaults', 'print the annotated default file instead', false)
      .action(async (given: GivenOptions & { readonly defaults: boolean }) => {
        const { runConfig } = await load();
        finish(await runConfig({ ...configOptions(given), defaults: given.defaults }, io));
      });
  };
}

/** Reads an option that is a whole number from 1. */
export function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,15}$/.test(text) || number < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return number;
}

export interface ConfigTexts {
  /** The annotated default file. */
  readonly defaults: () => string;
  /** The config that is in force, as a file. @throws ConfigError */
  readonly effective: () => Promise<{ readonly description: string; readonly warnings: readonly ConfigProblem[] }>;
}

/**
 * Prints the effective config as a config file: each value with where it came from, secrets masked, warnings on stderr.
 * A config that cannot be used is explained on stderr, all of its problems.
 */
export async function printConfig(
  { defaults, effective }: ConfigTexts,
  options: ConfigCommandOptions,
  io: CommandIo,
): Promise<ExitCode> {
  if (options.defaults) {
    io.stdout.write(defaults());
    return EXIT_OK;
  }
  try {
    const { description, warnings } = await effective();
    io.stdout.write(description);
    for (const warning of warnings) io.stderr.write(`warning: ${describeProblem(warning)}\n`);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
}

/** A config as a command got it. */
export interface LoadedOrDefaults<Loaded> {
  readonly loaded: Loaded;
  /** There is no such file: these are the defaults. */
  readonly isMissing: boolean;
}

/** Loads a config; a file that does not exist stands for the defaults. @throws ConfigError */
export async function orDefaults<Loaded>(
  path: string,
  load: (path: string | undefined) => Promise<Loaded>,
): Promise<LoadedOrDefaults<Loaded>> {
  const isMissing = await access(path).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
  );
  return { loaded: await load(isMissing ? undefined : path), isMissing };
}
