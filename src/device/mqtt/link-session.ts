import type { BrokerTls } from '../../common/mqtt/broker-identity.ts';
import type { LinkError } from '../../common/mqtt/link-error.ts';

export { LinkError, type LinkErrorCode } from '../../common/mqtt/link-error.ts';

/** One connection to the broker, as the publisher sees it. src/device/mqtt/link.ts makes them with mqtt.js. */
export interface LinkSession {
  readonly protocolVersion: 4 | 5;
  /** Most QoS 1 messages the broker takes at once (MQTT 5, 3.2.2.3.3); 65535 where it says nothing. */
  readonly receiveMaximum: number;
  /** Largest packet in bytes the broker takes (MQTT 5, 3.2.2.3.6); Infinity where it says nothing. */
  readonly maximumPacketSize: number;
  /**
   * QoS 1; resolves at PUBACK. Bounded in time; settles at the latest when the session ends.
   * @throws LinkError LINK_TOO_LARGE (without a reason code: nothing was sent), LINK_PUBLISH_REFUSED (this message only),
   * LINK_TIMEOUT, or why the session ended
   */
  publish(message: LinkMessage): Promise<Taken>;
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

/**
 * What PUBACK says: `taken`, or `by-nobody` where the broker says that no subscription matches (0x10). Only MQTT 5 can say the
 * latter, and not every broker does.
 */
export type Taken = 'taken' | 'by-nobody';

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
  readonly tls?: BrokerTls;
  readonly will: LinkMessage;
  readonly connectTimeoutMs: number;
  readonly publishTimeoutMs: number;
  /**
   * Called for each message that arrives, in order. Must not throw and must not wait. `retained`: the broker had kept it from
   * before the subscription.
   */
  readonly onMessage: (topic: string, payload: string, retained: boolean) => void;
}

/** One attempt: resolves after CONNACK. @throws LinkError, or the signal's reason */
export type OpenLink = (options: LinkOptions, signal: AbortSignal) => Promise<LinkSession>;
