import type { SectionSpec } from '../../common/config/schema.ts';

/** [http]: who may ask for the readings, and how. */
export const HTTP_SECTION = {
  doc: 'The HTTP API, its documentation at /docs, and the dashboard.',
  keys: {
    host: {
      format: 'host',
      default: '127.0.0.1',
      restart: true,
      doc:
        'Address to listen on. 127.0.0.1: this machine alone. 0.0.0.0 or :: is every network of this machine; then whoever ' +
        'writes needs a token ("techtemp-server token create").',
    },
    port: {
      format: 'integer',
      default: 3_000,
      min: 0,
      max: 65_535,
      restart: true,
      doc: 'Port to listen on. 0: any that is free; the log names it.',
    },
    base_path: {
      format: 'url-prefix',
      default: '',
      restart: true,
      doc: 'Path below which a reverse proxy shows the server, such as /techtemp. Empty: none.',
    },
    trust_proxy: {
      format: 'network-list',
      default: 'loopback',
      restart: true,
      doc:
        'Reverse proxies whose word (X-Forwarded-For, -Proto, -Host) is believed, divided by commas: addresses, networks such ' +
        'as 10.0.0.0/8, or the words loopback (this machine), linklocal, uniquelocal (private networks). Empty: none.',
    },
    tls_cert_file: {
      format: 'path',
      default: '',
      restart: true,
      doc: 'Certificate (PEM, with what leads to its authority) for HTTPS. Needs tls_key_file. Empty: plain HTTP.',
    },
    tls_key_file: { format: 'path', default: '', restart: true, doc: 'Private key (PEM) of the certificate.' },
    reading: {
      format: 'choice',
      values: ['open', 'token'],
      default: 'open',
      doc: 'Who may read. open: whoever reaches the server. token: only with a token.',
    },
    writing: {
      format: 'choice',
      values: ['auto', 'token'],
      default: 'auto',
      doc:
        'Who may change rooms and devices. auto: whoever is on this machine; from elsewhere, or through a reverse proxy, only with ' +
        'a token. token: only with a token.',
    },
    cors_origins: {
      format: 'origin-list',
      default: '',
      doc:
        'Other web pages that may use the API from the browser of a visitor, such as https://climate.example.org, divided by ' +
        'commas. Empty: none.',
    },
    host_names: {
      format: 'name-list',
      default: '',
      doc:
        'Names under which browsers reach this server, such as climate.example.org, divided by commas. Addresses, localhost, names without ' +
        'a dot, and names of a home network (raspberrypi.local, .lan, .internal, .home.arpa, .fritz.box) always do. A request for any other ' +
        'name is refused, because a foreign page could be behind it.',
    },
    rate_per_minute: {
      format: 'integer',
      default: 600,
      min: 0,
      max: 1_000_000,
      unit: 'requests a minute',
      doc: 'How many requests one address may make in a minute. 0: as many as it likes.',
    },
    max_body_kb: {
      format: 'integer',
      default: 256,
      // One device to provision needs a sixth of a kilobyte; a body is read into memory whole.
      min: 1,
      max: 16_384,
      unit: 'kB',
      doc: 'Longest request that is read.',
    },
  },
} as const satisfies SectionSpec;
