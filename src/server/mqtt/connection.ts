import type { LinkError } from '../../mqtt/errors.ts';
import type { BrokerIdentity } from '../../mqtt/socket.ts';
import type { IncomingMessage } from './frames.ts';

/** One connection to the broker, as ingest sees it: acknowledging is a thing of its own, done when the data is safe. */
export interface MqttConnection {
  readonly protocolVersion: 4 | 5;
  /** The broker still knew our session, with what it had queued for us. */
  readonly sessionPresent: boolean;
  /** How long the broker keeps the session without us; null where it does not say (3.1.1). */
  readonly sessionExpirySeconds: number | null;
  /** Most QoS 1 messages the broker takes at once. */
  readonly receiveMaximum: number;
  /** Largest packet the broker takes; Infinity where it says nothing. */
  readonly maximumPacketSize: number;
  /**
   * Acknowledges messages of this connection, in the order in which they came. What is sent in one turn of the event loop,
   * receipts included, is one write. Does nothing once the connection is over: the broker sends them again.
   */
  acknowledge(packetIds: readonly number[]): void;
  /** QoS 1; resolves at PUBACK. @throws LinkError LINK_TOO_LARGE, LINK_PUBLISH_REFUSED, or why the connection ended */
  publish(message: OutgoingMessage): Promise<void>;
  /** @returns the filters that the broker refused. @throws LinkError why the connection ended */
  subscribe(subscriptions: readonly Subscription[]): Promise<readonly string[]>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Stops and starts reading. While it is not read nothing is called silent; our own pings go on. Idempotent. */
  holdBack(): void;
  letCome(): void;
  /** Resolves, never rejects, when the connection is over, with why. */
  readonly closed: Promise<LinkError>;
  /** Says goodbye (the broker drops the will and keeps the session) and closes within the limit. Idempotent, never rejects. */
  end(limitMs: number): Promise<void>;
}

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
}

export interface ConnectionOptions extends BrokerIdentity {
  readonly protocolVersion: 4 | 5;
  readonly will: OutgoingMessage;
  /** `lasting` (the default): the broker keeps the session and queues for it. `short`: for a look, nothing stays behind. */
  readonly session?: 'lasting' | 'short';
  readonly connectTimeoutMs: number;
  /** Longest wait for the broker's answer to anything, while the connection is read. */
  readonly answerTimeoutMs: number;
  /** QoS 1 messages that the broker may have on the way to us (MQTT 5). */
  readonly receiveMaximum: number;
  readonly maxPayloadBytes: () => number;
  /** Each message, in order. Must not throw. */
  readonly onMessage: (message: IncomingMessage, connection: MqttConnection) => void;
  /** After all messages that one read of the socket brought. */
  readonly onRead: (bytes: number, connection: MqttConnection) => void;
}

/** One attempt: resolves after CONNACK. @throws LinkError, or the signal's reason */
export type OpenConnection = (options: ConnectionOptions, signal: AbortSignal) => Promise<MqttConnection>;
