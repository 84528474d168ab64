import type { LinkError } from '../mqtt/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Finding } from './finding.ts';
import { report } from './findings/catalogue.ts';
import { probePort, type Speech } from './machine.ts';

const UNKNOWN_ISSUER =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|CERT_UNTRUSTED)$/;
const NOT_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
/** What a server says whose client showed no certificate, or one that it does not like. */
const CLIENT_CERTIFICATE = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)/;

/** Reason codes for a client id that the broker does not take: MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const BAD_CLIENT_ID: readonly (number | undefined)[] = [0x02, 0x85];

/** An attempt to connect to a broker. */
export interface Attempt {
  readonly mqtt: {
    readonly brokerHost: string;
    readonly brokerPort: number;
    readonly tls: boolean;
    readonly tlsServerName: string;
    readonly username: string;
    readonly protocol: 'auto' | '5' | '3.1.1';
  };
  readonly clientId: string;
  /** The user name that the remedies suggest. */
  readonly account: string;
  readonly configFile: string;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
}

/** What the failure of an attempt to connect means. Asks the port again only where the error leaves several causes open. */
export async function connectionFinding(error: LinkError, attempt: Attempt, signal: AbortSignal): Promise<Finding> {
  const { mqtt, account, clientId, configFile: file, clock } = attempt;
  const { brokerHost: host, brokerPort: port, tls, tlsServerName } = mqtt;
  const problem = error.message;
  const failed = { host, port, tls, tlsServerName, problem, configFile: file, clock };
  const place = { host, port, problem, file };
  const login = { user: userOf(mqtt), problem, account, file };
  switch (error.code) {
    case 'LINK_DNS':
      return report('connection.dns', place);
    case 'LINK_CONNECTION_REFUSED':
      return report('connection.refused', place);
    case 'LINK_OFFLINE':
      return report('connection.unreachable', place);
    case 'LINK_TIMEOUT':
      return report('connection.time-out', place);
    case 'LINK_TLS':
      return await tlsFinding(causeCode(error), failed, signal);
    case 'LINK_CLOSED_EARLY':
      return await closedFinding(failed, signal);
    case 'LINK_CREDENTIALS':
      return report('broker.credentials', login);
    case 'LINK_NOT_AUTHORIZED':
      return report('broker.not-authorized', login);
    case 'LINK_PROTOCOL_VERSION':
      return report('broker.protocol', { version: mqtt.protocol === '3.1.1' ? '3.1.1' : '5', file });
    case 'LINK_FILE':
      return report('connection.file', { problem });
    case 'LINK_REFUSED':
      return BAD_CLIENT_ID.includes(error.reasonCode)
        ? report('broker.client-id', { clientId, problem, file })
        : report('broker.refused', { problem });
    case 'LINK_TOO_LARGE':
    case 'LINK_PUBLISH_REFUSED':
    case 'LINK_SUBSCRIBE_REFUSED':
      return report('broker.refused', { problem });
  }
}

/** For people: the user name, or that there is none. */
export function userOf({ username }: Pick<Attempt['mqtt'], 'username'>): string {
  return username === '' ? 'an anonymous client' : `user ${username}`;
}

interface FailedAttempt {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly tlsServerName: string;
  /** What was said, for people. */
  readonly problem: string;
  readonly configFile: string;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
}

/** What a TLS error with that code means. Asks the port again where the code leaves several causes open. */
async function tlsFinding(code: string, attempt: FailedAttempt, signal: AbortSignal): Promise<Finding> {
  const { host, port, problem, clock, tlsServerName, configFile: file } = attempt;
  const place = { host, port, problem, file };
  if (UNKNOWN_ISSUER.test(code)) return report('connection.tls-unknown-ca', place);
  if (code === 'CERT_HAS_EXPIRED') return report('connection.tls-expired', place);
  if (code === 'CERT_NOT_YET_VALID') {
    return report('connection.tls-not-yet-valid', { ...place, time: new Date(clock.nowMs()).toISOString() });
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return report('connection.tls-name', { ...place, name: tlsServerName === '' ? host : tlsServerName });
  }
  if (CLIENT_CERTIFICATE.test(code)) return report('connection.tls-client-certificate', place);
  const speech = await probePort(host, port, clock, signal);
  if (speech === 'mqtt') return report('connection.tls-to-plain', place);
  const guess = GUESSES[speech];
  if (guess !== undefined) return report('connection.not-mqtt', { ...place, guess });
  return NOT_TLS.test(code) ? report('connection.tls-to-plain', place) : report('connection.tls-failed', place);
}

/** What it means that the other side hung up before it said whether it accepts us. Asks the port again. */
async function closedFinding(attempt: FailedAttempt, signal: AbortSignal): Promise<Finding> {
  const { host, port, problem, clock, tls, configFile: file } = attempt;
  const place = { host, port, problem, file };
  // With TLS the handshake is over by now: what hung up is behind it.
  if (tls) return report('connection.lost', place);
  const speech = await probePort(host, port, clock, signal);
  if (speech === 'tls') return report('connection.plain-to-tls', place);
  const guess = GUESSES[speech];
  return guess === undefined ? report('connection.lost', place) : report('connection.not-mqtt', { ...place, guess });
}

const GUESSES: Readonly<Partial<Record<Speech, string>>> = {
  http: 'a web server listens there (Home Assistant, a router, the websocket port of the broker)',
  ssh: 'an SSH server listens there',
  mail: 'a mail or FTP server listens there',
  unknown: 'another kind of server listens there',
};

function causeCode({ cause }: LinkError): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}
