/** One connection to the broker, as the publisher sees it. src/device/mqtt/link.ts makes them with mqtt.js. */
export interface LinkSession {
  readonly protocolVersion: 4 | 5;
  /** Most QoS 1 messages the broker takes at once (MQTT 5, 3.2.2.3.3); 65535 where it says nothing. */
  readonly receiveMaximum: number;
  /** Largest packet in bytes the broker takes (MQTT 5, 3.2.2.3.6); Infinity where it says nothing. */
  readonly maximumPacketSize: number;
  /**
   * QoS 1; resolves at PUBACK. Bounded in time; settles at the latest when the session ends.
   * @throws LinkError LINK_TOO_LARGE (nothing was sent), LINK_PUBLISH_REFUSED (this message only), LINK_TIMEOUT, or why the session ended
   */
  publish(message: LinkMessage): Promise<void>;
  /**
   * Each filter by itself: where the broker refuses some, the others hold.
   * @throws LinkError LINK_SUBSCRIBE_REFUSED, naming the filters that were refused; LINK_TIMEOUT, or why the session ended
   */
  subscribe(filters: readonly string[]): Promise<void>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Resolves, never rejects, when the connection is over, with why. */
  readonly closed: Promise<LinkError>;
  /** Ends in good order within the limit (the broker drops the will), else abruptly. Idempotent, never rejects. */
  end(limitMs: number): Promise<void>;
}

export interface LinkMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly keepaliveMs: number;
  readonly protocolVersion: 4 | 5;
  readonly tls?: LinkTls;
  readonly will: LinkMessage;
  readonly connectTimeoutMs: number;
  readonly publishTimeoutMs: number;
  /**
   * Called for each message that arrives, in order. Must not throw and must not wait. `retained`: the broker had kept it from
   * before the subscription.
   */
  readonly onMessage: (topic: string, payload: string, retained: boolean) => void;
}

/** PEM contents, not paths; all optional. */
export interface LinkTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Name to expect in the broker's certificate; absent: the host. */
  readonly serverName?: string;
}

/** One attempt: resolves after CONNACK. @throws LinkError, or the signal's reason */
export type OpenLink = (options: LinkOptions, signal: AbortSignal) => Promise<LinkSession>;

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
