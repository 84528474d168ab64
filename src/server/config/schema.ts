import type { ConfigSchema, ValuesOf } from '../../common/config/schema.ts';
import { HTTP_SECTION } from './http-keys.ts';
import { MQTT_SECTION } from './mqtt-keys.ts';

/** The head of the annotated server.conf. */
export const SERVER_CONF_INTRO = [
  'TechTemp: the settings of the server that stores the readings of all sensors and shows them.',
  '',
  'Lines that begin with # are comments. Every setting is shown with its default: to change one, remove the # before it and ' +
    'write another value. Most people need only broker_host, username and password_file.',
  '',
  'A change takes effect when the file is saved, except where it says that it waits for the next start. If there is a mistake ' +
    'in the file, the server goes on with the settings it had and says in its log what is wrong, in which line. "systemctl ' +
    'reload techtemp-server" says so at once; "techtemp-server config" shows what is in force and where it comes from.',
  '',
  'Put a value into "quotes" if it contains a # after a space, or begins with # or a quote. An environment variable ' +
    'overrides a setting: TECHTEMP_MQTT_BROKER_HOST stands for broker_host in section [mqtt]. The variables of the older ' +
    'server (DB_PATH, MQTT_URL, HTTP_PORT, ...) are still understood.',
].join('\n');

/** Every key of server.conf. What each means for the parts: server-config.ts. */
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
  mqtt: MQTT_SECTION,
  ingest: {
    doc: 'What happens to the messages of the devices.',
    keys: {
      registration: {
        format: 'choice',
        values: ['auto', 'approve', 'reject'],
        default: 'auto',
        doc:
          'What to do with a device that nobody has registered. auto: register it, in the room that it names. approve: keep ' +
          'its readings until somebody says yes ("techtemp-server devices"). reject: refuse them; they stay with the device.',
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
          'How many messages may wait for the disk. With more the server takes no further ones from the broker until it has ' +
          'caught up; none is lost by that.',
      },
      max_payload_kb: {
        format: 'integer',
        default: 256,
        // A message of 500 buffered readings has 70 kB; MQTT itself allows 256 MB, which nobody needs here.
        min: 1,
        max: 16_384,
        unit: 'kB',
        doc: 'Longest message that is read; a longer one is rejected.',
      },
      max_rejected: {
        format: 'integer',
        default: 10_000,
        min: 0,
        max: 1_000_000,
        doc: 'How many rejected messages are kept for you to look at; then the oldest go.',
      },
      max_devices: {
        format: 'integer',
        default: 5_000,
        min: 1,
        max: 1_000_000,
        doc: 'How many devices can register by speaking. Beyond it a new device is refused, and keeps its readings.',
      },
      max_homes: {
        format: 'integer',
        default: 200,
        min: 1,
        max: 100_000,
        doc: 'How many homes devices can make by speaking in one.',
      },
      max_rooms: {
        format: 'integer',
        default: 2_000,
        min: 1,
        max: 100_000,
        doc: 'How many rooms devices can make by naming one. You can add more yourself.',
      },
      max_epochs_per_minute: {
        format: 'integer',
        default: 60,
        min: 1,
        max: 1_000_000,
        doc: 'How many new journals (epochs) one device may begin in a minute. What is above this and the next limits is not stored and not receipted: the device sends it again later.',
      },
      max_gap_records_per_minute: {
        format: 'integer',
        default: 600,
        min: 1,
        max: 1_000_000,
        doc: 'How many gap records one device may send in a minute.',
      },
      max_rejected_per_minute: {
        format: 'integer',
        default: 600,
        min: 1,
        max: 1_000_000,
        doc: 'How many messages of one device that cannot be stored as readings are kept in a minute.',
      },
      max_rooms_per_minute: {
        format: 'integer',
        default: 20,
        min: 1,
        max: 1_000_000,
        doc: 'How many new room names one device may give itself in a minute.',
      },
      max_statuses_per_minute: {
        format: 'integer',
        default: 240,
        min: 1,
        max: 1_000_000,
        doc: 'How many statuses of one device are taken in a minute.',
      },
      max_quarantine: {
        format: 'integer',
        default: 1_000_000,
        min: 0,
        max: 100_000_000,
        doc:
          'How many readings may wait because of their time ("techtemp-server quarantine list"), 300 bytes each. None of them ' +
          'goes by itself. Beyond this the devices keep theirs.',
      },
    },
  },
  store: {
    doc: 'The record: one SQLite database file.',
    keys: {
      path: {
        format: 'path',
        default: '',
        restart: true,
        doc:
          'The file. Empty: techtemp.db in the state folder of the service, /var/lib/techtemp-server as installed. Another folder ' +
          'must exist: the server does not make it.',
      },
      min_free_mb: {
        format: 'integer',
        default: 64,
        min: 0,
        max: 1_000_000,
        unit: 'MB',
        doc: 'With less room on the disk than this the server reports itself as not ready, in time for you to make some.',
      },
    },
  },
  http: HTTP_SECTION,
  logging: {
    doc: 'The log of the server. Under systemd it is read with "journalctl -u techtemp-server".',
    keys: {
      log_level: {
        format: 'log-level',
        default: 'info',
        doc: 'How much to write: info for every change of state, debug for what happens in between.',
      },
      log_format: {
        format: 'choice',
        values: ['auto', 'json', 'journald', 'pretty'],
        default: 'auto',
        doc: 'auto: for systemd where it listens, pretty on a terminal, else one JSON object a line.',
      },
    },
  },
} as const satisfies ConfigSchema;

export type ServerSchema = typeof SERVER_SCHEMA;
export type ServerValues = ValuesOf<ServerSchema>;
