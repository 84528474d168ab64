import type { CommandIo, ConfigOptions, ExitCode } from '../../cli/command-io.ts';
import { type ConfigCommandOptions, type LoadedOrDefaults, orDefaults, printConfig } from '../../cli/program.ts';
import { type LoadedServerConfig, loadServerConfig, renderServerConf, storePath } from '../config.ts';

export const DEFAULT_CONFIG_PATH = '/etc/techtemp/server.conf';
/** Where StateDirectory= of techtemp-server.service is; for techtemp-server@NAME.service the name follows it. */
export const SERVICE_STATE_DIRECTORY = '/var/lib/techtemp-server';
const INSTANCE_CONFIG_PATH = /^\/etc\/techtemp\/server-([A-Za-z0-9_-]+)\.conf$/;

/**
 * The environment as the server that uses this config has it: a person's terminal has no STATE_DIRECTORY, but an installed
 * config belongs to an installed service, whose state directory is known.
 */
export function serviceEnvironment({ configPath }: ConfigOptions, { env }: CommandIo): NodeJS.ProcessEnv {
  if ((env['STATE_DIRECTORY'] ?? '') !== '') return env;
  if (configPath === DEFAULT_CONFIG_PATH) return { ...env, STATE_DIRECTORY: SERVICE_STATE_DIRECTORY };
  const instance = INSTANCE_CONFIG_PATH.exec(configPath)?.[1];
  if (instance === undefined) return env;
  return { ...env, STATE_DIRECTORY: `${SERVICE_STATE_DIRECTORY}-${instance}`, TECHTEMP_MQTT_INSTANCE: instance };
}

/** The service that uses this config. */
export function unitOf({ configPath }: ConfigOptions): string {
  const instance = INSTANCE_CONFIG_PATH.exec(configPath)?.[1];
  return instance === undefined ? 'techtemp-server.service' : `techtemp-server@${instance}.service`;
}

/** As the server loads it. @throws ConfigError */
export async function loadConfigFor(options: ConfigOptions, io: CommandIo): Promise<LoadedServerConfig> {
  return await load(options, io, options.configPath);
}

/** The same; a file that does not exist stands for the defaults. @throws ConfigError */
export async function loadConfigOrDefaults(
  options: ConfigOptions,
  io: CommandIo,
): Promise<LoadedOrDefaults<LoadedServerConfig>> {
  return await orDefaults(options.configPath, async (path) => load(options, io, path));
}

/** The database file of the server that uses this config. */
export function storePathFor({ config }: LoadedServerConfig, options: ConfigOptions, io: CommandIo): string {
  return storePath(config.store, serviceEnvironment(options, io));
}

async function load(options: ConfigOptions, io: CommandIo, path: string | undefined): Promise<LoadedServerConfig> {
  return await loadServerConfig({ path, env: serviceEnvironment(options, io), flags: options.flags });
}

/** `config`: prints the effective config as a server.conf. */
export async function runConfig(options: ConfigCommandOptions, io: CommandIo): Promise<ExitCode> {
  const effective = (): Promise<LoadedServerConfig> => load(options, io, options.configPath);
  return await printConfig({ defaults: renderServerConf, effective }, options, io);
}
