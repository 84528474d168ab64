import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { join } from 'node:path';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import { LinkError, linkError } from './errors.ts';

/** Name under which systemd (`LoadCredential=mqtt-password:…`) hands over the password. */
const PASSWORD_CREDENTIAL = 'mqtt-password';
const CREDENTIAL_KEY = 'systemd credential';
/** Byte order marks of what Windows calls Unicode text. */
const UTF16_MARKS = ['fffe', 'feff'];

/** The keys of an `[mqtt]` section that a connection is made of; the same in both programs. */
export interface BrokerSettings {
  readonly brokerHost: string;
  readonly brokerPort: number;
  readonly username: string;
  /** From `password`, `password_file` or the systemd credential `mqtt-password`; the files are read again for each connection. */
  readonly password: string;
  readonly passwordFile: string;
  readonly clientId: string;
  readonly keepaliveMs: number;
  readonly tls: boolean;
  readonly tlsCaFile: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  readonly tlsServerName: string;
}

/** What the config says about the connection. */
export interface BrokerIdentity {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly keepaliveMs: number;
  readonly tls?: BrokerTls;
}

/** PEM contents, not paths; all optional. */
export interface BrokerTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Name to expect in the broker's certificate; absent: the host. */
  readonly serverName?: string;
}

export interface BrokerSources {
  readonly mqtt: BrokerSettings;
  /** The client id where the config names none. */
  readonly defaultClientId: string;
  /** The environment; only CREDENTIALS_DIRECTORY is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Options of one attempt. Files are read again each time, so that a renewed certificate or password needs no restart.
 *
 * The password is the first that is given of: `password`, the content of `password_file`, the systemd credential
 * `mqtt-password`. Of a file it is the first line. Without a username there is no password either.
 * @throws LinkError LINK_FILE, naming the file and its key, never its content
 */
export async function readBrokerIdentity({ mqtt, defaultClientId, env }: BrokerSources): Promise<BrokerIdentity> {
  const login = mqtt.username === '' ? undefined : await readLogin(mqtt, env);
  const tls = mqtt.tls ? await readTls(mqtt) : undefined;
  return {
    host: mqtt.brokerHost,
    port: mqtt.brokerPort,
    clientId: mqtt.clientId === '' ? defaultClientId : mqtt.clientId,
    keepaliveMs: mqtt.keepaliveMs,
    ...login,
    ...(tls !== undefined && { tls }),
  };
}

async function readLogin(
  mqtt: BrokerSettings,
  env: BrokerSources['env'],
): Promise<{ readonly username: string; readonly password?: string }> {
  const password = await readPassword(mqtt, env);
  return { username: mqtt.username, ...(password !== undefined && { password }) };
}

async function readPassword(mqtt: BrokerSettings, env: BrokerSources['env']): Promise<string | undefined> {
  if (mqtt.password !== '') return mqtt.password;
  if (mqtt.passwordFile !== '')
    return firstLine('password_file', mqtt.passwordFile, await readKeyFile('password_file', mqtt.passwordFile));
  const directory = env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined || directory === '') return undefined;
  const path = join(directory, PASSWORD_CREDENTIAL);
  try {
    const content = await readFile(path);
    // The unit may pass an empty one, too.
    return content.toString('utf8').trim() === '' ? undefined : firstLine(CREDENTIAL_KEY, path, content);
  } catch (error) {
    if (error instanceof LinkError) throw error;
    // The unit may pass other credentials, or none for a broker without passwords.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(CREDENTIAL_KEY, path, error as NodeJS.ErrnoException);
  }
}

async function readTls(mqtt: BrokerSettings): Promise<BrokerTls> {
  if ((mqtt.tlsCertFile === '') !== (mqtt.tlsKeyFile === '')) {
    const [given, missing] =
      mqtt.tlsCertFile === '' ? ['tls_key_file', 'tls_cert_file'] : ['tls_cert_file', 'tls_key_file'];
    throw new LinkError('LINK_FILE', `${given} is set but ${missing} is not; a client certificate needs both`);
  }
  const read = async (key: string, path: string): Promise<Buffer | undefined> =>
    path === '' ? undefined : await readKeyFile(key, path);
  const [ca, cert, key] = await Promise.all([
    read('tls_ca_file', mqtt.tlsCaFile),
    read('tls_cert_file', mqtt.tlsCertFile),
    read('tls_key_file', mqtt.tlsKeyFile),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(mqtt.tlsServerName !== '' && { serverName: mqtt.tlsServerName }),
  };
}

async function readKeyFile(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fileError(key, path, error as NodeJS.ErrnoException);
  }
}

function fileError(key: string, path: string, error: NodeJS.ErrnoException): LinkError {
  const remedies: Readonly<Record<string, string>> = {
    ENOENT: 'it does not exist',
    EACCES: 'it may not be read by this user; check owner and permissions',
    EISDIR: 'it is a directory',
  };
  const why = remedies[error.code ?? ''] ?? error.code ?? error.message;
  return new LinkError('LINK_FILE', `cannot read ${key} ${path}: ${why}`, { cause: error });
}

/**
 * What editors of other systems add is no part of a password: a byte order mark, a carriage return, further lines. White space at its
 * ends may be meant. @throws LinkError LINK_FILE where the first line says nothing, or the file is not UTF-8 text
 */
function firstLine(key: string, path: string, content: Buffer): string {
  const problem = (what: string): LinkError => new LinkError('LINK_FILE', `${key} ${path}: ${what}`);
  if (UTF16_MARKS.includes(content.subarray(0, 2).toString('hex'))) throw problem('it is UTF-16; save it as UTF-8');
  const [line = ''] = content
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/);
  if (line === '') throw problem('its first line is empty; the password must stand there');
  return line;
}

/**
 * Node tries a name's addresses one after the other and gives each 250 ms, which a far broker behind a slow uplink misses
 * although it is well (https://github.com/nodejs/node/issues/54359); the whole attempt is bounded by connectTimeoutMs anyway.
 */
const PER_ADDRESS_TIMEOUT_MS = 3_000;

export interface BrokerPlace {
  readonly host: string;
  readonly port: number;
  readonly tls?: BrokerTls;
}

/** Starts to connect; the caller listens for what becomes of it. @throws LinkError LINK_TLS when key or certificate are unusable */
export function openBrokerSocket({ host, port, tls }: BrokerPlace): Socket {
  const way = { host, port, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: PER_ADDRESS_TIMEOUT_MS };
  const socket = tls === undefined ? connectTcp(way) : secured(way, tls);
  // Without it Nagle's algorithm and delayed acknowledgements cost a message 40 ms (measured: 249 -> 312 messages/s at 50 ms).
  socket.setNoDelay(true);
  return socket;
}

function secured(way: { readonly host: string; readonly port: number }, tls: BrokerTls): TLSSocket {
  const expectedName = tls.serverName ?? way.host;
  try {
    return connectTls({
      ...way,
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.cert !== undefined && { cert: tls.cert }),
      ...(tls.key !== undefined && { key: tls.key }),
      // An address is not a server name (RFC 6066, section 3), but it is checked against the certificate all the same.
      ...(isIP(expectedName) === 0 && { servername: expectedName }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(expectedName, certificate),
    });
  } catch (error) {
    const what = 'the CA, certificate or key given is unusable; check tls_ca_file, tls_cert_file and tls_key_file';
    throw linkError('LINK_TLS', way, `${what} (${(error as Error).message})`, error as Error);
  }
}

/** `protocol` of an `[mqtt]` section. */
export type ProtocolSetting = 'auto' | '5' | '3.1.1';

/**
 * MQTT 5 first, 3.1.1 where the broker wants it. Brokers that know only 3.1.1 say so in CONNACK or just hang up; so a hang-up
 * before CONNACK under one version is a reason to try the other. What worked last is tried first while the process lives.
 */
export class ProtocolChoice {
  #auto: 4 | 5 = 5;

  next(setting: ProtocolSetting): 4 | 5 {
    if (setting === 'auto') return this.#auto;
    return setting === '5' ? 5 : 4;
  }

  /** Another broker, perhaps. */
  reset(): void {
    this.#auto = 5;
  }

  /** An attempt has failed. @returns whether the other version is worth an attempt at once */
  failed(setting: ProtocolSetting, error: LinkError): boolean {
    if (setting !== 'auto') return false;
    if (error.code !== 'LINK_PROTOCOL_VERSION' && error.code !== 'LINK_CLOSED_EARLY') return false;
    this.#auto = this.#auto === 5 ? 4 : 5;
    // Only from 5 to 4: a broker that refuses both must not be asked without a pause.
    return this.#auto === 4;
  }
}
