import { afterEach, describe, expect, it } from 'vitest';
import { startEmbeddedBroker } from '../../../src/stack/embedded-broker.ts';
import { IngestRig } from '../../support/ingest-rig.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { RecordingStore } from '../../support/recording-store.ts';
import { retainedOn, TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const UID = 'aht20-0a1b2c';
const TOPIC = `home/home-001/sensors/${UID}`;
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function reading(seq: number, changes: object = {}): string {
  const values = { temperature_c: 21.02, humidity_pct: 63.33, ts: 1_757_537_685_793 + seq };
  return JSON.stringify({ ...values, epoch: 'k3v9x2', seq, ...changes });
}

async function embedded(): Promise<number> {
  const broker = await startEmbeddedBroker(0);
  ends.push(async () => await broker.close());
  return broker.port;
}

async function mosquitto(config: readonly string[] = []): Promise<Mosquitto> {
  const broker = await Mosquitto.start({ config });
  ends.push(async () => await broker.dispose());
  return broker;
}

async function client(port: number, filters: readonly string[] = [], protocolVersion: 4 | 5 = 4): Promise<TestClient> {
  const self = await TestClient.connect(port, filters, { protocolVersion });
  ends.push(async () => await self.end());
  return self;
}

function serve(
  port: number,
  store = new RecordingStore(),
  changes: Partial<ConstructorParameters<typeof IngestRig>[0]> = {},
): { rig: IngestRig; store: RecordingStore } {
  const rig = IngestRig.start({ store, port, ...changes });
  ends.push(async () => await rig.stop());
  return { rig, store };
}

async function announced(port: number, state: string, protocolVersion: 4 | 5 = 4): Promise<void> {
  await until(`the server is ${state}`, async () => {
    const retained = await retainedOn(port, 'techtemp/server/+', protocolVersion);
    return retained.get('techtemp/server/main')?.includes(state) ?? false;
  });
}

describe('ingest on the embedded broker, which speaks 3.1.1 only', () => {
  it('stores a reading and gives a receipt for exactly its number', async () => {
    const port = await embedded();
    const { store } = serve(port);
    const device = await client(port, [`${TOPIC}/receipt`]);
    await announced(port, 'online');
    await device.publish(`${TOPIC}/reading`, reading(7));
    await until('a receipt', () => device.on('/receipt').length > 0);
    expect(store.items()).toEqual([`${UID}/k3v9x2/7`]);
    expect(device.on('/receipt')[0]?.payload).toBe('{"epoch":"k3v9x2","stored":[[7,7]]}');
  });
});

describe.skipIf(!mosquittoInstalled)('ingest on Mosquitto', () => {
  it('announces what it takes, and says offline at a stop with the same words', async () => {
    const { port } = await mosquitto();
    const { rig } = serve(port);
    await announced(port, 'online', 5);
    expect(await retainedOn(port, 'techtemp/server/+')).toEqual(
      new Map([['techtemp/server/main', '{"state":"online","accepts":["batch","receipt"]}']]),
    );
    await rig.stop();
    expect(await retainedOn(port, 'techtemp/server/+')).toEqual(
      new Map([['techtemp/server/main', '{"state":"offline","accepts":["batch","receipt"]}']]),
    );
  });

  it('S4: stores what was published while it was away', async () => {
    const { port } = await mosquitto();
    const first = serve(port);
    await announced(port, 'online', 5);
    await first.rig.stop();
    const device = await client(port, [], 5);
    for (let seq = 1; seq <= 300; seq += 1) await device.publish(`${TOPIC}/reading`, reading(seq));
    const { store } = serve(port);
    await until('all stored', () => store.items().length >= 300);
    expect(new Set(store.items()).size).toBe(300);
  });
});
