import type { ConfigSchema, ValuesOf } from '../../common/config/schema.ts';
import { MQTT_SECTION } from './mqtt-keys.ts';

/** The head of the annotated device.conf. */
export const DEVICE_CONF_INTRO = [
  'TechTemp: the settings of the agent that reads the sensor on this machine.',
  '',
  'Lines that begin with # are comments. Every setting is shown with its default: to change one, remove the # before it and ' +
    'write another value. Most people need only room, label and broker_host.',
  '',
  'A change takes effect when the file is saved, nothing has to be restarted. If there is a mistake in the file, the agent ' +
    'goes on with the settings it had and says in its log what is wrong, in which line. "systemctl reload techtemp-device" ' +
    'says so at once; "techtemp-device config" shows what is in force and where it comes from.',
  '',
  'Put a value into "quotes" if it contains a # after a space, or begins with # or a quote. An environment variable ' +
    'overrides a setting: TECHTEMP_MQTT_BROKER_HOST stands for broker_host in section [mqtt].',
].join('\n');

/** Every key of device.conf. What each means for the parts: device-config.ts. */
export const DEVICE_SCHEMA = {
  device: {
    doc: 'Who this is.',
    keys: {
      device_uid: {
        format: 'id',
        default: '',
        doc:
          'Identity of this sensor for ever: all its readings are stored under it, so no two devices may have the same, and ' +
          'a replacement for a broken machine takes over the old one. Empty: aht20- and the last six digits of the ' +
          'network address, decided once and then remembered.',
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
        doc: 'Number of the I2C bus: 1 for pins 3 and 5 of every Raspberry Pi but the very first. It is /dev/i2c-1 then.',
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
        format: 'number',
        default: 30,
        min: 0.1,
        max: 3_600,
        unit: 'seconds',
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
  mqtt: MQTT_SECTION,
  journal: {
    doc: 'The journal on this machine that keeps readings until they have been delivered.',
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
        doc: 'How many readings to keep at most while nobody takes them.',
      },
      when_full: {
        format: 'choice',
        values: ['thin', 'drop-oldest'],
        default: 'thin',
        doc:
          'What to do then. thin: every second reading of the oldest part goes, again and again, so a long outage is kept ' +
          'more coarsely. drop-oldest: the oldest go. Either way a record of what is missing is delivered.',
      },
      min_free_mb: {
        format: 'integer',
        default: 64,
        // Below this, other services on the card begin to fail.
        min: 0,
        max: 1_000_000,
        unit: 'MB',
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
          'yet. trust: it is right from the start, as with a clock module, or with openntpd where that answers only root. A clock ' +
          'that is set to another time while the agent runs is not believed until the time service confirms it.',
      },
      clock_wait_seconds: {
        format: 'number',
        default: 120,
        // Wi-Fi and the first answer from the network take a minute on a slow Pi; a day means never to give up.
        min: 0,
        max: 86_400,
        unit: 'seconds',
        doc:
          'How long readings wait for the right time after the start, or after the clock was set to another time. Then they are ' +
          'sent with the time there is, marked as uncertain.',
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
    doc: 'The log of the agent. Under systemd it is read with "journalctl -u techtemp-device".',
    keys: {
      log_level: {
        format: 'log-level',
        default: 'info',
        doc: 'How much to write: info for every change of state, debug for every reading.',
      },
      log_format: {
        format: 'choice',
        values: ['auto', 'json', 'journald', 'pretty'],
        default: 'auto',
        doc: 'auto: for systemd where it listens, pretty on a terminal, else one JSON object a line.',
      },
    },
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

export type DeviceSchema = typeof DEVICE_SCHEMA;
export type DeviceValues = ValuesOf<DeviceSchema>;
