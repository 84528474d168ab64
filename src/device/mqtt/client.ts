import type { Socket } from 'node:net';
import type { IClientOptions, MqttClient, Packet } from 'mqtt';
import {
  fromClose,
  fromConnackCode,
  fromConnectTimeout,
  fromDisconnectCode,
  fromPubackCode,
  fromSocketError,
  fromSubackCodes,
  type LinkPhase,
  linkError,
} from '../../mqtt/errors.ts';
import { openBrokerSocket } from '../../mqtt/socket.ts';
import type { Clock } from '../../platform/clock.ts';
import { DeadlineError, withDeadline } from '../../platform/tasks.ts';
import {
  type LinkError,
  type LinkMessage,
  type LinkOptions,
  type LinkSession,
  type OpenLink,
  PendingRequests,
  publishPacketSize,
  type Taken,
} from './session.ts';

/** Where the broker says nothing (MQTT 5, 3.2.2.3.3). */
const DEFAULT_RECEIVE_MAXIMUM = 65_535;
/** Reason code of MQTT 5 for a broker without QoS 1; some announce it instead of refusing us. */
const QOS_NOT_SUPPORTED = 0x9b;
/** Reason codes of MQTT 5 from here on are failures (2.4). */
const FIRST_FAILURE_CODE = 0x80;
/** PUBACK of MQTT 5: taken, and no program is subscribed (3.4.2.1). */
const NO_MATCHING_SUBSCRIBERS = 0x10;
/** Largest packet we take: a receipt of some ten thousand scattered numbers. */
const OUR_MAXIMUM_PACKET_SIZE = 262_144;

interface Connack {
  readonly receiveMaximum?: number | undefined;
  readonly maximumPacketSize?: number | undefined;
  readonly maximumQoS?: number | undefined;
}

/**
 * The only door to mqtt.js, which is the pipe and not the queue: its own store loses, reorders and stalls, and its reconnect
 * has no back-off (https://github.com/mqttjs/MQTT.js/issues/561, /692, /1947). So each attempt gets a new client that never
 * reconnects, publishes only while connected, and never holds a message that the journal does not hold too.
 */
export function createOpenLink(parts: { readonly clock: Clock }): OpenLink {
  return async (options, signal) => {
    signal.throwIfAborted();
    // Loaded at the first attempt, after the first reading is safe; 14 MB that a one-shot command never pays.
    const [{ MqttClient: Client }, { admitAllReasonCodes }] = await Promise.all([
      import('mqtt'),
      import('../../mqtt/reason-codes.ts'),
    ]);
    admitAllReasonCodes();
    const line = new Line(options, parts.clock, openBrokerSocket(options));
    const client = new Client(() => line.socket, clientOptions(options));
    try {
      const connack = await withDeadline(line.connected(client), {
        clock: parts.clock,
        limitMs: options.connectTimeoutMs,
        what: 'connecting',
        signal,
      });
      return new MqttLinkSession(line, client, connack);
    } catch (error) {
      const failure = error instanceof DeadlineError ? line.connectTimeout() : error;
      line.over(linkError('LINK_OFFLINE', options, 'the attempt was called off'));
      client.end(true);
      throw failure;
    }
  };
}

function clientOptions(options: LinkOptions): IClientOptions {
  const { protocolVersion, username, password, will } = options;
  return {
    protocolVersion,
    clientId: options.clientId,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Bounded by connectTimeoutMs of our own, which also covers DNS and TLS.
    connectTimeout: options.connectTimeoutMs * 2,
    keepalive: Math.max(1, Math.round(options.keepaliveMs / 1000)),
    timerVariant: 'native',
    // The cache of mqtt-packet holds a Buffer for each of 65,536 numbers: 18 MB (measured) for nothing that we need.
    writeCache: false,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    will: {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: 1,
      retain: will.retain,
      ...(protocolVersion === 5 && { properties: { payloadFormatIndicator: true, contentType: 'application/json' } }),
    },
    ...(protocolVersion === 5 && {
      // No willDelayInterval: with a clean session the session, and with it the delay, ends with the connection.
      properties: { sessionExpiryInterval: 0, maximumPacketSize: OUR_MAXIMUM_PACKET_SIZE },
    }),
  };
}

/** One socket with what happens to it: the first thing that goes wrong is why it ended. */
class Line {
  readonly options: LinkOptions;
  readonly clock: Clock;
  readonly socket: Socket;
  readonly closed: Promise<LinkError>;
  readonly requests: PendingRequests;
  #phase: LinkPhase = 'connecting';
  #reason: LinkError | undefined;
  #resolveClosed!: (error: LinkError) => void;

  constructor(options: LinkOptions, clock: Clock, socket: Socket) {
    this.options = options;
    this.clock = clock;
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.requests = new PendingRequests(clock, options.publishTimeoutMs, () => {
      const error = linkError(
        'LINK_TIMEOUT',
        options,
        `no acknowledgement within ${options.publishTimeoutMs / 1000} s`,
      );
      this.over(error);
      return error;
    });
  }

  /** Resolves with what the broker says in CONNACK. @throws LinkError */
  async connected(client: MqttClient): Promise<Connack> {
    const { socket, options } = this;
    const secure = options.tls !== undefined;
    socket.once('connect', () => {
      this.#phase = secure ? 'tls' : 'mqtt';
    });
    socket.once('secureConnect', () => {
      this.#phase = 'mqtt';
    });
    socket.on('error', (error) => this.over(this.#translate(error)));
    socket.once('close', () => this.over(fromClose(options, this.#phase)));
    client.on('error', (error) => this.over(this.#translate(error)));
    client.on('packetreceive', (packet) => this.#lookAt(packet));
    return await new Promise<Connack>((resolve, reject) => {
      client.once('connect', (connack) => {
        if (connack.properties?.maximumQoS === 0) {
          this.over(fromConnackCode(QOS_NOT_SUPPORTED, options));
          return;
        }
        this.#phase = 'established';
        resolve(connack.properties ?? {});
      });
      void this.closed.then(reject);
    });
  }

  /** Ends the connection, with everything that waits for it. Only the first call counts. */
  over(error: LinkError): void {
    if (this.#reason !== undefined) return;
    this.#reason = error;
    this.socket.destroy();
    this.requests.end(error);
    this.#resolveClosed(error);
  }

  connectTimeout(): LinkError {
    return fromConnectTimeout(this.options, this.#phase, this.options.connectTimeoutMs);
  }

  /** What the broker says of the connection itself; mqtt.js would turn these codes into texts. */
  #lookAt(packet: Packet): void {
    if (packet.cmd === 'connack') {
      const code = packet.reasonCode ?? packet.returnCode ?? 0;
      if (code !== 0) this.over(fromConnackCode(code, this.options));
    } else if (packet.cmd === 'disconnect') {
      this.over(fromDisconnectCode(packet.reasonCode ?? 0, this.options));
    }
  }

  #translate(error: Error): LinkError {
    return fromSocketError(error, this.options, this.#phase, new Date(this.clock.nowMs()));
  }
}

class MqttLinkSession implements LinkSession {
  readonly protocolVersion: 4 | 5;
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly closed: Promise<LinkError>;
  readonly #line: Line;
  readonly #client: MqttClient;
  /** Packet ids of our messages without a subscriber, until their answer is passed on. */
  readonly #unheard = new Set<number>();
  #ending: Promise<void> | undefined;

  constructor(line: Line, client: MqttClient, connack: Connack) {
    this.#line = line;
    this.#client = client;
    this.closed = line.closed;
    this.protocolVersion = line.options.protocolVersion;
    this.receiveMaximum = connack.receiveMaximum ?? DEFAULT_RECEIVE_MAXIMUM;
    this.maximumPacketSize = connack.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    // mqtt.js answers 0x10 as if it were plain success.
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'puback' || packet.reasonCode !== NO_MATCHING_SUBSCRIBERS) return;
      if (packet.messageId !== undefined) this.#unheard.add(packet.messageId);
    });
    client.on('message', (topic, payload, packet) =>
      line.options.onMessage(topic, payload.toString('utf8'), packet.retain),
    );
  }

  async publish({ topic, payload, retain }: LinkMessage): Promise<Taken> {
    const size = publishPacketSize(topic, Buffer.byteLength(payload), this.protocolVersion);
    if (size > this.maximumPacketSize) {
      const what = `message of ${size} bytes on ${topic}: the broker takes at most ${this.maximumPacketSize}`;
      throw linkError('LINK_TOO_LARGE', this.#line.options, what);
    }
    let taken: Taken = 'taken';
    await this.#line.requests.run((answer) => {
      this.#client.publish(topic, payload, { qos: 1, retain }, (error, packet) => {
        if (packet?.messageId !== undefined && this.#unheard.delete(packet.messageId)) taken = 'by-nobody';
        const code = error instanceof Error ? brokerCode(error) : undefined;
        if (code === undefined) answer(error);
        else answer(code < FIRST_FAILURE_CODE ? null : fromPubackCode(code, topic, this.#line.options));
      });
    });
    return taken;
  }

  async subscribe(filters: readonly string[]): Promise<void> {
    if (filters.length === 0) return;
    await this.#line.requests.run((answer) => {
      this.#client.subscribe([...filters], { qos: 1 }, (error, _, suback) => {
        // The types call these codes QoS levels; the broker may say more (3.9.3).
        const codes = (suback?.granted ?? []) as readonly number[];
        answer(error === null || codes.length === 0 ? error : fromSubackCodes(codes, filters, this.#line.options));
      });
    });
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    if (filters.length === 0) return;
    await this.#line.requests.run((answer) => {
      this.#client.unsubscribe([...filters], (error) => answer(error));
    });
  }

  async end(limitMs: number): Promise<void> {
    this.#ending ??= this.#end(limitMs);
    await this.#ending;
  }

  /** A graceful end of mqtt.js waits for every acknowledgement, for ever if need be; so it is given a limit. */
  async #end(limitMs: number): Promise<void> {
    const { clock, options } = this.#line;
    const goodbye = new Promise<void>((resolve) => {
      this.#client.end(false, () => resolve());
    });
    await withDeadline(Promise.race([goodbye, this.closed]), { clock, limitMs, what: 'ending' }).catch(() => undefined);
    this.#line.over(linkError('LINK_OFFLINE', options, 'the connection was ended here'));
    this.#client.end(true);
  }
}

/** mqtt.js puts a broker's reason code into a numeric `code`. */
function brokerCode(error: Error): number | undefined {
  return 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
