import type { Clock } from '../clock.ts';
import type { Finding } from './finding.ts';
import { report } from './findings/catalogue.ts';
import { probePort, type Speech } from './port-probe.ts';

const UNKNOWN_ISSUER =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|CERT_UNTRUSTED)$/;
const NOT_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
/** What a server says whose client showed no certificate, or one that it does not like. */
const CLIENT_CERTIFICATE = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)/;

/** An attempt to reach a broker that failed. */
export interface FailedAttempt {
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
export async function tlsFinding(code: string, attempt: FailedAttempt, signal: AbortSignal): Promise<Finding> {
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
export async function closedFinding(attempt: FailedAttempt, signal: AbortSignal): Promise<Finding> {
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
