import type { LogLevel } from '../../platform/log.ts';
import type { LimitedKind } from '../ingest/ingest.ts';
import type { RecordBounds, Registration } from '../store/ingest-store.ts';

/**
 * The server's configuration as its parts see it: validated, complete, frozen. One interface per section of server.conf;
 * `src/server/config/schema.ts` makes it from file, environment and flags. Hot unless it says "restart".
 */
export interface ServerConfig {
  readonly house: HouseSection;
  readonly mqtt: MqttSection;
  readonly ingest: IngestSection;
  readonly store: StoreSection;
  readonly http: HttpSection;
  readonly logging: LoggingSection;
}

export interface HouseSection {
  /** For people; title of the dashboard. May be empty. */
  readonly name: string;
  /** IANA name; days begin at its midnight. Default: the machine's. */
  readonly timeZone: string;
}

export interface MqttSection {
  readonly brokerHost: string;
  readonly brokerPort: number;
  readonly username: string;
  /** From `password`, `password_file` or the systemd credential `mqtt-password`; the files are read anew per connection. */
  readonly password: string;
  readonly passwordFile: string;
  /** Empty: `techtemp-server-{instance}`. The name of the persistent session. */
  readonly clientId: string;
  readonly keepaliveMs: number;
  readonly protocol: 'auto' | '5' | '3.1.1';
  readonly tls: boolean;
  readonly tlsCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  readonly tlsServerName: string;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** Names this server in `techtemp/server/{instance}`. */
  readonly instance: string;
  /** Whether it gives receipts; a staging server beside a production one must not. */
  readonly receipts: boolean;
  /** Home to listen to; `+`: all. */
  readonly homeId: string;
}

export interface IngestSection {
  readonly registration: Registration;
  /** Messages a transaction holds at most. */
  readonly batchMessages: number;
  /** Messages that may wait for the store before the socket is read no further. */
  readonly maxWaiting: number;
  readonly maxPayloadBytes: number;
  readonly maxRejected: number;
  /** What one device may bring in a minute. */
  readonly perMinute: Readonly<Record<LimitedKind, number>>;
  /** What devices can make new by speaking, in all. */
  readonly atMost: RecordBounds;
  /** What may wait in quarantine. */
  readonly maxQuarantine: number;
}

export interface StoreSection {
  /** File; empty: `$STATE_DIRECTORY/techtemp.db`, else `./var/techtemp.db`. Restart. */
  readonly path: string;
  /** With less room on the disk readiness fails (the store itself goes on until the disk is full). */
  readonly minFreeBytes: number;
}

export interface HttpSection {
  /** Restart. Beyond loopback writing needs a token. */
  readonly host: string;
  /** Restart. 0: any free one. */
  readonly port: number;
  /** Path prefix under which a reverse proxy shows the server: `/techtemp`, or empty. Restart. */
  readonly basePath: string;
  /** Believe X-Forwarded-* of a proxy: of those on loopback, or of these addresses and networks. Restart. */
  readonly trustProxy: readonly string[];
  /** PEM; empty: plain HTTP. Restart. */
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  /** Who may read without a token: `open` everybody who reaches the server, `token` nobody. */
  readonly reading: 'open' | 'token';
  /** Who may write: `auto` means everybody while the server listens on loopback only, else holders of a token. */
  readonly writing: 'auto' | 'token';
  /** Origins whose pages may use the API; empty: none but its own. */
  readonly corsOrigins: readonly string[];
  /** Names, in small letters, under which the server is reached besides those that always lead to it. */
  readonly hostNames?: readonly string[];
  /** Requests per minute and address; 0: no limit. */
  readonly ratePerMinute: number;
  readonly maxBodyBytes: number;
}

export interface LoggingSection {
  readonly logLevel: LogLevel;
  readonly logFormat: 'auto' | 'json' | 'journald' | 'pretty';
}
