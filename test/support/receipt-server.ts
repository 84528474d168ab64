import { connect, type MqttClient } from 'mqtt';
import { encodeAnnouncement, encodeReceipt, type ServerAbility } from '../../src/contract/messages.ts';
import { decodeItem, type GapRecord, type Reading } from '../../src/contract/reading.ts';
import { rangesOf } from '../../src/contract/seq-ranges.ts';
import { parseSensorTopic, sensorTopic, serverTopic } from '../../src/contract/topics.ts';

export interface ReceiptServerOptions {
  readonly instance?: string;
  readonly accepts?: readonly ServerAbility[];
  /** A session that outlives the connection, as the real server has. Default yes. */
  readonly session?: 'persistent' | 'clean';
}

/**
 * A server as the agents see it: announces itself, stores, gives receipts. Its store outlives `crash`; what it stores is checked:
 * a number that comes again must come with the same time and values.
 */
export class ReceiptServer {
  /** `auto`: a receipt per message, at once. `hold`: on `giveReceipts`. `never`: none. */
  receipts: 'auto' | 'hold' | 'never' = 'auto';
  /** By `uid/epoch/seq`. */
  readonly stored = new Map<string, Reading | GapRecord>();
  duplicates = 0;
  /** Numbers that came a second time with other contents. Must stay empty. */
  readonly conflicts: string[] = [];
  /** Sizes of the messages, per leaf. */
  readonly messages: { leaf: string; size: number }[] = [];
  readonly #port: number;
  readonly #options: Required<ReceiptServerOptions>;
  #client: MqttClient | undefined;
  #held: { home: string; uid: string; epoch: string; seq: number }[] = [];

  constructor(port: number, options: ReceiptServerOptions = {}) {
    this.#port = port;
    this.#options = { instance: 'main', accepts: ['batch', 'receipt'], session: 'persistent', ...options };
  }

  static async start(port: number, options: ReceiptServerOptions = {}): Promise<ReceiptServer> {
    const server = new ReceiptServer(port, options);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const { instance, accepts, session } = this.#options;
    const topic = serverTopic(instance);
    const persistent = session === 'persistent';
    const client = connect(`mqtt://127.0.0.1:${this.#port}`, {
      protocolVersion: 5,
      clientId: `techtemp-server-${instance}`,
      clean: !persistent,
      reconnectPeriod: 0,
      ...(persistent && { properties: { sessionExpiryInterval: 3_600 } }),
      will: { topic, payload: Buffer.from(encodeAnnouncement({ state: 'offline', accepts })), qos: 1, retain: true },
    });
    this.#client = client;
    client.on('error', () => undefined);
    // Before CONNACK: what the session kept comes right behind it.
    client.on('message', (name, payload) => this.#take(name, payload.toString()));
    await new Promise<void>((resolve, reject) => client.once('connect', () => resolve()).once('error', reject));
    const leaves = ['reading', 'backlog', 'gap'] as const;
    await client.subscribeAsync(
      leaves.map((leaf) => `home/+/sensors/+/${leaf}`),
      { qos: 1 },
    );
    await client.publishAsync(topic, encodeAnnouncement({ state: 'online', accepts }), { qos: 1, retain: true });
  }

  /** The process is gone: no DISCONNECT, so the broker says offline for it. */
  crash(): void {
    this.#client?.stream.destroy();
    this.#client?.end(true);
    this.#client = undefined;
    this.#held = [];
  }

  /** Stops normally: says offline, and stays announced. */
  async stop(): Promise<void> {
    const { instance, accepts } = this.#options;
    await this.#client?.publishAsync(serverTopic(instance), encodeAnnouncement({ state: 'offline', accepts }), {
      qos: 1,
      retain: true,
    });
    await this.#client?.endAsync();
    this.#client = undefined;
  }

  /** Taken out of service for good: its announcement is cleared. */
  async retire(): Promise<void> {
    await this.#client?.publishAsync(serverTopic(this.#options.instance), '', { qos: 1, retain: true });
    await this.#client?.endAsync();
    this.#client = undefined;
  }

  /** Entries that wait for their receipt. */
  held(): number {
    return this.#held.length;
  }

  /** Receipts for everything that is held. */
  giveReceipts(): void {
    const held = this.#held.splice(0);
    const keys = new Set(held.map(({ home, uid, epoch }) => `${home} ${uid} ${epoch}`));
    for (const key of keys) {
      const [home = '', uid = '', epoch = ''] = key.split(' ');
      const seqs = held.filter((one) => `${one.home} ${one.uid} ${one.epoch}` === key).map(({ seq }) => seq);
      this.#client?.publish(sensorTopic(home, uid, 'receipt'), encodeReceipt({ epoch, stored: rangesOf(seqs) }), {
        qos: 1,
      });
    }
  }

  /** Stored numbers of one epoch, sorted. */
  seqs(uid: string, epoch: string): number[] {
    const prefix = `${uid}/${epoch}/`;
    return [...this.stored.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => Number(key.slice(prefix.length)))
      .sort((a, b) => a - b);
  }

  #take(topic: string, payload: string): void {
    const sensor = parseSensorTopic(topic);
    if (sensor === undefined || payload === '') return;
    const value: unknown = JSON.parse(payload);
    const items = (Array.isArray(value) ? value : [value]).map(decodeItem);
    this.messages.push({ leaf: sensor.leaf, size: items.length });
    for (const item of items) this.#store(sensor.homeId, sensor.deviceUid, item);
    if (this.receipts === 'auto') this.giveReceipts();
    else if (this.receipts === 'never') this.#held = [];
  }

  #store(home: string, uid: string, item: Reading | GapRecord): void {
    const { epoch = '', seq = 0 } = item;
    const key = `${uid}/${epoch}/${seq}`;
    const known = this.stored.get(key);
    if (known === undefined) this.stored.set(key, item);
    else if (JSON.stringify(known) === JSON.stringify(item)) this.duplicates += 1;
    else this.conflicts.push(`${key}: ${JSON.stringify(known)} became ${JSON.stringify(item)}`);
    this.#held.push({ home, uid, epoch, seq });
  }
}
