import type { Socket } from 'node:net';
import type { IConnackPacket, Packet } from 'mqtt-packet';
import {
  fromClose,
  fromConnackCode,
  fromConnectTimeout,
  fromDisconnectCode,
  fromMalformedPacket,
  fromPubackCode,
  fromSocketError,
  type LinkError,
  type LinkPhase,
  linkError,
} from '../../mqtt/errors.ts';
import { openBrokerSocket } from '../../mqtt/socket.ts';
import type { Clock } from '../../platform/clock.ts';
import { DeadlineError, withDeadline } from '../../platform/tasks.ts';
import type { ConnectionOptions, MqttConnection, OpenConnection, OutgoingMessage, Subscription } from './connection.ts';
import { FrameReader, MalformedPacketError } from './frames.ts';
import {
  type BrokerLimits,
  brokerLimits,
  connectPacket,
  createPacketDecoder,
  encodePacket,
  encodePing,
  encodePubacks,
  encodePublish,
  readAnswer,
  refusalCode,
} from './packets.ts';
import { Liveness, Requests } from './requests.ts';

const FIRST_FAILURE_CODE = 0x80;

/**
 * MQTT on a socket of our own. The usual client library has no public way to acknowledge a message once it has been committed
 * together with others: it either acknowledges before, or takes one message at a time.
 */
export function createOpenConnection(parts: { readonly clock: Clock }): OpenConnection {
  return async (options, signal) => {
    signal.throwIfAborted();
    const connection = new Connection(options, parts.clock, openBrokerSocket(options));
    try {
      await withDeadline(connection.connected(), {
        clock: parts.clock,
        limitMs: options.connectTimeoutMs,
        what: 'connecting',
        signal,
      });
      return connection;
    } catch (error) {
      const failure = error instanceof DeadlineError ? connection.connectTimeout() : error;
      connection.over(linkError('LINK_OFFLINE', options, 'the attempt was called off'));
      throw failure;
    }
  };
}

class Connection implements MqttConnection {
  readonly closed: Promise<LinkError>;
  readonly protocolVersion: 4 | 5;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #decode: (frame: Buffer) => Packet;
  readonly #requests = new Requests();
  readonly #liveness: Liveness;
  /** Aborted when the connection is over. */
  readonly #life = new AbortController();
  #phase: LinkPhase = 'connecting';
  #reason: LinkError | undefined;
  #resolveClosed!: (error: LinkError) => void;
  #limits: BrokerLimits;
  #onConnack: ((connack: IConnackPacket) => void) | undefined;
  #outgoing: Buffer[] = [];
  #ending: Promise<void> | undefined;

  constructor(options: ConnectionOptions, clock: Clock, socket: Socket) {
    this.#options = options;
    this.#clock = clock;
    this.#socket = socket;
    this.protocolVersion = options.protocolVersion;
    this.#limits = brokerLimits(undefined, options.protocolVersion);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#decode = createPacketDecoder(options.protocolVersion);
    this.#reader = new FrameReader(
      options.protocolVersion,
      { onMessage: (message) => options.onMessage(message, this), onPacket: (frame) => this.#take(frame) },
      options.maxPayloadBytes,
    );
    this.#liveness = new Liveness({
      clock,
      keepaliveMs: () => this.#limits.keepaliveMs ?? options.keepaliveMs,
      answerTimeoutMs: options.answerTimeoutMs,
      oldestRequestMs: () => this.#requests.oldestMs(),
      sendPing: () => this.#send(encodePing()),
    });
  }

  get sessionPresent(): boolean {
    return this.#limits.sessionPresent;
  }

  get sessionExpirySeconds(): number | null {
    return this.#limits.sessionExpirySeconds;
  }

  get receiveMaximum(): number {
    return this.#limits.receiveMaximum;
  }

  get maximumPacketSize(): number {
    return this.#limits.maximumPacketSize;
  }

  /** Resolves with CONNACK. @throws LinkError */
  async connected(): Promise<void> {
    const socket = this.#socket;
    const secure = this.#options.tls !== undefined;
    socket.once('connect', () => {
      this.#phase = secure ? 'tls' : 'mqtt';
      if (!secure) this.#sendPacket(connectPacket(this.#options));
    });
    socket.once('secureConnect', () => {
      this.#phase = 'mqtt';
      this.#sendPacket(connectPacket(this.#options));
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.over(this.#translate(error)));
    socket.once('close', () => this.over(fromClose(this.#options, this.#phase)));
    await new Promise<void>((resolve, reject) => {
      this.#onConnack = (connack) => {
        this.#limits = brokerLimits(connack, this.protocolVersion);
        this.#phase = 'established';
        this.#watch();
        resolve();
      };
      void this.closed.then(reject);
    });
  }

  acknowledge(packetIds: readonly number[]): void {
    if (packetIds.length > 0) this.#send(encodePubacks(packetIds));
  }

  async publish(message: OutgoingMessage): Promise<void> {
    this.#throwIfOver();
    let tooLarge: LinkError | undefined;
    const code = await this.#requests.run<number>(this.#clock.monotonicMs(), (packetId) => {
      const bytes = encodePublish(message, packetId, this.protocolVersion);
      if (bytes.length <= this.maximumPacketSize) this.#send(bytes);
      else {
        const what = `message of ${bytes.length} bytes on ${message.topic}: the broker takes at most ${this.maximumPacketSize}`;
        tooLarge = linkError('LINK_TOO_LARGE', this.#options, what);
        this.#requests.answered(packetId, 0);
      }
    });
    if (tooLarge !== undefined) throw tooLarge;
    if (code >= FIRST_FAILURE_CODE) throw fromPubackCode(code, message.topic, this.#options);
  }

  async subscribe(subscriptions: readonly Subscription[]): Promise<readonly string[]> {
    this.#throwIfOver();
    const codes = await this.#requests.run<readonly number[]>(this.#clock.monotonicMs(), (messageId) =>
      this.#sendPacket({
        cmd: 'subscribe',
        messageId,
        subscriptions: subscriptions.map(({ filter, qos }) => ({ topic: filter, qos })),
      }),
    );
    return subscriptions.filter((_, index) => (codes[index] ?? 0) >= FIRST_FAILURE_CODE).map(({ filter }) => filter);
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    this.#throwIfOver();
    await this.#requests.run(this.#clock.monotonicMs(), (messageId) =>
      this.#sendPacket({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters] }),
    );
  }

  holdBack(): void {
    this.#liveness.reading(false);
    this.#socket.pause();
  }

  letCome(): void {
    this.#liveness.reading(true);
    this.#socket.resume();
  }

  async end(limitMs: number): Promise<void> {
    this.#ending ??= this.#end(limitMs);
    await this.#ending;
  }

  async #end(limitMs: number): Promise<void> {
    if (this.#reason !== undefined) return;
    const reasonCode = this.protocolVersion === 5 ? { reasonCode: 0 } : {};
    this.#sendPacket({ cmd: 'disconnect', ...reasonCode });
    this.#flush();
    this.#socket.end();
    // What still comes is not for us any more, but the socket closes only once it has been read.
    this.#socket.removeAllListeners('data').resume();
    await withDeadline(this.closed, { clock: this.#clock, limitMs, what: 'closing' }).catch(() => undefined);
    this.over(linkError('LINK_OFFLINE', this.#options, 'the connection was ended here'));
  }

  /** Ends the connection, with everything that waits for it. Only the first call counts. */
  over(error: LinkError): void {
    if (this.#reason !== undefined) return;
    this.#reason = error;
    this.#socket.destroy();
    this.#life.abort(error);
    this.#requests.end(error);
    this.#resolveClosed(error);
  }

  connectTimeout(): LinkError {
    return fromConnectTimeout(this.#options, this.#phase, this.#options.connectTimeoutMs);
  }

  #read(chunk: Buffer): void {
    this.#liveness.heard();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof MalformedPacketError)) throw error;
      this.over(fromMalformedPacket(error, this.#options, this.#phase));
      return;
    }
    if (this.#phase === 'established') this.#options.onRead(chunk.length, this);
  }

  #take(frame: Buffer): void {
    const answer = readAnswer(frame, this.protocolVersion);
    if (answer?.kind === 'puback') this.#requests.answered(answer.packetId, answer.code);
    else if (answer?.kind === 'suback') this.#requests.answered(answer.packetId, answer.codes);
    else if (answer?.kind === 'unsuback') this.#requests.answered(answer.packetId, undefined);
    else if (answer?.kind === 'disconnect') this.over(fromDisconnectCode(answer.code, this.#options));
    if (answer !== undefined) return;
    const packet = this.#decode(frame);
    if (packet.cmd === 'connack') this.#answered(packet);
  }

  #answered(connack: IConnackPacket): void {
    const code = refusalCode(connack);
    if (code !== undefined) this.over(fromConnackCode(code, this.#options));
    else this.#onConnack?.(connack);
  }

  /** Runs for as long as the connection does. */
  #watch(): void {
    const { answerTimeoutMs } = this.#options;
    // Ends with the connection, whose end is awaited.
    void this.#liveness.untilSilent(this.#life.signal).then(
      () =>
        this.over(
          linkError(
            'LINK_TIMEOUT',
            this.#options,
            `no answer within ${answerTimeoutMs / 1000} s; is the network gone?`,
          ),
        ),
      () => undefined,
    );
  }

  #sendPacket(packet: Packet): void {
    this.#send(encodePacket(packet, this.protocolVersion));
  }

  /** Collects what is sent in one turn of the event loop: a write for each PUBACK costs more than all the rest of the work. */
  #send(bytes: Buffer): void {
    if (this.#reason !== undefined) return;
    this.#outgoing.push(bytes);
    if (this.#outgoing.length === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    if (outgoing.length > 0 && this.#reason === undefined) this.#socket.write(Buffer.concat(outgoing));
  }

  #throwIfOver(): void {
    if (this.#reason !== undefined) throw this.#reason;
  }

  #translate(error: Error): LinkError {
    return fromSocketError(error, this.#options, this.#phase, new Date(this.#clock.nowMs()));
  }
}
