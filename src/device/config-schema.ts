import type { ConfigSchema } from '../config/schema.ts';
import {
  BROKER_ACCOUNT_KEYS,
  BROKER_CONNECTION_KEYS,
  brokerAddressKeys,
  brokerReconnectKeys,
  loggingSection,
} from '../config/shared-sections.ts';

/** The head of the annotated device.conf. */
export const DEVICE_CONF_INTRO = [
  'TechTemp: the settings of the agent that reads the sensor on this machine.',
  '',
  'Lines that begin with # are comments. Every setting is shown with its default: to change one, remove the # before it and ' +
    'write another value. Most people need only room, label and broker_host.',
  '',
  'A change takes effect when the file is saved; nothing has to be restarted. If there is a mistake in the file, the agent ' +
    'keeps the settings that it had. Its log says what is wrong, and in which line. "systemctl reload techtemp-device" says ' +
    'so at once; "techtemp-device config" shows which settings are in force and where each one comes from.',
  '',
  'A time or a size may have a unit: 30s, 5 min, 1h, 2d, 64 MB. A number without one is in the unit at the end of the name ' +
    '(read_interval_seconds, min_free_mb).',
  '',
  'Put a value into "quotes" if it contains a # after a space, or begins with # or a quote. An environment variable ' +
    'overrides a setting: TECHTEMP_MQTT_BROKER_HOST overrides broker_host in section [mqtt].',
].join('\n');

/** Every key of device.conf, once. */
export const DEVICE_SCHEMA = {
  device: {
    doc: 'What this device is.',
    keys: {
      device_uid: {
        format: 'id',
        default: '',
        doc:
          'Identity of this sensor for ever: all its readings are stored under it. No two devices may have the same one, and ' +
          'a replacement for a broken machine takes over the old one. Empty: aht20- and the last six digits of the ' +
          'network address, chosen once and then remembered.',
      },
      home_id: { format: 'id', default: 'home-001', doc: 'Name of the home or site; part of the topic.' },
      label: { format: 'text', default: '', doc: 'Name of the sensor for people, for example "Window sill".' },
      room: {
        format: 'text',
        default: '',
        doc: 'Room in which the sensor stands, for example "Living room". A TechTemp server registers it there.',
      },
    },
    retired: { room_id: { reason: 'use room, with the name of the room as people say it' } },
  },
  sensor: {
    doc: 'The sensor and when to read it.',
    keys: {
      type: {
        format: 'choice',
        values: ['auto', 'aht20', 'simulated'],
        default: 'auto',
        doc:
          'auto: find out which chip answers (AHT10, AHT20, AHT21, AHT25, AHT30, DHT20). aht20: do not look further. ' +
          'simulated: invented values, to try things out without a sensor.',
      },
      i2c_bus: {
        format: 'integer',
        default: 1,
        min: 0,
        // Multiplexers and software buses add numbers; none counts this far.
        max: 255,
        doc: 'Number of the I2C bus: 1 (/dev/i2c-1) for pins 3 and 5 of every Raspberry Pi except the very first model.',
      },
      i2c_address: {
        format: 'address',
        default: 0x38,
        // 7-bit addresses outside are reserved by the I2C specification (UM10204, 3.1.12).
        min: 0x08,
        max: 0x77,
        doc: 'Address of the sensor on the bus. It is 0x38 for all of these chips.',
      },
      read_interval_seconds: {
        format: 'seconds',
        default: 30,
        min: 0.1,
        max: 3_600,
        doc: 'Time between two readings. Below 2 seconds the sensor warms itself and reads too high.',
      },
      temperature_offset: {
        format: 'number',
        default: 0,
        // Heat from the board shifts a reading by a few degrees; more is a typing error or a broken sensor.
        min: -20,
        max: 20,
        unit: '°C',
        doc: 'Added to the temperature, for example -0.5 when the sensor reads half a degree too high. Humidity is corrected with it.',
      },
      humidity_offset: {
        format: 'number',
        default: 0,
        min: -30,
        max: 30,
        unit: '%RH',
        doc: 'Added to the relative humidity.',
      },
    },
  },
  mqtt: {
    doc:
      'Where the readings go. The broker is the program that passes them on, for example Mosquitto, or the one inside ' +
      'Home Assistant.',
    keys: {
      ...brokerAddressKeys('this Raspberry Pi'),
      ...BROKER_ACCOUNT_KEYS,
      client_id: {
        format: 'text',
        default: '',
        doc:
          'Name of this connection at the broker. No two clients may have the same one: they would push each other out. ' +
          'Empty: techtemp- followed by the device_uid.',
      },
      ...BROKER_CONNECTION_KEYS,
      delivery: {
        format: 'choice',
        values: ['auto', 'receipt', 'broker'],
        default: 'auto',
        doc:
          'When a reading may leave the journal on this machine. receipt: when the TechTemp server confirms that it has ' +
          'stored it. broker: when the broker has taken it; a broker may still lose it. auto: broker until a server that ' +
          'gives receipts has been seen once, then receipt.',
      },
      no_subscriber: {
        format: 'choice',
        values: ['keep', 'release'],
        default: 'keep',
        doc:
          'What happens to a reading when the broker says that there is no subscriber for it (MQTT 5; older brokers cannot ' +
          'tell). keep: it stays in the journal, up to max_readings, and goes out when there is one: a server that is ' +
          'installed later gets them all. release: it leaves the journal all the same. With Home Assistant alone, which ' +
          'reads the topic latest, keep is normal and only costs room on the disk.',
      },
      receipt_timeout_seconds: {
        format: 'seconds',
        default: 30,
        // Below a second a busy server is asked twice for every reading; an hour is longer than any server needs.
        min: 1,
        max: 3_600,
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
        doc: 'After an outage: how many readings go into one message, if the server takes several.',
      },
      replay_per_second: {
        format: 'number',
        default: 50,
        // A default Mosquitto drops what a slow subscriber has not taken beyond 1000 messages.
        min: 0.1,
        max: 1_000,
        unit: 'readings a second',
        doc: 'After an outage: how fast the buffered readings go out when they go one by one.',
      },
      ...brokerReconnectKeys('agent', 60),
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
        doc: 'Whether others may ask for a reading at once, with a message to the topic .../command.',
      },
      status_interval_seconds: {
        format: 'seconds',
        default: 300,
        // Every change of state is published at once anyway; this only refreshes the counters.
        min: 10,
        max: 86_400,
        doc: 'How often the status message is sent again when nothing changes.',
      },
    },
    retired: {
      qos: { reason: 'readings are always sent with QoS 1, so that none is lost', silentFor: ['1'] },
      retain: { reason: 'readings are never retained; publish_latest = yes keeps a copy of the newest at the broker' },
      topic_prefix: { reason: 'topics are always home/{home_id}/sensors/{device_uid}/...' },
      reconnect_delay_seconds: { reason: 'use reconnect_min_seconds and reconnect_max_seconds' },
      max_reconnect_attempts: { reason: 'the agent never stops trying; readings wait in the journal meanwhile' },
    },
  },
  journal: {
    doc: 'The journal on this machine that keeps readings until they are delivered.',
    keys: {
      path: {
        format: 'path',
        default: '',
        doc: 'Folder of the journal. Empty: the state folder of the service, /var/lib/techtemp/journal as installed.',
      },
      max_readings: {
        format: 'integer',
        default: 500_000,
        // Half a million is half a year at one reading in 30 seconds.
        min: 100,
        max: 50_000_000,
        doc: 'How many readings to keep at most while they cannot be delivered.',
      },
      when_full: {
        format: 'choice',
        values: ['thin', 'drop-oldest'],
        default: 'thin',
        doc:
          'What to do when it is full. thin: remove every second reading of the oldest part, again and again, so that a long ' +
          'outage is kept with less detail. drop-oldest: remove the oldest. Both deliver a record of what is missing.',
      },
      min_free_mb: {
        format: 'MB',
        default: 64,
        // Below this, other services on the card begin to fail.
        min: 0,
        max: 1_000_000,
        doc: 'Room to leave on the disk for others; with less the journal counts as full.',
      },
    },
  },
  clock: {
    doc: 'The time of the readings. A Raspberry Pi has no clock of its own and starts in the past after a power cut.',
    keys: {
      source: {
        format: 'choice',
        values: ['auto', 'trust'],
        default: 'auto',
        doc:
          'auto: ask the time service of the system (systemd-timesyncd, chrony, NTPsec, ntpd, openntpd) whether the time is right ' +
          'yet. trust: it is right from the start, as with a clock module, or with openntpd if only root may ask it. If the ' +
          'clock is set to another time while the agent runs, the agent does not believe it until the time service confirms it.',
      },
      clock_wait_seconds: {
        format: 'seconds',
        default: 120,
        // Wi-Fi and the first answer from the network take a minute on a slow Pi; a day means never to give up.
        min: 0,
        max: 86_400,
        doc:
          'How long readings wait for the right time after the start, or after the clock was set to another time. After that ' +
          'they are sent with the time of the clock, marked as uncertain.',
      },
    },
  },
  homeassistant: {
    doc: 'Home Assistant.',
    keys: {
      discovery: {
        format: 'yes-no',
        default: false,
        doc: 'Announce the sensor so that it appears in Home Assistant by itself.',
      },
      discovery_prefix: {
        format: 'topic',
        default: 'homeassistant',
        doc: 'Topic under which Home Assistant looks for announcements; its own default is homeassistant.',
      },
    },
  },
  logging: {
    ...loggingSection({ program: 'agent', unit: 'techtemp-device', debug: 'every reading' }),
    retired: {
      log_to_console: { reason: 'the log always goes to the terminal, or to the log of systemd' },
      log_to_file: { reason: 'systemd keeps the log: journalctl -u techtemp-device' },
      log_file_path: { reason: 'systemd keeps the log: journalctl -u techtemp-device' },
    },
  },
  system: {
    doc: '',
    keys: {},
    retired: {
      daemon_mode: { reason: 'systemd starts the agent and watches it' },
      pid_file: { reason: 'systemd knows the process: systemctl status techtemp-device' },
      shutdown_timeout_seconds: { reason: 'the time to stop is TimeoutStopSec= of the systemd unit' },
    },
  },
} as const satisfies ConfigSchema;
