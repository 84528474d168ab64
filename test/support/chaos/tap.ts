import { randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { decodeReceipt } from '../../../src/contract/messages.ts';
import { decodeItem } from '../../../src/contract/reading.ts';
import type { Numbered } from './account.ts';

/** In what is forged, so that it is told apart from what programs say; every decoder ignores it. */
export const FORGED = 'forged-by-chaos';

/** Hears what goes over the broker, and forges messages. Its connection comes back by itself. */
export class Tap {
  /** Numbers in receipts that the server gave. */
  readonly receipted: Numbered[] = [];
  /** Numbers that the device sent. */
  readonly sent: Numbered[] = [];
  readonly #client: MqttClient;
  readonly #markers = new Set<string>();

  private constructor(client: MqttClient) {
    this.#client = client;
  }

  static async connect(port: number): Promise<Tap> {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 50, protocolVersion: 5 });
    const tap = new Tap(client);
    client.on('error', () => undefined);
    client.on('message', (topic, payload, { retain }) => {
      if (!retain) tap.#hear(topic, payload.toString());
    });
    return tap;
  }

  /** Not before the server listens: an agent that never heard of a server takes any subscriber for the one that is to have its readings. */
  async listen(deviceUid: string): Promise<void> {
    await this.#client.subscribeAsync([`home/h/sensors/${deviceUid}/#`, 'chaos/#'], { qos: 1 });
  }

  /** Waits for the broker as long as that is away. */
  async publish(topic: string, payload: string | Buffer, retain = false): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain });
  }

  /** Resolves when what the broker had before has been heard; false where the connection was lost meanwhile. */
  async caughtUp(limitMs: number): Promise<boolean> {
    const marker = randomUUID();
    const end = Date.now() + limitMs;
    void this.publish('chaos/marker', marker).catch(() => undefined);
    while (!this.#markers.has(marker)) {
      if (Date.now() > end) return false;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return true;
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }

  #hear(topic: string, payload: string): void {
    if (topic === 'chaos/marker') this.#markers.add(payload);
    if (payload.includes(FORGED)) return;
    try {
      if (topic.endsWith('/receipt')) {
        const { epoch, stored } = decodeReceipt(payload);
        for (const [from, to] of stored) for (let seq = from; seq <= to; seq += 1) this.receipted.push({ epoch, seq });
      } else if (/\/(reading|backlog|gap)$/.test(topic)) {
        for (const item of [JSON.parse(payload) as unknown].flat()) {
          const { epoch, seq } = decodeItem(item);
          if (epoch !== undefined && seq !== undefined) this.sent.push({ epoch, seq });
        }
      }
    } catch {
      // Not from the device or the server.
    }
  }
}
