/** One connection to the broker, as the publisher sees it. src/device/mqtt/link.ts makes them with mqtt.js. */
export interface LinkSession {
  readonly protocolVersion: 4 | 5;
  /** Most QoS 1 messages the broker takes at once (MQTT 5, 3.2.2.3.3); 65535 where it says nothing. */
  readonly receiveMaximum: number;
  /** Largest packet in bytes the broker takes (MQTT 5, 3.2.2.3.6); Infinity where it says nothing. */
  readonly maximumPacketSize: number;
  /** Resolves at PUBACK. Bounded in time; settles at the latest when the session ends. @throws LinkError */
  publish(message: LinkMessage): Promise<void>;
  /** @throws LinkError when the broker refuses one of the filters */
  subscribe(filters: readonly string[]): Promise<void>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Resolves, never rejects, when the connection is over, with why. */
  readonly closed: Promise<LinkError>;
  /** Ends in good order within the limit, else abruptly. Idempotent, never rejects. */
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
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer; readonly serverName?: string };
  readonly will: LinkMessage;
  readonly connectTimeoutMs: number;
  readonly publishTimeoutMs: number;
  /** Called for each message that arrives, in order. Must not throw and must not wait. */
  readonly onMessage: (topic: string, payload: string) => void;
}

export type OpenLink = (options: LinkOptions, signal: AbortSignal) => Promise<LinkSession>;

export type LinkErrorCode =
  | 'LINK_OFFLINE'
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
