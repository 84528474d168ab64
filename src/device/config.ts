import { describeConfig, renderDefaultFile } from '../config/describe.ts';
import { readConfigFile } from '../config/file.ts';
import type { ConfigText } from '../config/ini.ts';
import { type LiveConfig, type LiveConfigOptions, openLiveConfig } from '../config/live.ts';
import { type CrossCheck, type LoadedConfig, loadConfig } from '../config/load.ts';
import { type ConfigOf, toConfig } from '../config/names.ts';
import type { ConfigProblem } from '../config/problem.ts';
import type { ValuesOf } from '../config/schema.ts';
import { checkBrokerKeys } from '../config/shared-sections.ts';
import { DEVICE_CONF_INTRO, DEVICE_SCHEMA } from './config-schema.ts';

type DeviceSchema = typeof DEVICE_SCHEMA;

/** The agent's configuration as its parts see it: checked, complete, frozen; derived from the keys in config-schema.ts. */
export type DeviceConfig = ConfigOf<DeviceSchema>;
/** The one section in which no value is left empty: the uid is the remembered one where the file names none. */
export type DeviceSection = DeviceConfig['device'];
export type SensorSection = DeviceConfig['sensor'];
export type MqttSection = DeviceConfig['mqtt'];
export type JournalSection = DeviceConfig['journal'];
export type ClockSection = DeviceConfig['clock'];
export type HomeAssistantSection = DeviceConfig['homeassistant'];
export type LoggingSection = DeviceConfig['logging'];

/** Where the agent's configuration comes from. */
export interface DeviceConfigSources {
  /** Absent: only defaults, environment and flags. */
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

/** ASAIR's own code reads at most every two seconds; Linux' aht10.c likewise, "to prevent the chip from warming up". */
const SELF_HEATING_BELOW_SECONDS = 2;
/** Where an AHT chip can be: 0x38, and 0x39 for an AHT10 whose address pin is high. */
const AHT_ADDRESSES: readonly number[] = [0x38, 0x39];
/** What `i2c_address = 38` means, written by someone who read 38 in the table of i2cdetect. */
const ADDRESS_READ_AS_DECIMAL = 38;
/** The name of an older agent without one of its own: the same everywhere. */
const PLACEHOLDER_UID = 'aht20-unknown';

/** The configuration for an agent that runs: it follows the file. @throws ConfigError when it cannot be used at the start */
export async function openDeviceConfig(options: LiveDeviceConfigOptions): Promise<LiveConfig<DeviceConfig>> {
  return await openLiveConfig<DeviceConfig>({
    ...options,
    interpret: async (file) => {
      const { values, warnings, overridden } = loadValues(file, options);
      return { config: toConfig(DEVICE_SCHEMA, await withUid(values, options)), warnings, overridden };
    },
  });
}

/** The configuration once, for commands that only look. @throws ConfigError */
export async function loadDeviceConfig(sources: DeviceConfigSources): Promise<LoadedDeviceConfig> {
  const loaded = loadValues(sources.path === undefined ? undefined : await readConfigFile(sources.path), sources);
  const values = await withUid(loaded.values, sources);
  return {
    config: toConfig(DEVICE_SCHEMA, values),
    warnings: loaded.warnings,
    description: describeConfig(DEVICE_SCHEMA, { values, origins: loaded.origins }),
  };
}

/** The annotated default file, config/device.conf: what `config --defaults` prints. */
export function renderDeviceConf(): string {
  return renderDefaultFile(DEVICE_SCHEMA, DEVICE_CONF_INTRO);
}

function loadValues(file: ConfigText | undefined, { env, flags }: DeviceConfigSources): LoadedConfig<DeviceSchema> {
  return loadConfig(DEVICE_SCHEMA, { ...(file !== undefined && { file }), env, flags }, checkDeviceValues);
}

/** The values with a device_uid in any case. */
async function withUid(
  values: ValuesOf<DeviceSchema>,
  { fallbackUid }: DeviceConfigSources,
): Promise<ValuesOf<DeviceSchema>> {
  const { device } = values;
  return device.device_uid === '' ? { ...values, device: { ...device, device_uid: await fallbackUid() } } : values;
}

/** What only several keys together, or a value that is allowed but odd, can tell. */
const checkDeviceValues: CrossCheck<DeviceSchema> = ({ device, sensor, mqtt, homeassistant }, verdict) => {
  if (device.device_uid === PLACEHOLDER_UID) {
    verdict.warning(
      'device.device_uid',
      'is the placeholder of the older agent: two devices with it are taken for one. Give it a name of its own, or none',
    );
  }
  if (sensor.type !== 'simulated') {
    if (sensor.read_interval_seconds < SELF_HEATING_BELOW_SECONDS) {
      verdict.warning(
        'sensor.read_interval_seconds',
        'the sensor warms itself when read more often than every 2 seconds',
      );
    }
    if (sensor.i2c_address === ADDRESS_READ_AS_DECIMAL) {
      verdict.warning('sensor.i2c_address', '38 is the decimal number and means 0x26; the sensor is at 0x38');
    } else if (!AHT_ADDRESSES.includes(sensor.i2c_address)) {
      verdict.warning('sensor.i2c_address', 'no sensor of this family has this address; theirs is 0x38');
    }
  }
  if (homeassistant.discovery && mqtt.publish_latest === 'no') {
    verdict.warning('mqtt.publish_latest', 'Home Assistant takes its values from there: with no it shows none');
  }
  checkBrokerKeys(mqtt, verdict);
};
