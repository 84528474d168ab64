import { access } from 'node:fs/promises';
import { ConfigError, type ConfigProblem, describeProblem } from '../config/problem.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_OK, type ExitCode } from './command-io.ts';
import type { ConfigCommandOptions } from './program.ts';

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
