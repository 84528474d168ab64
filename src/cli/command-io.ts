import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Clock, Random } from '../platform/clock.ts';

/** What a command has of the outside world. main.ts passes the process's own; tests pass theirs. */
export interface CommandIo {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

interface TextOutput {
  write(text: string): unknown;
}

export type ExitCode = 0 | 1 | 2 | 78;

/** Done, and nothing is wrong. */
export const EXIT_OK = 0;
/** It could not be done, or something that was examined is not right. */
export const EXIT_FAILED = 1;
/** `verify` could not look: neither yes nor no. */
export const EXIT_UNDECIDED = 2;
/** A command line that can't be understood: EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64;
/** The config cannot be used: EX_CONFIG of sysexits.h, as `run` ends with it. */
export const EXIT_CONFIG = 78;
/**
 * The record is one that the program must not touch (damaged, of a newer version, no database at all): EX_DATAERR of sysexits.h.
 * The server's unit does not start it again after this, since only a person can help.
 */
export const EXIT_STORE = 65;

/** Which config a command works with. */
export interface ConfigOptions {
  readonly configPath: string;
  /** `section.key` -> text, stronger than file and environment. */
  readonly flags: Readonly<Record<string, string>>;
}

/** What `withConfigOptions` gives to an action. */
export interface GivenOptions {
  readonly config: string;
  readonly set: Readonly<Record<string, string>>;
}

/** Adds the two options that every command of our programs has. */
export function withConfigOptions(command: Command, defaultPath: string): Command {
  return command
    .option('-c, --config <file>', 'the config file', defaultPath)
    .addOption(
      new Option('--set <section.key=value>', 'override a key of the config; may be repeated')
        .default({}, 'none')
        .argParser(collectAssignment),
    );
}

export function configOptions({ config, set }: GivenOptions): ConfigOptions {
  return { configPath: config, flags: set };
}

function collectAssignment(text: string, earlier: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(0, equals)).trim();
  if (!/^\w+\.\w+$/.test(key))
    throw new InvalidArgumentError('expected section.key=value, such as mqtt.broker_port=1883.');
  return { ...earlier, [key]: text.slice(equals + 1).trim() };
}
