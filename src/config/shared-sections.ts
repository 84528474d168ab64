import type { Verdict } from './load.ts';
import type { SectionSpec, ValuesOf } from './schema.ts';

type Keys = SectionSpec['keys'];

/** [mqtt] of both programs: where the broker is. `here` names this machine for people. */
export function brokerAddressKeys(here: string) {
  return {
    broker_host: {
      format: 'host',
      default: 'localhost',
      doc: `Name or address of the machine that runs the broker. localhost is ${here} itself.`,
    },
    broker_port: {
      format: 'integer',
      default: 1883,
      min: 1,
      max: 65_535,
      doc: 'Port of the broker: usually 1883, or 8883 with TLS.',
    },
  } as const satisfies Keys;
}

/** [mqtt] of both programs: the account at the broker. */
export const BROKER_ACCOUNT_KEYS = {
  username: { format: 'text', default: '', doc: 'User name at the broker. Empty: none is sent.' },
  password: {
    format: 'text',
    default: '',
    sensitive: true,
    doc:
      'Password at the broker. Anyone who can read this file can see it; use password_file to keep it out of here. Put it ' +
      'into quotes if it contains a # or begins with a quote.',
  },
  password_file: {
    format: 'path',
    default: '',
    doc:
      'File whose first line is the password, to use instead of password. It is read again for each connection. Under ' +
      'systemd, the credential mqtt-password does the same and needs neither.',
  },
} as const satisfies Keys;

/** [mqtt] of both programs: how to speak to the broker. */
export const BROKER_CONNECTION_KEYS = {
  keepalive_seconds: {
    format: 'whole-seconds',
    default: 60,
    min: 5,
    // Two bytes on the wire (MQTT 5, 3.1.2.10). 0 would mean never to notice a dead connection, so it is not offered.
    max: 65_535,
    doc: 'How often to ask a silent broker whether it is still there. A dead connection is noticed after 1.5 times this.',
  },
  protocol: {
    format: 'choice',
    values: ['auto', '5', '3.1.1'],
    default: 'auto',
    doc: 'MQTT version. auto: 5, or 3.1.1 if the broker asks for that.',
  },
  tls: {
    format: 'yes-no',
    default: false,
    doc: 'Encrypt the connection. The broker must offer it, usually on port 8883.',
  },
  tls_ca_file: {
    format: 'path',
    default: '',
    doc:
      'Certificate of the authority that signed the certificate of the broker (PEM). Empty: the public authorities. This ' +
      'file and the two below are read again for each connection, so a renewed certificate needs nothing else.',
  },
  tls_cert_file: {
    format: 'path',
    default: '',
    doc: 'Own certificate (PEM), for a broker that identifies its clients by certificate. Needs tls_key_file.',
  },
  tls_key_file: { format: 'path', default: '', doc: 'Private key of the own certificate (PEM).' },
  tls_server_name: {
    format: 'host',
    default: '',
    doc: 'Name that the certificate of the broker must carry, if it is not broker_host.',
  },
} as const satisfies Keys;

/** [mqtt] of both programs: how long to wait before connecting again. */
export function brokerReconnectKeys(program: string, maxSeconds: number) {
  return {
    reconnect_min_seconds: {
      format: 'seconds',
      default: 1,
      min: 0.1,
      max: 3_600,
      doc: 'First pause before connecting again. It doubles after each failure, with a random part.',
    },
    reconnect_max_seconds: {
      format: 'seconds',
      default: maxSeconds,
      min: 0.1,
      max: 3_600,
      doc: `Longest pause before connecting again. The ${program} never gives up.`,
    },
  } as const satisfies Keys;
}

type BrokerKeys = ReturnType<typeof brokerAddressKeys> &
  typeof BROKER_ACCOUNT_KEYS &
  typeof BROKER_CONNECTION_KEYS &
  ReturnType<typeof brokerReconnectKeys>;
type BrokerSchema = { readonly mqtt: { readonly doc: string; readonly keys: BrokerKeys } };

/** What [mqtt] of both programs says about the connection. */
type BrokerValues = ValuesOf<BrokerSchema>['mqtt'];
type BrokerVerdict = Verdict<BrokerSchema>;

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

/** [logging] of both programs. `debug` says what the level debug adds. */
export function loggingSection(parts: { readonly program: string; readonly unit: string; readonly debug: string }) {
  return {
    doc: `The log of the ${parts.program}. Under systemd, read it with "journalctl -u ${parts.unit}".`,
    keys: {
      log_level: {
        format: 'log-level',
        default: 'info',
        doc: `How much to write: info for every change of state, debug for ${parts.debug}.`,
      },
      log_format: {
        format: 'choice',
        values: ['auto', 'json', 'journald', 'pretty'],
        default: 'auto',
        doc: 'auto: for systemd if it listens, pretty on a terminal, otherwise one JSON object per line.',
      },
    },
  } as const satisfies SectionSpec;
}
