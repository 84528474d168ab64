import { join } from 'node:path';
import { machineTimeZone } from '../calendar/zones.ts';
import { describeConfig, renderDefaultFile } from '../config/describe.ts';
import { readConfigFile } from '../config/file.ts';
import type { ConfigText } from '../config/ini.ts';
import { type LiveConfig, type LiveConfigOptions, openLiveConfig } from '../config/live.ts';
import { type CrossCheck, keepUntilRestart, type LoadedConfig, loadConfig } from '../config/load.ts';
import { type ConfigOf, toConfig } from '../config/names.ts';
import type { ConfigProblem } from '../config/problem.ts';
import type { ValuesOf } from '../config/schema.ts';
import { checkBrokerKeys } from '../config/shared-sections.ts';
import type { OlderMeaning, OlderVariables } from '../config/sources.ts';
import { isLoopbackHost, listElements } from '../config/web-formats.ts';
import { isId } from '../contract/topics.ts';
import { stateDirectory } from '../platform/files.ts';
import { SERVER_CONF_INTRO, SERVER_SCHEMA } from './config-schema.ts';

type ServerSchema = typeof SERVER_SCHEMA;
type ServerValues = ValuesOf<ServerSchema>;

/** The server's configuration as its parts see it: checked, complete, frozen; derived from the keys in config-schema.ts. */
export type ServerConfig = ConfigOf<ServerSchema>;
/** Its time zone is the one of the machine where the file names none. */
export type HouseSection = ServerConfig['house'];
export type MqttSection = ServerConfig['mqtt'];
export type IngestSection = ServerConfig['ingest'];
export type StoreSection = ServerConfig['store'];
export type BackupSection = ServerConfig['backup'];
export type HttpSection = ServerConfig['http'];
export type LoggingSection = ServerConfig['logging'];

/** Where the server's configuration comes from. */
export interface ServerConfigSources {
  /** Absent: only defaults, environment and flags. */
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
 * The configuration for a server that runs: it follows the file, except for the keys that wait for the next start.
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
export function storePath({ path }: Pick<StoreSection, 'path'>, env: NodeJS.ProcessEnv): string {
  return path === '' ? join(stateDirectory(env), STORE_FILE) : path;
}

/** The configuration with the zone of the machine where it names none, and a warning where TZ is of no use. */
function withZone(
  values: ServerValues,
  env: NodeJS.ProcessEnv,
): { readonly config: ServerConfig; readonly zoneWarnings: readonly ConfigProblem[] } {
  const { house } = values;
  if (house.time_zone !== '') return { config: toConfig(SERVER_SCHEMA, values), zoneWarnings: [] };
  const { zone, problem } = machineTimeZone(env);
  const config = toConfig(SERVER_SCHEMA, { ...values, house: { ...house, time_zone: zone } });
  if (problem === undefined) return { config, zoneWarnings: [] };
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

/** What only several keys together, or a value that is allowed but risky, can tell. */
const checkServerValues: CrossCheck<ServerSchema> = ({ mqtt, ingest, http }, verdict) => {
  checkBrokerKeys(mqtt, verdict);
  if (ingest.batch_messages > ingest.max_waiting) {
    verdict.error('ingest.batch_messages', `must not be above max_waiting (${ingest.max_waiting})`);
  }
  if (http.tls_cert_file !== '' && http.tls_key_file === '') {
    verdict.error('http.tls_cert_file', 'is set without tls_key_file; a certificate needs its key');
  }
  if (http.tls_key_file !== '' && http.tls_cert_file === '') {
    verdict.error('http.tls_key_file', 'is set without tls_cert_file; a key needs its certificate');
  }
  if (isLoopbackHost(http.host)) return;
  if (http.tls_cert_file === '') {
    verdict.warning(
      'http.host',
      'lets others reach the server, and nothing is encrypted: readings and tokens can be read on the way. Set ' +
        'tls_cert_file and tls_key_file, or leave it at 127.0.0.1 behind a reverse proxy',
    );
  }
  if (listElements(http.trust_proxy).includes('uniquelocal')) {
    verdict.warning(
      'http.trust_proxy',
      'believes every machine of a private network that says it is a proxy; name the address of the proxy',
    );
  }
};

/**
 * The variables by which the older TechTemp server was configured, in order of strength: like there, user and password of
 * their own are stronger than those in the address. NODE_ENV never meant anything here.
 */
export const OLDER_VARIABLES: OlderVariables = {
  DB_PATH: (text) => ({ sets: { 'store.path': text } }),
  MQTT_URL: brokerUrl,
  MQTT_USERNAME: (text) => ({ sets: { 'mqtt.username': text } }),
  MQTT_PASSWORD: (text) => ({ sets: { 'mqtt.password': text } }),
  HTTP_PORT: (text) => ({ sets: { 'http.port': text } }),
  TOPIC_READING_PATTERN: topicPattern,
  LOG_LEVEL: (text) => ({ sets: { 'logging.log_level': text } }),
};

/** Scheme -> whether it is encrypted; those that the older server's MQTT package took, but for WebSockets. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['mqtt:', false],
  ['tcp:', false],
  ['mqtts:', true],
  ['ssl:', true],
  ['tls:', true],
]);
const PLAIN_PORT = '1883';
const TLS_PORT = '8883';
const URL_RULE =
  'must be mqtt://HOST:PORT or mqtts://HOST:PORT, with USER:PASSWORD@ before the host where the broker wants it';

/** Never repeats the address: it may hold a password. */
function brokerUrl(text: string): OlderMeaning {
  if (!URL.canParse(text)) return { error: URL_RULE };
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text);
  if (/^wss?:$/.test(protocol)) return { error: `${URL_RULE}; MQTT over WebSockets (${protocol}//) is not spoken` };
  const tls = SCHEMES.get(protocol);
  const user = decoded(username);
  const secret = decoded(password);
  if (tls === undefined || hostname === '' || user === undefined || secret === undefined) return { error: URL_RULE };
  if (!['', '/'].includes(pathname) || search !== '' || hash !== '') {
    return { error: `${URL_RULE}, and nothing after the port; a / ? or # in a password is written %2F %3F %23` };
  }
  return {
    sets: {
      'mqtt.broker_host': hostname,
      'mqtt.broker_port': port === '' ? (tls ? TLS_PORT : PLAIN_PORT) : port,
      'mqtt.tls': tls ? 'yes' : 'no',
      ...(user !== '' && { 'mqtt.username': user }),
      ...(secret !== '' && { 'mqtt.password': secret }),
    },
  };
}

function topicPattern(text: string): OlderMeaning {
  const home = /^home\/([^/]+)\/sensors\/\+\/reading$/.exec(text)?.[1];
  if (home !== undefined && (home === '+' || isId(home))) return { sets: { 'mqtt.home_id': home } };
  return {
    warning:
      'has no effect: topics are always home/HOME/sensors/DEVICE/reading; home_id in section [mqtt] chooses one home, + all',
  };
}

/** Undefined where a % is not followed by two hex digits of UTF-8. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
