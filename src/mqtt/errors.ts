/**
 * LINK_OFFLINE: no way to the host, or the connection broke. LINK_CLOSED_EARLY: the host accepted and hung up before CONNACK, as
 * brokers do with a protocol version they do not know. LINK_FILE: a file of ours (certificate, key, password) is at fault.
 */
export type LinkErrorCode =
  | 'LINK_OFFLINE'
  | 'LINK_CLOSED_EARLY'
  | 'LINK_DNS'
  | 'LINK_CONNECTION_REFUSED'
  | 'LINK_TLS'
  | 'LINK_TIMEOUT'
  | 'LINK_CREDENTIALS'
  | 'LINK_NOT_AUTHORIZED'
  | 'LINK_PROTOCOL_VERSION'
  | 'LINK_REFUSED'
  | 'LINK_TOO_LARGE'
  | 'LINK_PUBLISH_REFUSED'
  | 'LINK_SUBSCRIBE_REFUSED'
  | 'LINK_FILE';

/** Another client logged in with our client id (MQTT 5, 3.14.2.1). */
export const SESSION_TAKEN_OVER = 0x8e;

/** Something between us and the broker. `reasonCode` is the broker's own where it gave one. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;
  readonly reasonCode: number | undefined;

  constructor(
    code: LinkErrorCode,
    message: string,
    options?: ErrorOptions & { readonly reasonCode?: number | undefined },
  ) {
    super(message, options);
    this.code = code;
    this.reasonCode = options?.reasonCode;
  }
}

/** An error that concerns one message or filter; the session itself goes on. */
export function isRefusal(error: unknown): error is LinkError {
  if (!(error instanceof LinkError)) return false;
  return (
    error.code === 'LINK_PUBLISH_REFUSED' || error.code === 'LINK_TOO_LARGE' || error.code === 'LINK_SUBSCRIBE_REFUSED'
  );
}

/** The one door through which errors of sockets, TLS, an MQTT library and the broker become LinkErrors. No credentials pass it. */

/** What the messages say of the place. */
export interface Peer {
  readonly host: string;
  readonly port: number;
}

/** How far an attempt got; a connection that ends means something else at each step. */
export type LinkPhase = 'connecting' | 'tls' | 'mqtt' | 'established';

/** An error of the socket or of an MQTT library. `now` is this machine's wall clock, for certificates that are not valid yet. */
export function fromSocketError(error: Error, peer: Peer, phase: LinkPhase, now: Date): LinkError {
  const code = errorCode(error);
  const certificate = CERTIFICATE_PROBLEMS[code];
  if (certificate !== undefined) return linkError('LINK_TLS', peer, certificate(now, error), error);
  const network = NETWORK_PROBLEMS[code];
  if (network !== undefined && (code !== 'ECONNRESET' || phase === 'established')) {
    return linkError(network[0], peer, network[1], error);
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO' || phase === 'tls') {
    return linkError('LINK_TLS', peer, tlsProblem(code, error), error);
  }
  if (phase === 'established' && error.message === KEEPALIVE_TIMEOUT) {
    return linkError('LINK_OFFLINE', peer, 'the broker did not answer our keep-alive', error);
  }
  if (phase === 'established') return linkError('LINK_OFFLINE', peer, `the connection broke (${reason(error)})`, error);
  if (phase === 'mqtt') return closedBeforeConnack(peer, error);
  return linkError('LINK_OFFLINE', peer, `no connection (${reason(error)})`, error);
}

/** The stream ended without an error. */
export function fromClose(peer: Peer, phase: LinkPhase): LinkError {
  if (phase === 'established') return linkError('LINK_OFFLINE', peer, 'the broker closed the connection');
  if (phase === 'tls')
    return linkError('LINK_TLS', peer, 'hung up during the TLS handshake; does this port speak TLS?');
  return closedBeforeConnack(peer);
}

/** Time ran out before CONNACK. */
export function fromConnectTimeout(peer: Peer, phase: LinkPhase, limitMs: number): LinkError {
  const limit = `${limitMs / 1000} s`;
  const what: Record<LinkPhase, string> = {
    connecting: `no answer within ${limit}; check the host, the network and firewalls`,
    tls: `connected, but no TLS handshake within ${limit}; does this port speak TLS?`,
    mqtt: `connected, but no MQTT answer within ${limit}; is this port a broker's${phase === 'mqtt' ? ', and without TLS?' : '?'}`,
    established: `no answer within ${limit}`,
  };
  return linkError('LINK_TIMEOUT', peer, what[phase]);
}

/** The broker's answer to CONNECT was no: return codes of 3.1.1 (below 0x80) and reason codes of MQTT 5. */
export function fromConnackCode(code: number, peer: Peer): LinkError {
  const [kind, what] = CONNACK_PROBLEMS[code] ?? ['LINK_REFUSED', 'the broker refused the connection'];
  return linkError(kind, peer, `${what} (code ${code})`, undefined, code);
}

/** The broker said goodbye (MQTT 5, 3.14.2.1). */
export function fromDisconnectCode(code: number, peer: Peer): LinkError {
  const what = DISCONNECT_PROBLEMS[code] ?? 'the broker ended the connection';
  return linkError('LINK_OFFLINE', peer, `${what} (code ${code})`, undefined, code);
}

/** PUBACK with an error (MQTT 5, 3.4.2.1). */
export function fromPubackCode(code: number, topic: string, peer: Peer): LinkError {
  if (code === PACKET_TOO_LARGE) {
    const larger = `message on ${topic}: larger than the broker takes (code ${code}); see message_size_limit in its configuration`;
    return linkError('LINK_TOO_LARGE', peer, larger, undefined, code);
  }
  const what = PUBACK_PROBLEMS[code] ?? 'refused';
  return linkError('LINK_PUBLISH_REFUSED', peer, `message on ${topic}: ${what} (code ${code})`, undefined, code);
}

/** SUBACK with errors, one code a filter. */
export function fromSubackCodes(codes: readonly number[], filters: readonly string[], peer: Peer): LinkError {
  const refused = filters.filter((_, index) => (codes[index] ?? 0) >= FIRST_FAILURE_CODE);
  const code = codes.find((candidate) => candidate >= FIRST_FAILURE_CODE);
  const what = `the broker refuses the subscription to ${refused.join(', ')}; check its access rules (ACL)`;
  return linkError('LINK_SUBSCRIBE_REFUSED', peer, what, undefined, code);
}

export function linkError(
  code: LinkErrorCode,
  peer: Peer,
  what: string,
  cause?: Error,
  reasonCode?: number,
): LinkError {
  const message = `MQTT broker ${peer.host}:${peer.port}: ${what}`;
  return new LinkError(code, message, { ...(cause !== undefined && { cause }), reasonCode });
}

/** From here on a code is a failure; below it, 0x10 ("no matching subscribers") included, all is well. */
const FIRST_FAILURE_CODE = 0x80;

/** Section 4.13.2 of MQTT 5 has it for DISCONNECT and CONNACK; Mosquitto answers a PUBLISH with it too. */
const PACKET_TOO_LARGE = 0x95;
/** The word of mqtt.js for a broker that does not answer PINGREQ. */
const KEEPALIVE_TIMEOUT = 'Keepalive timeout';

const CHECK_LOGIN = 'check username and password in section [mqtt]';
const CHECK_CA = 'check tls_ca_file in section [mqtt]';
const CHECK_ACL = "check the broker's access rules (ACL)";

const NETWORK_PROBLEMS: Readonly<Record<string, readonly [LinkErrorCode, string]>> = {
  ENOTFOUND: ['LINK_DNS', 'this name is not known; check broker_host in section [mqtt], or give an IP address'],
  EAI_AGAIN: ['LINK_DNS', 'the name cannot be looked up, no name server answers; check the network and its DNS'],
  ECONNREFUSED: ['LINK_CONNECTION_REFUSED', 'nothing listens there; is the broker running, and is broker_port right?'],
  ENETUNREACH: ['LINK_OFFLINE', 'there is no network; check cable, Wi-Fi and address'],
  EHOSTUNREACH: ['LINK_OFFLINE', 'the host cannot be reached; is it on, and on this network?'],
  EADDRNOTAVAIL: ['LINK_OFFLINE', 'this machine has no address to reach it from; check the network'],
  ETIMEDOUT: ['LINK_TIMEOUT', 'no answer; check the host, the network and firewalls'],
  ECONNRESET: ['LINK_OFFLINE', 'the connection was reset'],
  EPIPE: ['LINK_OFFLINE', 'the connection broke'],
};

const UNKNOWN_ISSUER = (): string => `its certificate was issued by a CA that is not trusted here; ${CHECK_CA}`;
const SELF_SIGNED = (): string => `its certificate is self-signed and not trusted here; ${CHECK_CA}`;

/** Codes of OpenSSL's certificate check (X509_V_ERR_…) as Node.js names them. */
const CERTIFICATE_PROBLEMS: Readonly<Record<string, (now: Date, error: Error) => string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: SELF_SIGNED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_ISSUER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_ISSUER,
  CERT_UNTRUSTED: UNKNOWN_ISSUER,
  CERT_HAS_EXPIRED: (now) =>
    `its certificate has expired (this machine's clock says ${now.toISOString()}); renew it, or set the clock`,
  CERT_NOT_YET_VALID: (now) =>
    `its certificate is not valid yet; this machine's clock says ${now.toISOString()}, which may be wrong until it is set`,
  ERR_TLS_CERT_ALTNAME_INVALID: (_, error) =>
    `its certificate is for another name (${error.message}); check broker_host and tls_server_name`,
};

/** 3.1.1 section 3.2.2.3 and MQTT 5 section 3.2.2.2. */
const CONNACK_PROBLEMS: Readonly<Record<number, readonly [LinkErrorCode, string]>> = {
  0x01: ['LINK_PROTOCOL_VERSION', 'the broker does not speak this version of MQTT'],
  0x02: ['LINK_REFUSED', 'the broker refuses the client id; check client_id in section [mqtt]'],
  0x03: ['LINK_REFUSED', 'the broker is not available at the moment'],
  0x04: ['LINK_CREDENTIALS', `bad username or password; ${CHECK_LOGIN}`],
  0x05: ['LINK_NOT_AUTHORIZED', `not authorised; ${CHECK_LOGIN}`],
  0x81: ['LINK_REFUSED', 'the broker calls our CONNECT malformed'],
  0x82: ['LINK_REFUSED', 'the broker calls our CONNECT a protocol error'],
  0x84: ['LINK_PROTOCOL_VERSION', 'the broker does not speak this version of MQTT'],
  0x85: ['LINK_REFUSED', 'the broker refuses the client id; check client_id in section [mqtt]'],
  0x86: ['LINK_CREDENTIALS', `bad username or password; ${CHECK_LOGIN}`],
  0x87: ['LINK_NOT_AUTHORIZED', `not authorised; ${CHECK_LOGIN}`],
  0x88: ['LINK_REFUSED', 'the broker is not available at the moment'],
  0x89: ['LINK_REFUSED', 'the broker is busy'],
  0x8a: ['LINK_NOT_AUTHORIZED', 'this client is banned by the broker'],
  0x8c: ['LINK_NOT_AUTHORIZED', `the broker wants another way to log in; ${CHECK_LOGIN}`],
  0x95: ['LINK_REFUSED', 'the broker calls our CONNECT too large'],
  0x97: ['LINK_REFUSED', 'a quota of the broker is exceeded'],
  0x9a: ['LINK_REFUSED', 'the broker does not keep retained messages, which we need'],
  0x9b: ['LINK_REFUSED', 'the broker does not take QoS 1'],
  0x9c: ['LINK_REFUSED', 'the broker says to use another server'],
  0x9d: ['LINK_REFUSED', 'the broker has moved to another server'],
  0x9f: ['LINK_REFUSED', 'the broker sees too many connections'],
};

const DISCONNECT_PROBLEMS: Readonly<Record<number, string>> = {
  0x81: 'the broker calls a packet of ours malformed',
  0x82: 'the broker says that we broke the rules of MQTT',
  0x83: 'the broker ended the connection for a reason of its own',
  0x87: `not authorised any more; ${CHECK_LOGIN}`,
  0x89: 'the broker is busy and ended the connection',
  0x8b: 'the broker is shutting down',
  0x8d: 'the broker heard nothing from us for too long',
  0x8e: 'another client logged in with the same client id; give each its own client_id in section [mqtt]',
  0x8f: 'the broker does not accept a topic that we subscribe to',
  0x90: 'the broker does not accept a topic that we publish to',
  0x93: 'the broker says that we sent too many messages at once (Receive Maximum)',
  0x95: 'the broker says that a packet was too large',
  0x96: 'the broker says that we send too fast',
  0x97: 'a quota of the broker is exceeded',
  0x98: 'an administrator ended the connection',
  0x9a: 'the broker does not keep retained messages, which we need',
  0x9b: 'the broker does not take QoS 1',
  0x9c: 'the broker says to use another server',
  0x9d: 'the broker has moved to another server',
  0x9f: 'the broker says that we connect too often',
  0xa0: 'the broker ends connections after some time',
  0xa2: 'the broker does not take subscriptions with wildcards',
};

const PUBACK_PROBLEMS: Readonly<Record<number, string>> = {
  0x83: 'refused by the broker for a reason of its own',
  0x87: `not authorised to publish there; ${CHECK_ACL}`,
  0x90: 'the broker does not accept this topic',
  0x91: 'the broker says that this packet id is in use',
  0x97: 'a quota of the broker is exceeded',
  0x99: 'the broker does not accept the format',
  0x9a: 'the broker does not keep retained messages',
};

function closedBeforeConnack(peer: Peer, cause?: Error): LinkError {
  const what = 'hung up before it answered; does this port want TLS, another protocol version, or is it no broker?';
  return linkError('LINK_CLOSED_EARLY', peer, what, cause);
}

function tlsProblem(code: string, error: Error): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'this port does not speak TLS; check broker_port and tls in section [mqtt]';
  }
  if (/ALERT|HANDSHAKE_FAILURE/.test(code)) {
    return `the broker refused the TLS handshake (${code}); if it wants a client certificate, check tls_cert_file and tls_key_file`;
  }
  return `TLS failed (${reason(error)})`;
}

/** mqtt.js puts numbers into `code` too; those are the broker's, and handled elsewhere. */
function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function reason(error: Error): string {
  return errorCode(error) || error.message;
}

/** The broker sent what is not MQTT. @param error names the mistake */
export function fromMalformedPacket(error: Error, peer: Peer, phase: LinkPhase): LinkError {
  if (phase === 'established') return linkError('LINK_OFFLINE', peer, `the broker sent ${error.message}`, error);
  return linkError(
    'LINK_CLOSED_EARLY',
    peer,
    `its answer is not MQTT (${error.message}); is this port a broker's?`,
    error,
  );
}
