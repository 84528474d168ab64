import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import type { BrokerTls } from './broker-identity.ts';
import { linkError } from './link-errors.ts';

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
      // An address is no server name (RFC 6066, section 3), but it is checked against the certificate all the same.
      ...(isIP(expectedName) === 0 && { servername: expectedName }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(expectedName, certificate),
    });
  } catch (error) {
    const what = 'the CA, certificate or key given is unusable; check tls_ca_file, tls_cert_file and tls_key_file';
    throw linkError('LINK_TLS', way, `${what} (${(error as Error).message})`, error as Error);
  }
}
