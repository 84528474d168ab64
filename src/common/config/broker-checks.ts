import type { CONNECTION_KEYS, CREDENTIAL_KEYS } from './broker-keys.ts';
import type { Verdict } from './load.ts';
import type { ValuesOf } from './schema.ts';

type BrokerKeys = typeof CREDENTIAL_KEYS & typeof CONNECTION_KEYS;

/** What [mqtt] of both programs says about the connection. */
type BrokerValues = ValuesOf<{ readonly mqtt: { readonly doc: string; readonly keys: BrokerKeys } }>['mqtt'] & {
  readonly broker_port: number;
  readonly reconnect_min_seconds: number;
  readonly reconnect_max_seconds: number;
};

type BrokerVerdict = Verdict<{
  readonly mqtt: { readonly doc: string; readonly keys: Readonly<Record<keyof BrokerValues, never>> };
}>;

const PLAIN_PORT = 1883;
const TLS_PORT = 8883;

/** What only several keys of [mqtt] together can tell. */
export function checkBrokerKeys(mqtt: BrokerValues, verdict: BrokerVerdict): void {
  if (mqtt.reconnect_min_seconds > mqtt.reconnect_max_seconds) {
    verdict.error(
      'mqtt.reconnect_min_seconds',
      `must not be above reconnect_max_seconds (${mqtt.reconnect_max_seconds})`,
    );
  }
  checkCredentials(mqtt, verdict);
  checkTls(mqtt, verdict);
}

function checkCredentials(mqtt: BrokerValues, verdict: BrokerVerdict): void {
  if (mqtt.password !== '' && mqtt.password_file !== '') {
    verdict.error('mqtt.password_file', 'is set beside password; keep one of the two');
  }
  if (mqtt.username !== '') return;
  // MQTT 3.1.1 forbids it (3.1.2.9), and no common broker knows what to do with it in MQTT 5.
  const rule = 'is set without username; the broker needs both';
  if (mqtt.password !== '') verdict.error('mqtt.password', rule);
  else if (mqtt.password_file !== '') verdict.error('mqtt.password_file', rule);
}

function checkTls(mqtt: BrokerValues, verdict: BrokerVerdict): void {
  if (mqtt.tls_cert_file !== '' && mqtt.tls_key_file === '') {
    verdict.error('mqtt.tls_cert_file', 'is set without tls_key_file; a certificate needs its key');
  }
  if (mqtt.tls_key_file !== '' && mqtt.tls_cert_file === '') {
    verdict.error('mqtt.tls_key_file', 'is set without tls_cert_file; a key needs its certificate');
  }
  if (mqtt.tls && mqtt.broker_port === PLAIN_PORT) {
    verdict.warning('mqtt.broker_port', 'is the usual port without TLS, but tls = yes; with TLS it is usually 8883');
  }
  if (mqtt.tls) return;
  if (mqtt.broker_port === TLS_PORT) {
    verdict.warning(
      'mqtt.broker_port',
      'is the usual port for TLS, but tls = no: a broker will not understand us there',
    );
  }
  const unused = (['tls_ca_file', 'tls_cert_file', 'tls_key_file', 'tls_server_name'] as const).find(
    (key) => mqtt[key] !== '',
  );
  if (unused !== undefined) verdict.warning(`mqtt.${unused}`, 'has no effect while tls = no: nothing is encrypted');
}
