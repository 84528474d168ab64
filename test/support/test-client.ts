import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';

export interface Heard {
  readonly topic: string;
  readonly payload: string;
  readonly retained: boolean;
}

/** An MQTT client of the test: hears everything that it subscribes to, in order, and publishes. */
export class TestClient {
  readonly heard: Heard[] = [];
  readonly #client: MqttClient;

  private constructor(client: MqttClient) {
    this.#client = client;
  }

  static async connect(
    port: number,
    filters: readonly string[] = [],
    options: IClientOptions = {},
  ): Promise<TestClient> {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
      reconnectPeriod: 0,
      protocolVersion: 5,
      ...options,
    });
    const self = new TestClient(client);
    client.on('error', () => undefined);
    client.on('message', (topic, payload, { retain }) =>
      self.heard.push({ topic, payload: payload.toString(), retained: retain }),
    );
    if (filters.length > 0) await client.subscribeAsync([...filters], { qos: 1 });
    return self;
  }

  /** What was heard on topics that end so. */
  on(topicEnd: string): readonly Heard[] {
    return this.heard.filter(({ topic }) => topic.endsWith(topicEnd));
  }

  async publish(topic: string, payload: string, retain = false): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain });
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** What a broker keeps on some topics, by topic. */
export async function retainedOn(
  port: number,
  filter: string,
  protocolVersion: 4 | 5 = 5,
): Promise<Map<string, string>> {
  const marker = `marker/${Math.random()}`;
  const client = await TestClient.connect(port, [filter, marker], { protocolVersion });
  // What is retained comes before anything that is published after the subscription.
  await client.publish(marker, '');
  while (!client.heard.some(({ topic }) => topic === marker)) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.end();
  return new Map(client.heard.filter(({ retained }) => retained).map(({ topic, payload }) => [topic, payload]));
}
