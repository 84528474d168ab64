import type { LinkError } from '../../mqtt/errors.ts';
import { type BrokerIdentity, type BrokerTls, readBrokerIdentity } from '../../mqtt/socket.ts';
import type { Clock } from '../../platform/clock.ts';
import type { MqttSection } from '../config.ts';

export type LinkIdentity = BrokerIdentity;

export interface LinkSources {
  readonly mqtt: MqttSection;
  readonly deviceUid: string;
  /** The environment; only CREDENTIALS_DIRECTORY is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Of a device whose config gives none. */
export function defaultClientId(deviceUid: string): string {
  return `techtemp-${deviceUid}`;
}

/** What the config says about the agent's connection. @throws LinkError LINK_FILE */
export async function readLinkIdentity({ mqtt, deviceUid, env }: LinkSources): Promise<LinkIdentity> {
  return await readBrokerIdentity({ mqtt, defaultClientId: defaultClientId(deviceUid), env });
}

/** Bytes of a QoS 1 PUBLISH packet on the wire (MQTT 5 and 3.1.1, section 3.3), for brokers with a Maximum Packet Size. */
export function publishPacketSize(topic: string, payloadBytes: number, protocolVersion: 4 | 5): number {
  const topicLength = 2;
  const packetId = 2;
  const noProperties = protocolVersion === 5 ? 1 : 0;
  const remaining = topicLength + Buffer.byteLength(topic) + packetId + noProperties + payloadBytes;
  return 1 + variableIntegerSize(remaining) + remaining;
}

/** Section 1.5.5 of MQTT 5: seven bits a byte. */
function variableIntegerSize(value: number): number {
  if (value < 2 ** 7) return 1;
  if (value < 2 ** 14) return 2;
  return value < 2 ** 21 ? 3 : 4;
}

export { LinkError, type LinkErrorCode } from '../../mqtt/errors.ts';

/** One connection to the broker, as the publisher sees it. src/device/mqtt/client.ts makes them with mqtt.js. */
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
  /** Ends normally within the limit (the broker drops the will), else abruptly. Idempotent, never rejects. */
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

/** Node style: an error or nothing. Only the first call counts. */
export type Answer = (error?: Error | null) => void;

/** Of the limit. */
const OWN_LATENESS = 1 / 4;

interface Request {
  readonly dueMs: number;
  readonly reject: (error: Error) => void;
}

/**
 * Requests that wait for the broker. Each settles by its answer, by its limit, or by the end of the connection: mqtt.js itself
 * leaves a publish pending for ever when the socket drops (https://github.com/mqttjs/MQTT.js/issues/1629 and the like).
 */
export class PendingRequests {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onTimeout: () => LinkError;
  /** In the order of their due times, since all have the same limit. */
  readonly #requests = new Set<Request>();
  #over: LinkError | undefined;
  #watch: AbortController | undefined;

  constructor(clock: Clock, limitMs: number, onTimeout: () => LinkError) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onTimeout = onTimeout;
  }

  async run(start: (answer: Answer) => void): Promise<void> {
    if (this.#over !== undefined) throw this.#over;
    await new Promise<void>((resolve, reject) => {
      const request = { dueMs: this.#clock.monotonicMs() + this.#limitMs, reject };
      this.#requests.add(request);
      start((error) => {
        if (!this.#requests.delete(request)) return;
        if (this.#requests.size === 0) this.#watch?.abort();
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
      // A timer only while something is pending: an idle agent has no reason to wake up.
      if (this.#watch === undefined && this.#requests.size > 0) void this.#watchLimits();
    });
  }

  /** The connection is over: everything pending, and everything asked for later, fails with this. */
  end(error: LinkError): void {
    this.#over ??= error;
    this.#watch?.abort();
    for (const request of this.#requests) request.reject(error);
    this.#requests.clear();
  }

  /** Never rejects. */
  async #watchLimits(): Promise<void> {
    const watch = new AbortController();
    this.#watch = watch;
    while (!watch.signal.aborted) {
      const [oldest] = this.#requests;
      if (oldest === undefined) break;
      const leftMs = oldest.dueMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        await this.#clock.sleep(leftMs, watch.signal).catch(() => undefined);
        // Woken late, we were kept from running: an answer that came in time is taken first.
        const isLate = this.#clock.monotonicMs() - oldest.dueMs > this.#limitMs * OWN_LATENESS;
        if (isLate) await this.#clock.sleep(this.#limitMs * OWN_LATENESS, watch.signal).catch(() => undefined);
      } else {
        this.#requests.delete(oldest);
        oldest.reject(this.#onTimeout());
      }
    }
    this.#watch = undefined;
    // One may have come between the last answer and here.
    if (this.#requests.size > 0) void this.#watchLimits();
  }
}
