import { CONNECTION_KEYS, CREDENTIAL_KEYS } from '../../common/config/broker-keys.ts';
import type { SectionSpec } from '../../common/config/schema.ts';

/** [mqtt]: the broker and what the server is to it. */
export const MQTT_SECTION = {
  doc:
    'Where the readings come from. The broker is the program that passes them on, for example Mosquitto, or the one inside ' +
    'Home Assistant.',
  keys: {
    broker_host: {
      format: 'host',
      default: 'localhost',
      doc: 'Name or address of the machine that runs the broker. localhost is this machine itself.',
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
        'Name of this connection at the broker, under which it keeps messages while the server is away; so it should stay the ' +
        'same, and no two clients may have the same. Empty: techtemp-server- followed by the instance.',
    },
    ...CONNECTION_KEYS,
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
      default: 30,
      min: 0.1,
      max: 3_600,
      unit: 'seconds',
      doc: 'Longest pause before connecting again. The server never gives up.',
    },
    instance: {
      format: 'id',
      default: 'main',
      doc:
        'Name of this server among several at one broker. It announces itself with it, in the topic ' +
        'techtemp/server/INSTANCE.',
    },
    receipts: {
      format: 'yes-no',
      default: true,
      doc:
        'Whether to confirm to the devices what is stored, after which they may forget it. Of several servers at one broker ' +
        'only the one that keeps the record may: say no on a server to try things out.',
    },
    home_id: {
      format: 'id',
      orAll: true,
      default: '+',
      doc: 'Home or site whose sensors to listen to, as in their device.conf. +: all that this broker has.',
    },
  },
} as const satisfies SectionSpec;
