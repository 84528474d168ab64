import type { OlderMeaning, OlderVariables } from '../config/sources.ts';
import { isId } from '../contract/ids.ts';

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
