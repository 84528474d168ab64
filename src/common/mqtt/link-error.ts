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
