import type { SectionSpec } from './schema.ts';

type Keys = SectionSpec['keys'];

/** [mqtt] of both programs: who we are at the broker. */
export const CREDENTIAL_KEYS = {
  username: { format: 'text', default: '', doc: 'User name at the broker. Empty: none is sent.' },
  password: {
    format: 'text',
    default: '',
    secret: true,
    doc:
      'Password at the broker. Whoever may read this file may read it: password_file keeps it out of here. Put it into ' +
      'quotes if it contains a # or begins with a quote.',
  },
  password_file: {
    format: 'path',
    default: '',
    doc:
      'File whose first line is the password, instead of password. It is read again for each connection. Under systemd ' +
      'the credential mqtt-password does the same and needs neither.',
  },
} as const satisfies Keys;

/** [mqtt] of both programs: how to speak to the broker. */
export const CONNECTION_KEYS = {
  keepalive_seconds: {
    format: 'integer',
    default: 60,
    min: 5,
    // Two bytes on the wire (MQTT 5, 3.1.2.10). 0 would mean never to notice a dead connection, so it is not offered.
    max: 65_535,
    unit: 'seconds',
    doc: 'How often to ask a silent broker whether it is still there. A dead connection is noticed after 1.5 times this.',
  },
  protocol: {
    format: 'choice',
    values: ['auto', '5', '3.1.1'],
    default: 'auto',
    doc: 'MQTT version. auto: 5, and 3.1.1 where the broker wants that.',
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
      'and the two files below are read again for each connection, so a renewed certificate needs nothing else.',
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
    doc: 'Name that the certificate of the broker must carry, where that is not broker_host.',
  },
} as const satisfies Keys;
