import type { LinkError } from '../../mqtt/link-session.ts';
import { type Finding, report } from '../finding.ts';
import { probePort, type Speech } from '../port-probe.ts';
import { type BrokerParts, userOf } from './broker-parts.ts';

/** Reason codes for a client id that the broker does not take: MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const BAD_CLIENT_ID: readonly (number | undefined)[] = [0x02, 0x85];
const UNKNOWN_ISSUER =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|CERT_UNTRUSTED)$/;
const NOT_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
/** What a server says whose client showed no certificate, or one that it does not like. */
const CLIENT_CERTIFICATE = /^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)/;

/** What the failure of an attempt to connect means. Asks the port again only where the error leaves several causes open. */
export async function connectionFinding(
  error: LinkError,
  parts: BrokerParts,
  clientId: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { mqtt, deviceUid, configFile: file } = parts;
  const place = { host: mqtt.brokerHost, port: mqtt.brokerPort, problem: error.message, file };
  const login = { user: userOf(parts), problem: error.message, deviceUid, file };
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
      return await tlsFinding(error, parts, signal);
    case 'LINK_CLOSED_EARLY':
      return await closedFinding(error, parts, signal);
    case 'LINK_CREDENTIALS':
      return report('broker.credentials', login);
    case 'LINK_NOT_AUTHORIZED':
      return report('broker.not-authorized', login);
    case 'LINK_PROTOCOL_VERSION':
      return report('broker.protocol', { version: mqtt.protocol === '3.1.1' ? '3.1.1' : '5', file });
    case 'LINK_FILE':
      return report('connection.file', { problem: error.message });
    case 'LINK_REFUSED':
      return BAD_CLIENT_ID.includes(error.reasonCode)
        ? report('broker.client-id', { clientId, problem: error.message, file })
        : report('broker.refused', { problem: error.message });
    case 'LINK_TOO_LARGE':
    case 'LINK_PUBLISH_REFUSED':
    case 'LINK_SUBSCRIBE_REFUSED':
      return report('broker.refused', { problem: error.message });
  }
}

async function tlsFinding(error: LinkError, parts: BrokerParts, signal: AbortSignal): Promise<Finding> {
  const { mqtt, clock, configFile: file } = parts;
  const place = { host: mqtt.brokerHost, port: mqtt.brokerPort, problem: error.message, file };
  const code = causeCode(error);
  if (UNKNOWN_ISSUER.test(code)) return report('connection.tls-unknown-ca', place);
  if (code === 'CERT_HAS_EXPIRED') return report('connection.tls-expired', place);
  if (code === 'CERT_NOT_YET_VALID') {
    return report('connection.tls-not-yet-valid', { ...place, time: new Date(clock.nowMs()).toISOString() });
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const name = mqtt.tlsServerName === '' ? mqtt.brokerHost : mqtt.tlsServerName;
    return report('connection.tls-name', { ...place, name });
  }
  if (CLIENT_CERTIFICATE.test(code)) return report('connection.tls-client-certificate', place);
  const speech = await probePort(mqtt.brokerHost, mqtt.brokerPort, clock, signal);
  if (speech === 'mqtt') return report('connection.tls-to-plain', place);
  const guess = GUESSES[speech];
  if (guess !== undefined) return report('connection.not-mqtt', { ...place, guess });
  return NOT_TLS.test(code) ? report('connection.tls-to-plain', place) : report('connection.tls-failed', place);
}

async function closedFinding(error: LinkError, parts: BrokerParts, signal: AbortSignal): Promise<Finding> {
  const { mqtt, clock, configFile: file } = parts;
  const place = { host: mqtt.brokerHost, port: mqtt.brokerPort, problem: error.message, file };
  // With TLS the handshake is over by now: what hung up is behind it.
  if (mqtt.tls) return report('connection.lost', place);
  const speech = await probePort(mqtt.brokerHost, mqtt.brokerPort, clock, signal);
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
