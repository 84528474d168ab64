import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/server/store/store.ts';
import { IngestRig, type IngestRigOptions } from '../../support/ingest-rig.ts';
import { RecordingStore } from '../../support/recording-store.ts';
import { ScriptedBroker } from '../../support/scripted-broker.ts';
import { until } from '../../support/until.ts';

const UID = 'aht20-0a1b2c';
const TOPIC = `home/home-001/sensors/${UID}`;

let broker: ScriptedBroker;
let store: RecordingStore;
let rigs: IngestRig[] = [];

beforeEach(async () => {
  broker = await ScriptedBroker.start();
  store = new RecordingStore();
});

afterEach(async () => {
  for (const rig of rigs) await rig.stop();
  rigs = [];
  await broker.stop();
});

function reading(seq: number): string {
  return JSON.stringify({ temperature_c: 21, humidity_pct: 63, ts: 1_757_537_685_793 + seq, epoch: 'k3v9x2', seq });
}

function messages(from: number, to: number, leaf = 'reading'): { id: number; topic: string; payload: string }[] {
  const count = to - from + 1;
  return Array.from({ length: count }, (_, index) => ({
    id: from + index,
    topic: `${TOPIC}/${leaf}`,
    payload: reading(from + index),
  }));
}

async function serve(options: Partial<IngestRigOptions> = {}): Promise<IngestRig> {
  const rig = IngestRig.start({ store, port: broker.port, ...options });
  rigs.push(rig);
  await until('the server has said all that it says at first', () =>
    broker.subscriptions.some((filter) => filter.startsWith('$SYS/')),
  );
  return rig;
}

/** A gate for commits: closed until opened. */
function gate(): { open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  store.before = async () => await opened;
  return { open };
}

describe('what goes over the wire', () => {
  it.each([4, 5] as const)('asks for a persistent session (version %i)', async (only) => {
    broker.manners.only = only;
    await serve();
    const connect = broker.connects.at(-1);
    expect(connect).toMatchObject({ clean: false, clientId: 'techtemp-server-main' });
    if (only === 5)
      expect(connect?.properties).toMatchObject({ sessionExpiryInterval: 0xffffffff, receiveMaximum: 1000 });
    expect(connect?.will?.payload.toString()).toBe('{"state":"offline","accepts":["batch","receipt"]}');
  });

  it('acknowledges nothing, to the broker or to a device, before the commit has resolved', async () => {
    const { open } = gate();
    await serve();
    broker.deliver(messages(1, 5));
    await until('the commit is under way', () => store.running === 1);
    await broker.answered();
    expect(broker.acknowledged).toEqual([]);
    expect(broker.on('/receipt')).toEqual([]);
    open();
    await until('the receipt', () => broker.on('/receipt').length > 0);
    expect(broker.acknowledged).toEqual([1, 2, 3, 4, 5]);
    expect(broker.on('/receipt')[0]?.payload).toBe('{"epoch":"k3v9x2","stored":[[1,5]]}');
  });

  it('sends the acknowledgements of a group and its receipt in one piece, in the order of receipt', async () => {
    await serve();
    broker.deliver(messages(1, 20));
    await until('the receipt', () => broker.on('/receipt').length > 0);
    const piece = broker.reads.find((names) => names.includes('puback 1'));
    expect(piece).toEqual([
      ...Array.from({ length: 20 }, (_, index) => `puback ${index + 1}`),
      `publish ${TOPIC}/receipt`,
    ]);
    expect(store.batches.map(({ messages: { length } }) => length)).toEqual([20]);
  });

  it('makes what comes during a commit the next group, of batch_messages at most', async () => {
    const { open } = gate();
    await serve({ ingest: { batchMessages: 10 } });
    broker.deliver(messages(1, 3));
    await until('the commit is under way', () => store.running === 1);
    broker.deliver(messages(4, 28));
    await broker.answered();
    open();
    await until('all stored', () => broker.acknowledged.length === 28);
    expect(store.batches.map(({ messages: { length } }) => length)).toEqual([3, 10, 10, 5]);
    expect(broker.acknowledged).toEqual(Array.from({ length: 28 }, (_, index) => index + 1));
  });

  it('keeps no more receipts on the way than the broker takes, and merges those that wait', async () => {
    broker.manners.receiveMaximum = 2;
    await serve();
    broker.manners.puback = (topic) => (topic.endsWith('/receipt') ? 'hold' : 0);
    for (let seq = 1; seq <= 6; seq += 1) {
      broker.deliver(messages(seq, seq));
      await until(`${seq} is acknowledged`, () => broker.acknowledged.length === seq);
    }
    expect(broker.on('/receipt').map(({ payload }) => payload)).toEqual([
      '{"epoch":"k3v9x2","stored":[[1,1]]}',
      '{"epoch":"k3v9x2","stored":[[2,2]]}',
    ]);
    broker.releaseAcks(1);
    await until('the rest in one', () => broker.on('/receipt').length === 3);
    expect(broker.on('/receipt')[2]?.payload).toBe('{"epoch":"k3v9x2","stored":[[3,6]]}');
    expect(broker.violations).toEqual([]);
    broker.releaseAcks();
  });

  it('sends a receipt again that was on its way when the connection broke', async () => {
    await serve();
    broker.manners.puback = (topic) => (topic.endsWith('/receipt') ? 'hold' : 0);
    broker.deliver(messages(1, 4));
    await until('a receipt', () => broker.on('/receipt').length === 1);
    broker.manners.puback = 'at-once';
    broker.cut('reset');
    await until('the receipt again', () => broker.on('/receipt').length === 2);
    expect(broker.on('/receipt')[1]?.payload).toBe('{"epoch":"k3v9x2","stored":[[1,4]]}');
  });

  it('gives no receipts where it is told so, and does not announce them', async () => {
    await serve({ mqtt: { receipts: false } });
    expect(broker.on('server/main')[0]?.payload).toBe('{"state":"online","accepts":["batch"]}');
    broker.deliver(messages(1, 2));
    await until('acknowledged', () => broker.acknowledged.length === 2);
    await broker.answered();
    expect(broker.on('/receipt')).toEqual([]);
  });

  it('takes quietly what only clears or probes', async () => {
    await serve();
    broker.deliver([
      { id: 1, topic: `${TOPIC}/backlog`, payload: '[]' },
      { id: 2, topic: `${TOPIC}/status`, payload: '' },
    ]);
    await until('acknowledged', () => broker.acknowledged.length === 2);
    expect(store.batches).toEqual([]);
  });

  it('S17: stores what was taken, gives the receipts, says offline and goodbye, in this order', async () => {
    const { open } = gate();
    const rig = await serve();
    broker.deliver(messages(1, 3));
    await until('the commit is under way', () => store.running === 1);
    const stopped = rig.stop();
    await broker.answered();
    expect(broker.goodbyes).toBe(0);
    open();
    await stopped;
    const said = broker.reads.flat().filter((name) => !name.startsWith('ping'));
    expect(said.slice(said.indexOf('puback 1'))).toEqual([
      'puback 1',
      'puback 2',
      'puback 3',
      `publish ${TOPIC}/receipt`,
      'publish techtemp/server/main',
      'disconnect',
    ]);
    expect(broker.on('server/main').at(-1)).toMatchObject({
      payload: '{"state":"offline","accepts":["batch","receipt"]}',
      retain: true,
    });
    expect(rig.server.state().link).toBe('stopped');
  });
});

describe('a store that cannot', () => {
  it('S14: holds back the broker when too much waits, keeps the link alive meanwhile, and loses nothing', async () => {
    broker.manners.serverKeepAlive = 1;
    const { open } = gate();
    const rig = await serve({ ingest: { maxWaiting: 100 } });
    for (let from = 1; from <= 20_000; from += 500) broker.deliver(messages(from, from + 499));
    await until('it is held back', () => rig.server.state().isHeldBack);
    const pings = broker.pings;
    await until('it still pings', () => broker.pings > pings + 2);
    // One read of the socket more than the limit at most.
    expect(rig.server.state()).toMatchObject({ link: 'connected' });
    expect(rig.server.state().waiting).toBeLessThan(2_000);
    expect(broker.acknowledged).toEqual([]);
    open();
    await until('all stored', () => broker.acknowledged.length === 20_000);
    expect(new Set(store.items()).size).toBe(20_000);
    expect(broker.connects.length).toBe(1);
    expect(rig.server.state()).toMatchObject({ isHeldBack: false, waiting: 0 });
  });

  it('is asked again with the same messages while it is busy or full; state tells, the log says it once', async () => {
    let failures = 3;
    store.before = () => {
      failures -= 1;
      if (failures >= 0) throw new StoreError('STORE_FULL', 'the disk is full');
    };
    const rig = await serve();
    broker.deliver(messages(1, 3));
    await until('it has failed', () => rig.observed.failed > 0);
    expect(rig.server.state()).toMatchObject({ storeProblem: 'the disk is full', link: 'connected', waiting: 3 });
    await until('stored', () => broker.acknowledged.length === 3);
    expect(rig.observed.failed).toBe(3);
    expect(rig.server.state().storeProblem).toBeUndefined();
    expect(rig.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('finds the one message that it does not take, and rejects that one', async () => {
    store.before = ({ messages: all }) => {
      for (const message of all) {
        if (message.kind === 'items' && message.items.some(({ seq }) => seq === 7))
          throw new Error('constraint failed');
      }
    };
    const rig = await serve();
    broker.deliver(messages(1, 20));
    await until('all acknowledged', () => broker.acknowledged.length === 20);
    expect(broker.acknowledged).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(store.items()).toHaveLength(19);
    expect(store.messages.filter(({ kind }) => kind === 'rejected')).toMatchObject([
      { reason: 'bad-shape', topic: `${TOPIC}/reading` },
    ]);
    expect(rig.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('leaves a message with the broker that it takes in no form, and goes on', async () => {
    store.before = ({ messages: all }) => {
      for (const message of all) if (message.topic.endsWith('/gap')) throw new Error('constraint failed');
    };
    const rig = await serve();
    broker.deliver([...messages(1, 2), ...messages(3, 3, 'gap'), ...messages(4, 5)]);
    await until('the others acknowledged', () => broker.acknowledged.length === 4);
    expect(broker.acknowledged).toEqual([1, 2, 4, 5]);
    expect(rig.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

describe('a broker with bad manners', () => {
  // C3
  it('a broker that ends the connection at the subscription to $SYS gets none, and readings come', async () => {
    broker.manners.suback = (filter) => {
      if (filter.startsWith('$SYS/')) broker.cut('reset');
      return 1;
    };
    const rig = IngestRig.start({ store, port: broker.port, mqtt: { reconnectMinMs: 1, reconnectMaxMs: 10 } });
    rigs.push(rig);
    await until('the step is left out', () => rig.server.state().leftOut.length === 1);
    await until('connected', () => rig.server.state().link === 'connected' && broker.connections() === 1);
    broker.deliver(messages(1, 3));
    await until('acknowledged', () => broker.acknowledged.length === 3);
    expect(rig.server.state().leftOut[0]).toContain('$SYS/broker/publish/messages/dropped');
    expect(broker.connects.length).toBe(3);
  });

  // C2
  it('a receipt that the broker calls too large goes out in smaller parts, on the same connection', async () => {
    const accepted: number[] = [];
    broker.manners.puback = (topic) => {
      const payload = broker.on('receipt').at(-1)?.payload ?? '';
      if (!topic.endsWith('/receipt') || payload.length <= 60) {
        if (topic.endsWith('/receipt')) accepted.push(...(JSON.parse(payload) as { stored: number[][] }).stored.flat());
        return 0;
      }
      return 0x95;
    };
    await serve();
    const odd = Array.from({ length: 40 }, (_, index) => 2 * index + 1);
    broker.deliver(odd.map((seq) => ({ id: seq, topic: `${TOPIC}/reading`, payload: reading(seq) })));
    await until('all receipted', () => new Set(accepted).size === odd.length);
    expect([...new Set(accepted)].sort((a, b) => a - b)).toEqual(odd);
    expect(broker.connects.length).toBe(1);
  });

  it('a packet that is cut off by the end of the connection is no message', async () => {
    await serve();
    broker.sendBytes(Buffer.from([0x32, 0x7f, 0x00, 0x20, 0x68]));
    broker.cut('fin');
    await until('connected again', () => broker.connects.length === 2);
    expect(store.batches).toEqual([]);
  });

  it('bytes that are not MQTT end the connection with words for people', async () => {
    const rig = await serve();
    broker.sendBytes(Buffer.from([0x00, 0x02, 0x41, 0x42]));
    await until('connected again', () => broker.connects.length === 2);
    expect(rig.log.lines.find(({ level }) => level === 'warn')?.message).toContain(
      'the broker sent a packet that MQTT does not know',
    );
  });

  it('of a payload that is too large only the beginning is kept, and the rest is read past', async () => {
    await serve({ ingest: { maxPayloadBytes: 1_000 } });
    const payload = Buffer.alloc(3_000_000, 0x20);
    payload.write('{"temperature_c":');
    broker.deliver([{ id: 1, topic: `${TOPIC}/reading`, payload }, ...messages(2, 3)]);
    await until('all acknowledged', () => broker.acknowledged.length === 3);
    expect(store.messages.map(({ kind }) => kind)).toEqual(['rejected', 'items', 'items']);
    expect(store.messages[0]).toMatchObject({ reason: 'too-large', payloadBytes: 3_000_000 });
  });

  it('a broker that falls silent is noticed although nothing is closed', async () => {
    broker.manners.serverKeepAlive = 1;
    const rig = await serve({ answerTimeoutMs: 300 });
    broker.manners.mute = true;
    await until('it is noticed', () => rig.server.state().link === 'connecting');
    expect(rig.server.state().linkProblem).toContain('no answer within 0.3 s');
    broker.manners.mute = false;
    await until('connected again', () => rig.server.state().link === 'connected');
  });

  it('a second server of the same name is named, and they do not fight at full speed', async () => {
    broker.manners.only = 5;
    broker.manners.disconnectAfterConnack = 0x8e;
    const rig = IngestRig.start({ store, port: broker.port, mqtt: { reconnectMinMs: 10, reconnectMaxMs: 60_000 } });
    rigs.push(rig);
    await until('it is said', () => rig.log.lines.some(({ level }) => level === 'error'));
    expect(rig.log.lines.find(({ level }) => level === 'error')?.message).toContain(
      'another client has logged in as techtemp-server-main',
    );
    await broker.answered();
    expect(broker.connects.length).toBe(1);
  });

  it('a wrong password is an error in the log, and is not tried again at full speed', async () => {
    broker.manners.connect = { refuse: 0x86 };
    const rig = IngestRig.start({
      store,
      port: broker.port,
      mqtt: { reconnectMinMs: 10, reconnectMaxMs: 60_000, protocol: '5' },
    });
    rigs.push(rig);
    await until('it is said', () => rig.log.lines.some(({ level }) => level === 'error'));
    await until('the state has it', () => rig.server.state().linkProblem !== undefined);
    expect(rig.server.state().linkProblem).toContain(
      'bad username or password; check username and password in section [mqtt]',
    );
    await broker.answered();
    expect(broker.connects.length).toBe(1);
  });

  it('a subscription that is refused is said, and nothing is announced', async () => {
    broker.manners.suback = (filter) => (filter.endsWith('/reading') ? 0x87 : 1);
    const rig = IngestRig.start({ store, port: broker.port, mqtt: { reconnectMinMs: 10, reconnectMaxMs: 60_000 } });
    rigs.push(rig);
    await until('it is said', () => rig.log.lines.some(({ level }) => level === 'error'));
    await until('the state has it', () => rig.server.state().linkProblem !== undefined);
    expect(rig.server.state().linkProblem).toContain(
      'refuses the subscription to home/+/sensors/+/reading; check its access rules',
    );
    expect(broker.on('server/main')).toEqual([]);
  });

  it('subscribes again whether the session was kept or forgotten', async () => {
    await serve();
    broker.manners.sessionPresent = true;
    broker.cut('reset');
    await until(
      'again',
      () => broker.subscriptions.filter((filter) => filter === 'home/+/sensors/+/reading').length === 2,
    );
  });
});

describe('a change of the configuration', () => {
  it('of [mqtt] connects anew at once, and a name that is given up is cleared', async () => {
    const rig = await serve({ mqtt: { reconnectMinMs: 60_000, reconnectMaxMs: 60_000 } });
    rig.mqtt.set({ ...rig.mqtt.current, instance: 'second' });
    await until('announced', () => broker.on('server/second').length > 0);
    expect(broker.on('server/main').at(-1)).toMatchObject({ payload: '', retain: true });
    expect(broker.connects.at(-1)?.clientId).toBe('techtemp-server-second');
  });

  it('of [ingest] takes effect without another connection', async () => {
    const rig = await serve();
    rig.ingest.set({ ...rig.ingest.current, maxPayloadBytes: 10, registration: 'approve' });
    broker.deliver(messages(1, 1));
    await until('acknowledged', () => broker.acknowledged.length === 1);
    expect(store.messages).toMatchObject([{ kind: 'rejected', reason: 'too-large' }]);
    expect(store.batches[0]?.registration).toBe('approve');
    expect(broker.connects.length).toBe(1);
  });

  it('to one home stores what still comes of another, and asks the broker for no more of it', async () => {
    const rig = await serve({ mqtt: { homeId: 'home-002' } });
    broker.deliver(messages(1, 2));
    await until('acknowledged', () => broker.acknowledged.length === 2);
    await until('unsubscribed', () => broker.reads.flat().includes('unsubscribe'));
    expect(store.items()).toHaveLength(2);
    expect(rig.server.state().link).toBe('connected');
  });
});
