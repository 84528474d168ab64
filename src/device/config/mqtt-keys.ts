import { CONNECTION_KEYS, CREDENTIAL_KEYS } from '../../common/config/broker-keys.ts';
import type { SectionSpec } from '../../common/config/schema.ts';

/** [mqtt]: the broker and what is sent to it. */
export const MQTT_SECTION = {
  doc:
    'Where the readings go. The broker is the program that passes them on, for example Mosquitto, or the one inside ' +
    'Home Assistant.',
  keys: {
    broker_host: {
      format: 'host',
      default: 'localhost',
      doc: 'Name or address of the machine that runs the broker. localhost is this Raspberry Pi itself.',
    },
    broker_port: {
      format: 'integer',
      default: 1883,
      min: 1,
      max: 65_535,
      doc: 'Port of the broker: 1883 as a rule, 8883 with TLS.',
    },
    ...CREDENTIAL_KEYS,
    client_id: {
      format: 'text',
      default: '',
      doc:
        'Name of this connection at the broker; no two clients may have the same, else they push each other out. Empty: ' +
        'techtemp- followed by the device_uid.',
    },
    ...CONNECTION_KEYS,
    delivery: {
      format: 'choice',
      values: ['auto', 'receipt', 'broker'],
      default: 'auto',
      doc:
        'When a reading may leave the journal on this machine. receipt: when the TechTemp server confirms that it has ' +
        'stored it. broker: when the broker has taken it; a broker may still lose it. auto: receipt as soon as a server ' +
        'that gives receipts has been seen once, until then broker.',
    },
    no_subscriber: {
      format: 'choice',
      values: ['keep', 'release'],
      default: 'keep',
      doc:
        'What becomes of a reading when the broker says that nobody is subscribed to it (MQTT 5; older brokers cannot tell). ' +
        'keep: it stays in the journal, up to max_readings, and goes out when somebody is: a server that is installed later ' +
        'gets them all. release: it leaves the journal all the same. Beside Home Assistant alone, which reads the topic ' +
        'latest, keep is normal and costs only room on the disk.',
    },
    receipt_timeout_seconds: {
      format: 'number',
      default: 30,
      // Below a second a busy server is asked twice for every reading; an hour is longer than any server thinks.
      min: 1,
      max: 3_600,
      unit: 'seconds',
      doc: 'A reading is sent again when the server has not confirmed it for this time.',
    },
    max_in_flight: {
      format: 'integer',
      default: 20,
      // 20 is the window of a default Mosquitto; more than 1000 fills its queue.
      min: 1,
      max: 1_000,
      doc: 'How many messages may be on their way at once. The broker can lower it.',
    },
    batch_size: {
      format: 'integer',
      default: 50,
      // 50 readings are 7 kB, and send a backlog 55 times as fast as single ones over a slow line; 500 gain little more.
      min: 1,
      max: 500,
      doc: 'After an outage: how many readings go into one message, where the server takes several.',
    },
    replay_per_second: {
      format: 'number',
      default: 50,
      // A default Mosquitto drops what a slow subscriber has not taken beyond 1000 messages.
      min: 0.1,
      max: 1_000,
      unit: 'readings a second',
      doc: 'After an outage: how fast the buffered readings go out where they go one by one.',
    },
    reconnect_min_seconds: {
      format: 'number',
      default: 1,
      min: 0.1,
      max: 3_600,
      unit: 'seconds',
      doc: 'First pause before connecting again. It doubles with each failure, with some chance in it.',
    },
    reconnect_max_seconds: {
      format: 'number',
      default: 60,
      min: 0.1,
      max: 3_600,
      unit: 'seconds',
      doc: 'Longest pause before connecting again. The agent never gives up.',
    },
    publish_latest: {
      format: 'auto-yes-no',
      default: 'auto',
      doc:
        'Keep a copy of the newest reading at the broker (retained, topic .../latest) for those who subscribe later. auto: ' +
        'when discovery for Home Assistant is on.',
    },
    commands: {
      format: 'yes-no',
      default: true,
      doc: 'Whether others may ask for a reading at once, by a message to the topic .../command.',
    },
    status_interval_seconds: {
      format: 'number',
      default: 300,
      // Every change of state is published at once anyway; this only refreshes the counters.
      min: 10,
      max: 86_400,
      unit: 'seconds',
      doc: 'How often the status message is renewed when nothing special happens.',
    },
  },
  retired: {
    qos: { reason: 'readings are always sent with QoS 1, so that none is lost', silentFor: ['1'] },
    retain: { reason: 'readings are never retained; publish_latest = yes keeps a copy of the newest at the broker' },
    topic_prefix: { reason: 'topics are always home/{home_id}/sensors/{device_uid}/...' },
    reconnect_delay_seconds: { reason: 'use reconnect_min_seconds and reconnect_max_seconds' },
    max_reconnect_attempts: { reason: 'the agent never stops trying; readings wait in the journal meanwhile' },
  },
} as const satisfies SectionSpec;
