import type { ConfigSchema, KeySpec } from '../config/schema.ts';
import {
  BROKER_ACCOUNT_KEYS,
  BROKER_CONNECTION_KEYS,
  brokerAddressKeys,
  brokerReconnectKeys,
  loggingSection,
} from '../config/shared-sections.ts';
import { BACKUP_SECTION } from './backup/backup-keys.ts';

/** The head of the annotated server.conf. */
export const SERVER_CONF_INTRO = [
  'TechTemp: the settings of the server that stores the readings of all sensors and shows them.',
  '',
  'Lines that begin with # are comments. Every setting is shown with its default: to change one, remove the # before it and ' +
    'write another value. Most people need only broker_host, username and password_file.',
  '',
  'A change takes effect when the file is saved, except where it says that it waits for the next start. If there is a mistake ' +
    'in the file, the server keeps the settings that it had. Its log says what is wrong, and in which line. "systemctl reload ' +
    'techtemp-server" says so at once; "techtemp-server config" shows which settings are in force and where each one comes from.',
  '',
  'A time or a size may have a unit: 30s, 5 min, 1h, 512 kB, 64 MB. A number without one is in the unit at the end of the ' +
    'name (keepalive_seconds, max_body_kb, min_free_mb).',
  '',
  'Put a value into "quotes" if it contains a # after a space, or begins with # or a quote. An environment variable ' +
    'overrides a setting: TECHTEMP_MQTT_BROKER_HOST overrides broker_host in section [mqtt]. The variables of the older ' +
    'server (DB_PATH, MQTT_URL, HTTP_PORT, ...) still work.',
].join('\n');

/** Every key of server.conf, once. */
export const SERVER_SCHEMA = {
  house: {
    doc: 'What is recorded here.',
    keys: {
      name: { format: 'text', default: '', doc: 'Name of the house or site for people; the title of the dashboard.' },
      time_zone: {
        format: 'time-zone',
        default: '',
        doc:
          'Time zone, such as Europe/Paris: a day begins at its midnight, in statistics and on the dashboard. Stored times are ' +
          'UTC and do not change with it. Empty: the zone of this machine.',
      },
    },
  },
  mqtt: {
    doc:
      'Where the readings come from. The broker is the program that passes them on, for example Mosquitto, or the one inside ' +
      'Home Assistant.',
    keys: {
      ...brokerAddressKeys('this machine'),
      ...BROKER_ACCOUNT_KEYS,
      client_id: {
        format: 'text',
        default: '',
        doc:
          'Name of this connection at the broker. The broker keeps messages under it while the server is away, so it should ' +
          'stay the same, and no two clients may have the same one. Empty: techtemp-server- followed by the instance.',
      },
      ...BROKER_CONNECTION_KEYS,
      ...brokerReconnectKeys('server', 30),
      instance: {
        format: 'id',
        default: 'main',
        doc:
          'Name of this server if there are several at one broker. It announces itself with it, in the topic ' +
          'techtemp/server/INSTANCE.',
      },
      receipts: {
        format: 'yes-no',
        default: true,
        doc:
          'Whether to confirm to the devices what is stored, so that they may forget it. If there are several servers at one ' +
          'broker, only the one that keeps the record may do this: say no on a server to try things out.',
      },
      home_id: {
        format: 'id',
        orAll: true,
        default: '+',
        doc: 'Home or site whose sensors to listen to, as in their device.conf. +: all homes at this broker.',
      },
    },
  },
  ingest: {
    doc: 'What happens to the messages of the devices.',
    keys: {
      registration: {
        format: 'choice',
        values: ['auto', 'approve', 'reject'],
        default: 'auto',
        doc:
          'What to do with a device that is not registered. auto: register it, in the room that it names. approve: keep its ' +
          'readings until you approve it ("techtemp-server devices"). reject: refuse them; they stay with the device.',
      },
      batch_messages: {
        format: 'integer',
        default: 200,
        // The gain of a group of messages is flat beyond this, while the memory and the time to an answer grow.
        min: 1,
        max: 200,
        doc: 'How many messages are written to disk together, at most.',
      },
      max_waiting: {
        format: 'integer',
        default: 2_000,
        min: 1,
        max: 100_000,
        doc:
          'How many messages may wait for the disk. With more, the server takes no new ones from the broker until it has ' +
          'caught up; none is lost.',
      },
      max_payload_kb: {
        format: 'kB',
        default: 256,
        // A message of 500 buffered readings has 70 kB; MQTT itself allows 256 MB, which is never needed here.
        min: 1,
        max: 16_384,
        doc: 'Longest message that is read; a longer one is rejected.',
      },
      max_rejected: {
        format: 'integer',
        default: 10_000,
        min: 0,
        max: 1_000_000,
        doc: 'How many rejected messages are kept for you to look at; beyond that the oldest are removed.',
      },
      max_devices: {
        format: 'integer',
        default: 5_000,
        min: 1,
        max: 1_000_000,
        doc: 'How many devices can register by sending. Beyond it a new device is refused, and keeps its readings.',
      },
      max_homes: {
        format: 'integer',
        default: 200,
        min: 1,
        max: 100_000,
        doc: 'How many homes can be made by devices that name one.',
      },
      max_rooms: {
        format: 'integer',
        default: 2_000,
        min: 1,
        max: 100_000,
        doc: 'How many rooms can be made by devices that name one. You can add more yourself.',
      },
      max_epochs_per_minute: perMinute(
        60,
        'How many new journals (epochs) one device may begin in a minute. What is above this and the next limits is not stored and gets no receipt: the device sends it again later.',
      ),
      max_gap_records_per_minute: perMinute(600, 'How many gap records one device may send in a minute.'),
      max_rejected_per_minute: perMinute(
        600,
        'How many messages that cannot be stored as readings are kept from one device in a minute.',
      ),
      max_rooms_per_minute: perMinute(20, 'How many new room names one device may give itself in a minute.'),
      max_statuses_per_minute: perMinute(240, 'How many statuses are taken from one device in a minute.'),
      max_quarantine: {
        format: 'integer',
        default: 1_000_000,
        min: 0,
        max: 100_000_000,
        doc:
          'How many readings may wait because of their time ("techtemp-server quarantine list"), 300 bytes each. None is ' +
          'removed by itself. Beyond this the devices keep their readings.',
      },
    },
  },
  store: {
    doc: 'The record: one SQLite database file.',
    keys: {
      path: {
        format: 'path',
        default: '',
        when: 'restart',
        doc:
          'The file. Empty: techtemp.db in the state folder of the service, /var/lib/techtemp-server as installed. Another folder ' +
          'must exist: the server does not make it.',
      },
      min_free_mb: {
        format: 'MB',
        default: 64,
        min: 0,
        max: 1_000_000,
        doc: 'With less room on the disk than this the server reports itself as not ready, early enough for you to make some.',
      },
    },
  },
  backup: BACKUP_SECTION,
  http: {
    doc: 'The HTTP API, its documentation at /docs, and the dashboard.',
    keys: {
      host: {
        format: 'host',
        default: '127.0.0.1',
        when: 'restart',
        doc:
          'Address to listen on. 127.0.0.1: only this machine. 0.0.0.0 or :: is every network of this machine; then writing ' +
          'needs a token ("techtemp-server token create").',
      },
      port: {
        format: 'integer',
        default: 3_000,
        min: 0,
        max: 65_535,
        when: 'restart',
        doc: 'Port to listen on. 0: any free port; the log names it.',
      },
      base_path: {
        format: 'url-prefix',
        default: '',
        when: 'restart',
        doc: 'Path below which a reverse proxy shows the server, such as /techtemp. Empty: none.',
      },
      trust_proxy: {
        format: 'network-list',
        default: 'loopback',
        when: 'restart',
        doc:
          'Reverse proxies whose headers (X-Forwarded-For, -Proto, -Host) are believed, with commas between them: addresses, ' +
          'networks such as 10.0.0.0/8, or the words loopback (this machine), linklocal, uniquelocal (private networks). ' +
          'Empty: none.',
      },
      tls_cert_file: {
        format: 'path',
        default: '',
        when: 'restart',
        doc: 'Certificate for HTTPS (PEM, with those that lead to its authority). Needs tls_key_file. Empty: plain HTTP.',
      },
      tls_key_file: {
        format: 'path',
        default: '',
        when: 'restart',
        doc: 'Private key (PEM) of the certificate.',
      },
      reading: {
        format: 'choice',
        values: ['open', 'token'],
        default: 'open',
        doc: 'Who may read. open: everyone who can reach the server. token: only with a token.',
      },
      writing: {
        format: 'choice',
        values: ['auto', 'token'],
        default: 'auto',
        doc:
          'Who may change rooms and devices. auto: everyone on this machine; from elsewhere, or through a reverse proxy, only with ' +
          'a token. token: only with a token.',
      },
      cors_origins: {
        format: 'origin-list',
        default: '',
        doc:
          'Other web pages that may use the API from the browser of a visitor, such as https://climate.example.org, with commas ' +
          'between them. Empty: none.',
      },
      host_names: {
        format: 'name-list',
        default: '',
        doc:
          'Names under which browsers reach this server, such as climate.example.org, with commas between them. Addresses, localhost, ' +
          'names without a dot, and names of a home network (raspberrypi.local, .lan, .internal, .home.arpa, .fritz.box) always work. ' +
          'A request for any other name is refused, because a foreign page could be behind it.',
      },
      rate_per_minute: {
        format: 'integer',
        default: 600,
        min: 0,
        max: 1_000_000,
        unit: 'requests a minute',
        doc: 'How many requests one address may make in a minute. 0: no limit.',
      },
      max_body_kb: {
        format: 'kB',
        default: 256,
        // One device to provision needs a sixth of a kilobyte; a body is read into memory whole.
        min: 1,
        max: 16_384,
        doc: 'Longest request that is read.',
      },
    },
  },
  logging: loggingSection({ program: 'server', unit: 'techtemp-server', debug: 'what happens in between' }),
} as const satisfies ConfigSchema;

/** A limit for what one device may bring in a minute. */
function perMinute(limit: number, doc: string) {
  return { format: 'integer', default: limit, min: 1, max: 1_000_000, doc } as const satisfies KeySpec;
}
