import { checkBrokerKeys } from '../../common/config/broker-checks.ts';
import type { CrossCheck } from '../../common/config/load.ts';
import { listElements } from '../../common/config/web-formats.ts';
import { isLoopbackHost } from '../http/security/access.ts';
import type { ServerSchema, ServerValues } from './schema.ts';
import type { ServerConfig } from './server-config.ts';

const MS_PER_SECOND = 1_000;
const BYTES_PER_KB = 1_024;
const BYTES_PER_MB = BYTES_PER_KB * BYTES_PER_KB;

/** What only several keys together can tell. */
export const checkServerValues: CrossCheck<ServerSchema> = ({ mqtt, ingest, http }, verdict) => {
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
  if (!isLoopbackHost(http.host)) {
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
  }
};

/** Renames, converts units, and puts the machine's time zone in; everything else has been done by the schema. Frozen. */
export function toServerConfig(values: ServerValues, machineZone: string): ServerConfig {
  const { house, mqtt, ingest, store, http, logging } = values;
  return Object.freeze({
    house: Object.freeze({ name: house.name, timeZone: house.time_zone === '' ? machineZone : house.time_zone }),
    mqtt: Object.freeze({
      brokerHost: mqtt.broker_host,
      brokerPort: mqtt.broker_port,
      username: mqtt.username,
      password: mqtt.password,
      passwordFile: mqtt.password_file,
      clientId: mqtt.client_id,
      keepaliveMs: inMs(mqtt.keepalive_seconds),
      protocol: mqtt.protocol,
      tls: mqtt.tls,
      tlsCaFile: mqtt.tls_ca_file,
      tlsCertFile: mqtt.tls_cert_file,
      tlsKeyFile: mqtt.tls_key_file,
      tlsServerName: mqtt.tls_server_name,
      reconnectMinMs: inMs(mqtt.reconnect_min_seconds),
      reconnectMaxMs: inMs(mqtt.reconnect_max_seconds),
      instance: mqtt.instance,
      receipts: mqtt.receipts,
      homeId: mqtt.home_id,
    }),
    ingest: Object.freeze({
      registration: ingest.registration,
      batchMessages: ingest.batch_messages,
      maxWaiting: ingest.max_waiting,
      maxPayloadBytes: ingest.max_payload_kb * BYTES_PER_KB,
      maxRejected: ingest.max_rejected,
      perMinute: Object.freeze({
        epoch: ingest.max_epochs_per_minute,
        gap: ingest.max_gap_records_per_minute,
        rejected: ingest.max_rejected_per_minute,
        room: ingest.max_rooms_per_minute,
        status: ingest.max_statuses_per_minute,
      }),
      atMost: Object.freeze({ devices: ingest.max_devices, homes: ingest.max_homes, rooms: ingest.max_rooms }),
      maxQuarantine: ingest.max_quarantine,
    }),
    store: Object.freeze({ path: store.path, minFreeBytes: store.min_free_mb * BYTES_PER_MB }),
    http: Object.freeze({
      host: http.host,
      port: http.port,
      basePath: http.base_path,
      trustProxy: Object.freeze([...listElements(http.trust_proxy)]),
      tlsCertFile: http.tls_cert_file,
      tlsKeyFile: http.tls_key_file,
      reading: http.reading,
      writing: http.writing,
      corsOrigins: Object.freeze([...listElements(http.cors_origins)]),
      hostNames: Object.freeze([...listElements(http.host_names)]),
      ratePerMinute: http.rate_per_minute,
      maxBodyBytes: http.max_body_kb * BYTES_PER_KB,
    }),
    logging: Object.freeze({ logLevel: logging.log_level, logFormat: logging.log_format }),
  });
}

/** Whole milliseconds: 0.1 + 0.2 s is 300 ms, not 300.00000000000006. */
function inMs(seconds: number): number {
  return Math.round(seconds * MS_PER_SECOND);
}
