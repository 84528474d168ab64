import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeReceipt } from '../../../src/contract/messages.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import type { IngestStore } from '../../../src/server/store/ingest-store.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';
import type { Store } from '../../../src/server/store/store.ts';
import { startEmbeddedBroker } from '../../../src/stack/broker.ts';
import { IngestRig } from '../../support/ingest-rig.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { recordingLog } from '../../support/recording.ts';
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

function serve<S extends IngestStore = RecordingStore>(port: number, given?: S): { rig: IngestRig; store: S } {
  const store = given ?? (new RecordingStore() as IngestStore as S);
  const rig = IngestRig.start({ store, port });
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

  it('S2: starts without a broker, and stores what comes once there is one', async () => {
    const broker = await Mosquitto.prepare();
    ends.push(async () => await broker.dispose());
    const { rig, store } = serve(broker.port);
    await until('it says why', () => rig.server.state().linkProblem !== undefined);
    expect(rig.server.state()).toMatchObject({ link: 'connecting' });
    expect(rig.server.state().linkProblem).toContain(
      'nothing listens there; is the broker running, and is broker_port right?',
    );
    await broker.start();
    await announced(broker.port, 'online', 5);
    const device = await client(broker.port, [], 5);
    await device.publish(`${TOPIC}/reading`, reading(1));
    await until('stored', () => store.items().length === 1);
    expect(rig.server.state().linkProblem).toBeUndefined();
  });

  it('S7: a duplicate is a counter, receipted again, and no line in the log', async () => {
    const { port } = await mosquitto();
    const sqlite = await openStore();
    const { rig } = serve(port, sqlite);
    await announced(port, 'online', 5);
    const device = await client(port, [`${TOPIC}/receipt`], 5);
    for (let times = 0; times < 3; times += 1) {
      await device.publish(`${TOPIC}/reading`, reading(1));
      await until('a receipt', () => device.on('/receipt').length === times + 1);
    }
    expect([rig.total('stored'), rig.total('duplicates'), rig.totalRejected()]).toEqual([1, 2, 0]);
    expect(rig.log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  it('S8: a device that nobody knows is registered, or kept until somebody says yes, or left with its readings', async () => {
    const { port } = await mosquitto();
    const sqlite = await openStore();
    const { rig } = serve(port, sqlite);
    await announced(port, 'online', 5);
    const device = await client(port, ['home/+/sensors/+/receipt'], 5);
    const say = async (uid: string): Promise<void> =>
      await device.publish(`home/home-001/sensors/${uid}/reading`, reading(1));
    for (const registration of ['auto', 'approve', 'reject'] as const) {
      rig.ingest.set({ ...rig.ingest.current, registration });
      const before = rig.counts.length;
      await say(`aht20-${registration}`);
      await until('committed', () => rig.counts.length > before);
    }
    await until('the receipts', () => device.on('/receipt').length === 2);
    const states = (await sqlite.devices()).map(({ uid, state }) => [uid, state]);
    expect(states).toEqual(
      expect.arrayContaining([
        ['aht20-auto', 'active'],
        ['aht20-approve', 'pending'],
      ]),
    );
    expect(
      device
        .on('/receipt')
        .map(({ topic }) => topic.split('/')[3])
        .sort(),
    ).toEqual(['aht20-approve', 'aht20-auto']);
    expect(rig.totalRejected()).toBe(1);
  });

  it('S13: on default settings the broker drops of a burst; what has numbers comes again until its receipt, the rest is counted', async () => {
    const { port } = await mosquitto(['sys_interval 1']);
    const sqlite = await openStore();
    const first = serve(port, sqlite);
    await announced(port, 'online', 5);
    await first.rig.stop();
    const device = await client(port, [`${TOPIC}/receipt`], 5);
    const missing = new Set(Array.from({ length: 3_000 }, (_, index) => index + 1));
    const send = async (seqs: readonly number[]): Promise<void> => {
      await Promise.all(seqs.map(async (seq) => await device.publish(`${TOPIC}/reading`, reading(seq))));
    };
    let heard = 0;
    const hear = (): number => {
      for (const { payload } of device.on('/receipt').slice(heard)) {
        heard += 1;
        for (const [from, to] of decodeReceipt(payload).stored) {
          for (let seq = from; seq <= to; seq += 1) missing.delete(seq);
        }
      }
      return missing.size;
    };
    await send([...missing]);
    const { rig } = serve(port, sqlite);
    await until('what the broker kept is receipted', () => hear() <= 2_000);
    expect(missing.size).toBeGreaterThan(1_000);
    while (missing.size > 0) {
      const again = [...missing].slice(0, 400);
      await send(again);
      await until('these are receipted', () => hear() >= 0 && again.every((seq) => !missing.has(seq)));
    }
    expect((await sqlite.numbers(UID)).epochs).toMatchObject([
      { epoch: 'k3v9x2', readings: [[1, 3_000]], doubled: [] },
    ]);
    await until('the broker has counted', () => (rig.server.state().brokerDropped ?? 0) > 0);
  });

  it('ends and begins again with a broker that is killed and forgets the session', async () => {
    const broker = await mosquitto();
    const { store } = serve(broker.port);
    await announced(broker.port, 'online', 5);
    for (let round = 1; round <= 3; round += 1) {
      await broker.restart();
      await announced(broker.port, 'online', 5);
      const device = await client(broker.port, [], 5);
      await device.publish(`${TOPIC}/reading`, reading(round));
      await until('stored', () => store.items().length === round);
    }
  });
});

async function openStore(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-ingest-'));
  const store = await openSqliteStore({
    path: join(folder, 'record.db'),
    engine: 'in-process',
    clock: createSystemClock(),
    log: recordingLog(),
  });
  ends.push(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return store;
}
