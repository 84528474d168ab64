import { readConfigFile } from '../../common/config/config-file.ts';
import type { ConfigProblem } from '../../common/config/config-problem.ts';
import type { ConfigText } from '../../common/config/config-text.ts';
import { describeConfig, renderDefaultFile } from '../../common/config/describe.ts';
import { type LiveConfig, type LiveConfigOptions, openLiveConfig } from '../../common/config/live-config.ts';
import { type LoadedConfig, loadConfig } from '../../common/config/load.ts';
import type { DeviceConfig } from './device-config.ts';
import { checkDeviceValues, toDeviceConfig } from './device-values.ts';
import { DEVICE_CONF_INTRO, DEVICE_SCHEMA, type DeviceSchema } from './schema.ts';

/** Where the agent's configuration comes from. */
export interface DeviceConfigSources {
  /** Absent: defaults, environment and flags alone. */
  readonly path?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** `section.key` -> text, from `--set section.key=text`. */
  readonly flags: Readonly<Record<string, string>>;
  /** Asked only while the file names no device_uid; see openDeviceUid. */
  readonly fallbackUid: () => Promise<string>;
}

export type LiveDeviceConfigOptions = DeviceConfigSources & Omit<LiveConfigOptions<DeviceConfig>, 'interpret'>;

export interface LoadedDeviceConfig {
  readonly config: DeviceConfig;
  readonly warnings: readonly ConfigProblem[];
  /** As an INI text with the origin of each value, secrets masked: what the command `config` prints. */
  readonly description: string;
}

/** The configuration for an agent that runs: it follows the file. @throws ConfigError when it cannot be used at the start */
export async function openDeviceConfig(options: LiveDeviceConfigOptions): Promise<LiveConfig<DeviceConfig>> {
  return await openLiveConfig<DeviceConfig>({
    ...options,
    interpret: async (file) => {
      const loaded = loadValues(file, options);
      return { config: await complete(loaded, options), warnings: loaded.warnings, overridden: loaded.overridden };
    },
  });
}

/** The configuration once, for commands that only look. @throws ConfigError */
export async function loadDeviceConfig(sources: DeviceConfigSources): Promise<LoadedDeviceConfig> {
  const loaded = loadValues(sources.path === undefined ? undefined : await readConfigFile(sources.path), sources);
  const config = await complete(loaded, sources);
  const device = { ...loaded.values.device, device_uid: config.device.deviceUid };
  const description = describeConfig(DEVICE_SCHEMA, { ...loaded, values: { ...loaded.values, device } });
  return { config, warnings: loaded.warnings, description };
}

/** The annotated default file, config/device.conf: what `config --defaults` prints. */
export function renderDeviceConf(): string {
  return renderDefaultFile(DEVICE_SCHEMA, DEVICE_CONF_INTRO);
}

function loadValues(file: ConfigText | undefined, { env, flags }: DeviceConfigSources): LoadedConfig<DeviceSchema> {
  return loadConfig(DEVICE_SCHEMA, { ...(file !== undefined && { file }), env, flags }, checkDeviceValues);
}

async function complete({ values }: LoadedConfig<DeviceSchema>, sources: DeviceConfigSources): Promise<DeviceConfig> {
  const named = values.device.device_uid;
  return toDeviceConfig(values, named === '' ? await sources.fallbackUid() : named);
}
