import { type CommandIo, EXIT_CONFIG, EXIT_OK, type ExitCode } from '../../common/command-io.ts';
import { ConfigError, describeProblem } from '../../common/config/config-problem.ts';
import type { ConfigOptions } from '../../common/config-options.ts';
import { renderServerConf } from '../config/open-config.ts';
import { loadConfigFor } from './command-config.ts';

export interface ConfigCommandOptions extends ConfigOptions {
  /** Prints the annotated default file instead. */
  readonly defaults: boolean;
}

/**
 * Prints the effective config as a server.conf: each value with where it came from, secrets masked, warnings on stderr.
 * A config that cannot be used is explained on stderr, all of its problems.
 */
export async function runConfig(options: ConfigCommandOptions, io: CommandIo): Promise<ExitCode> {
  if (options.defaults) {
    io.stdout.write(renderServerConf());
    return EXIT_OK;
  }
  try {
    const { description, warnings } = await loadConfigFor(options, io);
    io.stdout.write(description);
    for (const warning of warnings) io.stderr.write(`warning: ${describeProblem(warning)}\n`);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_CONFIG;
  }
}
