import { join } from 'node:path';
import { machineTimeZone } from '../../calendar/zones.ts';
import { readConfigFile } from '../../common/config/config-file.ts';
import type { ConfigProblem } from '../../common/config/config-problem.ts';
import type { ConfigText } from '../../common/config/config-text.ts';
import { describeConfig, renderDefaultFile } from '../../common/config/describe.ts';
import { type LiveConfig, type LiveConfigOptions, openLiveConfig } from '../../common/config/live-config.ts';
import { type LoadedConfig, loadConfig } from '../../common/config/load.ts';
import { keepUntilRestart } from '../../common/config/restart-keys.ts';
import { stateDirectory } from '../../platform/files.ts';
import { OLDER_VARIABLES } from './older-variables.ts';
import { SERVER_CONF_INTRO, SERVER_SCHEMA, type ServerSchema, type ServerValues } from './schema.ts';
import type { ServerConfig, StoreSection } from './server-config.ts';
import { checkServerValues, toServerConfig } from './server-values.ts';

/** Where the server's configuration comes from. */
export interface ServerConfigSources {
  /** Absent: defaults, environment and flags alone. */
  readonly path?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** `section.key` -> text, from `--set section.key=text`. */
  readonly flags: Readonly<Record<string, string>>;
}

export type LiveServerConfigOptions = ServerConfigSources & Omit<LiveConfigOptions<ServerConfig>, 'interpret'>;

export interface LoadedServerConfig {
  readonly config: ServerConfig;
  readonly warnings: readonly ConfigProblem[];
  /** As an INI text with the origin of each value, secrets masked: what the command `config` prints. */
  readonly description: string;
}

const STORE_FILE = 'techtemp.db';

/**
 * The configuration for a server that runs: it follows the file, but for the keys that wait for the next start.
 * @throws ConfigError when it cannot be used at the start
 */
export async function openServerConfig(options: LiveServerConfigOptions): Promise<LiveConfig<ServerConfig>> {
  let running: ServerValues | undefined;
  return await openLiveConfig<ServerConfig>({
    ...options,
    interpret: async (file) => {
      const loaded = loadValues(file, options);
      running ??= loaded.values;
      const { values, needsRestart, warnings } = keepUntilRestart(SERVER_SCHEMA, running, loaded);
      const { config, zoneWarnings } = withZone(values, options.env);
      const { overridden } = loaded;
      return Promise.resolve({
        config,
        needsRestart,
        overridden,
        warnings: [...loaded.warnings, ...zoneWarnings, ...warnings],
      });
    },
  });
}

/** The configuration once, for commands that only look. @throws ConfigError */
export async function loadServerConfig(sources: ServerConfigSources): Promise<LoadedServerConfig> {
  const loaded = loadValues(sources.path === undefined ? undefined : await readConfigFile(sources.path), sources);
  const { config, zoneWarnings } = withZone(loaded.values, sources.env);
  return {
    config,
    warnings: [...loaded.warnings, ...zoneWarnings],
    description: describeConfig(SERVER_SCHEMA, loaded),
  };
}

/** The annotated default file, config/server.conf: what `config --defaults` prints. */
export function renderServerConf(): string {
  return renderDefaultFile(SERVER_SCHEMA, SERVER_CONF_INTRO);
}

/** The database file: the one that is named, else the one in the state folder. */
export function storePath({ path }: StoreSection, env: NodeJS.ProcessEnv): string {
  return path === '' ? join(stateDirectory(env), STORE_FILE) : path;
}

/** The configuration with the machine's zone where it names none, and what its owner should know of that. */
function withZone(
  values: ServerValues,
  env: NodeJS.ProcessEnv,
): { readonly config: ServerConfig; readonly zoneWarnings: readonly ConfigProblem[] } {
  const { zone, problem } = machineTimeZone(env);
  const config = toServerConfig(values, zone);
  if (problem === undefined || values.house.time_zone !== '') return { config, zoneWarnings: [] };
  const complaint = `${problem}: days begin at midnight ${zone}; time_zone in section [house] says it without TZ`;
  return {
    config,
    zoneWarnings: [{ origin: { kind: 'environment', variable: 'TZ' }, key: 'TZ', found: env['TZ'] ?? '', complaint }],
  };
}

function loadValues(file: ConfigText | undefined, { env, flags }: ServerConfigSources): LoadedConfig<ServerSchema> {
  return loadConfig(
    SERVER_SCHEMA,
    { ...(file !== undefined && { file }), env, flags, older: OLDER_VARIABLES },
    checkServerValues,
  );
}
