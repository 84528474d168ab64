import { createServer, type Server, type Socket } from 'node:net';
import mqttPacket, { type IConnectPacket, type IPublishPacket, type ISubscribePacket, type Packet } from 'mqtt-packet';

/** How the broker treats the next connections; changed while it runs. */
export interface Manners {
  /** What becomes of a connection. `silent`: accepts and says nothing. `close`: hangs up at CONNECT. */
  connect: 'accept' | 'silent' | 'close' | { readonly refuse: number };
  /** Knows only this version; answers others as old brokers do, or hangs up where `connect` says so. */
  only: 4 | 5 | undefined;
  /** MQTT 5 CONNACK properties, enforced. */
  receiveMaximum: number | undefined;
  maximumPacketSize: number | undefined;
  /** Hangs up at a larger packet without a word, as 3.1.1 brokers do. */
  hangsUpAboveBytes: number | undefined;
  maximumQoS: number | undefined;
  serverKeepAlive: number | undefined;
  /** `never`: no PUBACK. `hold`: kept until `releaseAcks()`. A function: reason code for a topic, 0 for success, or what else. */
  puback: 'at-once' | 'never' | 'hold' | ((topic: string) => number | 'hold' | 'hang up');
  /** Reason code for a subscription, or how it is answered by hanging up. */
  suback: (filter: string) => number | 'hang up';
  /** Sends DISCONNECT with this code right after CONNACK, and hangs up. */
  disconnectAfterConnack: number | undefined;
  /** From now on nothing is answered, not even PINGREQ; no FIN either. */
  mute: boolean;
  /** What CONNACK says about the client's session. */
  sessionPresent: boolean;
}

export interface Received {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  readonly dup: boolean;
}

/** A broker on node:net that does what the test says, and complains in `violations` when the client breaks the rules. */
export class ScriptedBroker {
  readonly port: number;
  readonly manners: Manners = {
    connect: 'accept',
    only: undefined,
    receiveMaximum: undefined,
    maximumPacketSize: undefined,
    hangsUpAboveBytes: undefined,
    maximumQoS: undefined,
    serverKeepAlive: undefined,
    puback: 'at-once',
    suback: () => 1,
    disconnectAfterConnack: undefined,
    mute: false,
    sessionPresent: false,
  };
  readonly received: Received[] = [];
  readonly connects: IConnectPacket[] = [];
  readonly subscriptions: string[] = [];
  readonly violations: string[] = [];
  /** Packet ids of PUBACKs for what was delivered, in order. */
  readonly acknowledged: number[] = [];
  /** Each piece of bytes that came, as the packets that begin in it: "puback 1", "publish topic". */
  readonly reads: string[][] = [];
  pings = 0;
  /** Connections that were ended with a DISCONNECT packet. */
  goodbyes = 0;
  /** Most QoS 1 messages that were ever unacknowledged on one connection. */
  mostInFlight = 0;
  readonly #server: Server;
  readonly #links = new Set<Link>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(manners: Partial<Manners> = {}): Promise<ScriptedBroker> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const broker = new ScriptedBroker(server, address.port);
    Object.assign(broker.manners, manners);
    server.on('connection', (socket) => broker.#accept(socket));
    return broker;
  }

  /** Open TCP connections. */
  connections(): number {
    return this.#links.size;
  }

  on(topicEnd: string): readonly Received[] {
    return this.received.filter(({ topic }) => topic.endsWith(topicEnd));
  }

  /** Sends a message to every connection, whatever it subscribed to. */
  send(topic: string, payload: string, options: { readonly retain?: boolean } = {}): void {
    for (const link of this.#links) {
      link.write({
        cmd: 'publish',
        topic,
        payload,
        qos: 0,
        dup: false,
        retain: options.retain ?? false,
      });
    }
  }

  /** Delivers a message with QoS 1 and this packet id, in one write with others. */
  deliver(
    messages: readonly { readonly id: number; readonly topic: string; readonly payload: string | Buffer }[],
  ): void {
    for (const link of this.#links) link.deliver(messages);
  }

  /** Resolves when whatever the clients had to say to what was sent before has had its time: three turns of the network. */
  async answered(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Bytes as they are. */
  sendBytes(bytes: Buffer): void {
    for (const link of this.#links) link.socket.write(bytes);
  }

  /** Acknowledges what was held, oldest first; all of it, or so many. */
  releaseAcks(count = Number.POSITIVE_INFINITY): void {
    for (const link of this.#links) link.releaseAcks(count);
  }

  /** How many acknowledgements are held. */
  held(): number {
    return [...this.#links].reduce((sum, link) => sum + link.held.length, 0);
  }

  /** Ends all connections with a TCP reset or, politely, FIN. */
  cut(how: 'reset' | 'fin' = 'fin'): void {
    for (const link of this.#links) {
      if (how === 'reset') link.socket.resetAndDestroy();
      else link.socket.end();
    }
  }

  async stop(): Promise<void> {
    for (const link of this.#links) link.socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const link = new Link(this, socket);
    this.#links.add(link);
    socket.on('close', () => this.#links.delete(link));
  }
}

class Link {
  readonly socket: Socket;
  readonly held: number[] = [];
  readonly #broker: ScriptedBroker;
  #parser = mqttPacket.parser();
  #version: 4 | 5 = 4;
  #unacknowledged = new Set<number>();

  constructor(broker: ScriptedBroker, socket: Socket) {
    this.#broker = broker;
    this.socket = socket;
    this.#parser.on('packet', (packet) => this.#handle(packet));
    this.#parser.on('error', (error: Error) => broker.violations.push(`unreadable packet: ${error.message}`));
    socket.on('data', (chunk) => {
      if (broker.manners.mute) return;
      broker.reads.push([]);
      this.#parser.parse(chunk);
    });
    socket.on('error', () => undefined);
  }

  write(packet: Packet): void {
    if (this.socket.writable) this.socket.write(mqttPacket.generate(packet, { protocolVersion: this.#version }));
  }

  deliver(
    messages: readonly { readonly id: number; readonly topic: string; readonly payload: string | Buffer }[],
  ): void {
    const packets = messages.map(({ id, topic, payload }) =>
      mqttPacket.generate(
        { cmd: 'publish', topic, payload, qos: 1, messageId: id, dup: false, retain: false },
        { protocolVersion: this.#version },
      ),
    );
    if (this.socket.writable) this.socket.write(Buffer.concat(packets));
  }

  releaseAcks(count: number): void {
    for (const messageId of this.held.splice(0, count)) this.#puback(messageId, 0);
  }

  #handle(packet: Packet): void {
    this.#broker.reads.at(-1)?.push(nameOf(packet));
    if (packet.cmd === 'connect') this.#connect(packet);
    else if (packet.cmd === 'publish') this.#publish(packet);
    else if (packet.cmd === 'subscribe') this.#subscribe(packet);
    else if (packet.cmd === 'unsubscribe') {
      this.write({ cmd: 'unsuback', messageId: packet.messageId ?? 0, granted: packet.unsubscriptions.map(() => 0) });
    } else if (packet.cmd === 'pingreq') {
      this.#broker.pings += 1;
      this.write({ cmd: 'pingresp' });
    } else if (packet.cmd === 'puback') this.#broker.acknowledged.push(packet.messageId ?? 0);
    else if (packet.cmd === 'disconnect') {
      this.#broker.goodbyes += 1;
      this.socket.end();
    }
  }

  #connect(packet: IConnectPacket): void {
    const { manners, connects } = this.#broker;
    connects.push(packet);
    const version = packet.protocolVersion === 5 ? 5 : 4;
    if (manners.connect === 'silent') return;
    if (manners.connect === 'close') {
      this.socket.end();
      return;
    }
    if (manners.only !== undefined && manners.only !== version) {
      // As a 3.1.1 broker answers a version that it does not know: return code 1, in the old format.
      this.socket.end(Buffer.from([0x20, 0x02, 0x00, 0x01]));
      return;
    }
    this.#version = version;
    if (typeof manners.connect === 'object') {
      const code = manners.connect.refuse;
      this.write({
        cmd: 'connack',
        sessionPresent: false,
        ...(version === 5 ? { reasonCode: code } : { returnCode: code }),
      });
      this.socket.end();
      return;
    }
    const { receiveMaximum, maximumPacketSize, maximumQoS, serverKeepAlive, sessionPresent } = manners;
    this.write({
      cmd: 'connack',
      sessionPresent,
      ...(version === 4
        ? { returnCode: 0 }
        : {
            reasonCode: 0,
            properties: {
              ...(receiveMaximum !== undefined && { receiveMaximum }),
              ...(maximumPacketSize !== undefined && { maximumPacketSize }),
              ...(maximumQoS !== undefined && { maximumQoS }),
              ...(serverKeepAlive !== undefined && { serverKeepAlive }),
            },
          }),
    });
    if (manners.disconnectAfterConnack === undefined) return;
    if (version === 5) this.write({ cmd: 'disconnect', reasonCode: manners.disconnectAfterConnack });
    this.socket.end();
  }

  #publish(packet: IPublishPacket): void {
    const { manners, received, violations } = this.#broker;
    const messageId = packet.messageId ?? 0;
    const size = 1 + lengthBytes(packet.length ?? 0) + (packet.length ?? 0);
    if (packet.qos !== 1) violations.push(`QoS ${packet.qos} on ${packet.topic}`);
    if (size > (manners.maximumPacketSize ?? Number.POSITIVE_INFINITY)) {
      violations.push(`packet of ${size} bytes on ${packet.topic}`);
    }
    if (size > (manners.hangsUpAboveBytes ?? Number.POSITIVE_INFINITY)) {
      this.socket.destroy();
      return;
    }
    this.#unacknowledged.add(messageId);
    this.#broker.mostInFlight = Math.max(this.#broker.mostInFlight, this.#unacknowledged.size);
    if (this.#unacknowledged.size > (manners.receiveMaximum ?? 65_535)) {
      violations.push(`${this.#unacknowledged.size} messages in flight`);
    }
    received.push({
      topic: packet.topic,
      payload: packet.payload.toString(),
      retain: packet.retain,
      dup: packet.dup,
    });
    const answer = typeof manners.puback === 'function' ? manners.puback(packet.topic) : manners.puback;
    if (answer === 'hold') this.held.push(messageId);
    else if (answer === 'hang up') this.socket.end();
    else if (answer !== 'never') this.#puback(messageId, answer === 'at-once' ? 0 : answer);
  }

  #puback(messageId: number, code: number): void {
    this.#unacknowledged.delete(messageId);
    this.write({ cmd: 'puback', messageId, ...(this.#version === 5 && { reasonCode: code }) });
  }

  #subscribe(packet: ISubscribePacket): void {
    const filters = packet.subscriptions.map(({ topic }) => topic);
    this.#broker.subscriptions.push(...filters);
    const answers = filters.map((filter) => this.#broker.manners.suback(filter));
    const granted = answers.filter((answer) => answer !== 'hang up');
    if (granted.length < answers.length) this.socket.end();
    else this.write({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
  }
}

function nameOf(packet: Packet): string {
  if (packet.cmd === 'publish') return `publish ${packet.topic}`;
  return packet.cmd === 'puback' ? `puback ${packet.messageId}` : packet.cmd;
}

function lengthBytes(length: number): number {
  return length < 2 ** 7 ? 1 : length < 2 ** 14 ? 2 : length < 2 ** 21 ? 3 : 4;
}
