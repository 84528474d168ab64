import { afterEach, describe, expect, it } from 'vitest';
import { encodeReading } from '../../src/contract/reading.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { settle } from '../support/fake-clock.ts';
import { ArrayJournal, ArrayJournalSet } from '../support/memory-journal-set.ts';
import { EPOCH, HOME, PublisherRig, type RigOptions, UID, upTo } from '../support/publisher-rig.ts';
import { type Manners, ScriptedBroker } from '../support/scripted-broker.ts';
import { until } from '../support/until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function scripted(manners: Partial<Manners> = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(manners);
  closing.push(async () => broker.stop());
  return broker;
}

function rig(port: number, options: RigOptions = {}): PublisherRig {
  const made = new PublisherRig(port, { ...options, mqtt: { delivery: 'broker', ...options.mqtt } });
  closing.push(async () => made.dispose());
  return made;
}

function seqsOn(broker: ScriptedBroker, leaf: string): number[] {
  return broker.on(`/${leaf}`).map(({ payload }) => (JSON.parse(payload) as { seq: number }).seq);
}

const ONLINE_SERVER = '{"state":"online","accepts":["batch","receipt"]}';

describe('the publisher and a broker without a server', () => {
  it('publishes a live reading as the contract says, and releases it at PUBACK', async () => {
    const broker = await scripted({ puback: 'hold' });
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('status is out', () => broker.held() === 1);
    broker.releaseAcks();
    const { entry } = agent.take();
    await until('it is out', () => broker.on('/reading').length === 1);
    expect(broker.on('/reading')[0]).toEqual({
      topic: `home/${HOME}/sensors/${UID}/reading`,
      payload: encodeReading({
        temperatureCelsius: entry.temperatureCelsius,
        humidityPercent: entry.humidityPercent,
        tsMs: entry.stamp.tsMs,
        epoch: EPOCH,
        seq: 1,
      }),
      retain: false,
      dup: false,
    });
    expect(agent.unreleased()).toBe(1);
    broker.releaseAcks();
    await agent.drained();
  });

  it('tells that it is connected, and that the broker has taken the first reading, as news', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    expect(agent.changes).toContain('news');
    expect(agent.publisher.state()).toMatchObject({ connected: true, taken: 0 });
    agent.changes.length = 0;
    agent.take();
    await agent.drained();
    expect(agent.changes).toEqual(['news']);
    agent.take();
    await agent.drained();
    expect(agent.changes).toEqual(['news', 'routine']);
    expect(agent.publisher.state().taken).toBe(2);
  });

  it('counts no reading as taken that the broker has not acknowledged', async () => {
    const broker = await scripted({ puback: 'hold' });
    const agent = rig(broker.port);
    await agent.startConnected();
    agent.take();
    await until('it is out', () => broker.on('/reading').length === 1);
    expect(agent.publisher.state().taken).toBe(0);
  });

  it('sends the newest reading first after an outage, then the backlog oldest first, one by one', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    agent.buffer(30);
    agent.take();
    agent.start();
    await agent.drained();
    expect(seqsOn(broker, 'reading')).toEqual([31, ...upTo(30)]);
    expect(broker.on('/backlog')).toEqual([]);
  });

  it('sends gap records on their own topic, in their place', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    agent.buffer(3);
    await agent.journals
      .active()
      .appendGap({ ofEpoch: EPOCH, from: 1, to: 2, count: 2, reason: 'dropped' }, 1_790_000_000_000);
    agent.buffer(1);
    agent.start();
    await agent.drained();
    expect(broker.on('/gap').map(({ payload }) => payload)).toEqual([
      `{"gap":{"epoch":"${EPOCH}","from":1,"to":2,"count":2,"reason":"dropped"},"ts":1790000000000,"epoch":"${EPOCH}","seq":4}`,
    ]);
    expect(seqsOn(broker, 'reading')).toEqual([1, 2, 3, 5]);
  });

  it('sends at once a gap record that came with a live reading, or with one that waits for its time', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('it has looked once', () => agent.journals.active().reads > 0);
    const gap = { ofEpoch: EPOCH, from: 1, to: 2, count: 2, reason: 'damaged' } as const;
    await agent.journals.active().appendGap(gap, 1_790_000_000_000);
    agent.take();
    await agent.drained();
    await agent.journals.active().appendGap(gap, 1_790_000_000_000);
    agent.take({ stamp: { state: 'pending', tsMs: 1_790_000_000_000 } });
    await until('only the reading waits', () => agent.unreleased() === 1);
    expect(seqsOn(broker, 'gap')).toEqual([1, 3]);
  });

  it('keeps a place for the next live reading while the backlog fills the window', async () => {
    const broker = await scripted({ puback: 'hold' });
    const agent = rig(broker.port, { mqtt: { maxInFlight: 4 } });
    agent.start();
    await until('status waits for its PUBACK', () => broker.held() === 1);
    broker.releaseAcks();
    agent.buffer(100);
    agent.publisher.wake();
    await until('the backlog has its places', () => broker.held() === 3);
    const { entry } = agent.take();
    await until('the live one is out', () => seqsOn(broker, 'reading').includes(entry.seq));
    expect(broker.mostInFlight).toBe(4);
    expect(seqsOn(broker, 'reading')).toEqual([1, 2, 3, 101]);
  });

  it('X7: keeps to a Receive Maximum of 1, live first when the place falls free', async () => {
    const broker = await scripted({ receiveMaximum: 1, puback: 'hold' });
    const agent = rig(broker.port, { mqtt: { maxInFlight: 20 } });
    agent.buffer(10);
    agent.start();
    await until('status waits for its PUBACK', () => broker.held() === 1);
    broker.releaseAcks();
    await until('the first of the backlog is out', () => broker.on('/reading').length === 1);
    const { entry } = agent.take();
    broker.releaseAcks();
    await until('the next is out', () => broker.on('/reading').length === 2);
    expect(seqsOn(broker, 'reading')).toEqual([1, entry.seq]);
    broker.manners.puback = 'at-once';
    broker.releaseAcks();
    await agent.drained();
    expect(broker.violations).toEqual([]);
    expect(broker.mostInFlight).toBe(1);
  });

  it('cuts arrays and status to a Maximum Packet Size of 512', async () => {
    const broker = await scripted({ maximumPacketSize: 512 });
    const agent = rig(broker.port, {
      mqtt: { delivery: 'auto', batchSize: 50 },
      status: { label: 'x'.repeat(300), room: 'y'.repeat(300) },
    });
    agent.buffer(40);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    broker.send('techtemp/server/main', ONLINE_SERVER, { retain: true });
    const sent = (): number[] =>
      broker.on('/backlog').flatMap(({ payload }) => (JSON.parse(payload) as { seq: number }[]).map(({ seq }) => seq));
    for (let from = 1; from <= 40; ) {
      await until('more came', () => sent().length >= from);
      const to = sent().length;
      broker.send(agent.topic('receipt'), `{"epoch":"${EPOCH}","stored":[[${from},${to}]]}`);
      from = to + 1;
    }
    await agent.drained();
    expect(sent()).toEqual(upTo(40));
    expect(broker.on('/status').length).toBeGreaterThan(0);
    expect(JSON.parse(broker.on('/status')[0]!.payload)).toMatchObject({ state: 'online' });
    expect(broker.violations).toEqual([]);
  });

  it('sends smaller arrays to a 3.1.1 broker that hangs up at larger ones without saying why', async () => {
    const broker = await scripted({ only: 4, hangsUpAboveBytes: 1_500 });
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt', batchSize: 50 } });
    agent.buffer(200);
    agent.start();
    const stored = new Set<number>();
    await until('the journal is empty', () => {
      // As a server does: announced to each new connection, a receipt for whatever has come.
      broker.send('techtemp/server/main', ONLINE_SERVER, { retain: true });
      for (const { payload } of broker.on('/backlog')) {
        for (const { seq } of JSON.parse(payload) as { seq: number }[]) stored.add(seq);
      }
      for (const seq of stored) broker.send(agent.topic('receipt'), `{"epoch":"${EPOCH}","stored":[[${seq},${seq}]]}`);
      return agent.unreleased() === 0;
    });
    expect(stored.size).toBe(200);
  });

  it('keeps and reports what cannot fit even alone, and sends the rest', async () => {
    const broker = await scripted({ maximumPacketSize: 200 });
    const agent = rig(broker.port);
    agent.buffer(2);
    // The only entry that is longer than a reading.
    await agent.journals.active().appendGap(
      {
        ofEpoch: EPOCH,
        from: 1,
        to: 2 ** 47,
        count: 2 ** 46,
        reason: 'lost-in-memory',
        fromTsMs: 1,
        toTsMs: 1_790_000_000_000,
      },
      1_790_000_000_000,
    );
    agent.buffer(2);
    agent.start();
    await until('the others are out', () => agent.unreleased() === 1);
    expect(seqsOn(broker, 'reading')).toEqual([1, 2, 4, 5]);
    expect(agent.publisher.state().lastError).toContain('the broker takes at most 200');
    agent.take();
    await until('the next one is through too', () => agent.unreleased() === 1);
    expect(seqsOn(broker, 'reading')).toHaveLength(5);
    expect(broker.violations).toEqual([]);
  });

  for (const code of [0x87, 0x97]) {
    it(`keeps what PUBACK refuses with ${code}, pauses that lane, says so, and goes on elsewhere`, async () => {
      const broker = await scripted({ puback: (topic) => (topic.endsWith('/reading') ? code : 0) });
      const agent = rig(broker.port);
      agent.buffer(5);
      await agent.startConnected();
      await until('the refusal is said', () => agent.publisher.state().lastError?.includes(`(code ${code})`) === true);
      await until('status says it', () =>
        broker.on('/status').some(({ payload }) => payload.includes(`(code ${code})`)),
      );
      agent.take();
      await until('a live one is still tried', () => seqsOn(broker, 'reading').includes(6));
      expect(agent.unreleased()).toBe(6);
      expect(agent.publisher.state().connected).toBe(true);
      // A pause of at least a second: at most a few places were in flight when it began.
      expect(broker.on('/reading').length).toBeLessThan(20);
      broker.manners.puback = 'at-once';
      await agent.drained();
      agent.take();
      await until('the fault is over', () => agent.publisher.state().lastError === undefined);
    });
  }

  it('throttles the replay, so that a queue behind the broker does not overflow', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { replayPerSecond: 50 } });
    agent.buffer(60);
    const started = process.hrtime.bigint();
    agent.start();
    await agent.drained();
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    // 60 at 50 a second, 5 at once: never faster, however fast the machine.
    expect(seconds).toBeGreaterThan((60 - 6) / 50);
  });

  it('follows a change of the throttle without a new connection', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { replayPerSecond: 1 } });
    agent.buffer(200);
    await agent.startConnected();
    await until('it has begun', () => broker.on('/reading').length > 0);
    agent.mqtt.set({
      ...agent.mqtt.current,
      replayPerSecond: 10_000,
      batchSize: 7,
      maxInFlight: 3,
      receiptTimeoutMs: 1_000,
    });
    await agent.drained();
    expect(broker.connects).toHaveLength(1);
  });

  it('does not touch the journal on disk while every reading goes out at once', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('it has looked once', () => agent.journals.active().reads > 0);
    const before = agent.journals.active().reads;
    for (let n = 0; n < 20; n += 1) {
      agent.take();
      await agent.drained();
    }
    expect(agent.journals.active().reads).toBe(before);
  });

  it('finds in the journal what came faster than it could be sent', async () => {
    const broker = await scripted({ puback: 'hold' });
    const agent = rig(broker.port, { mqtt: { maxInFlight: 2 } });
    await agent.startConnected();
    await until('status is out', () => broker.held() === 1);
    for (let n = 0; n < 50; n += 1) agent.take();
    broker.manners.puback = 'at-once';
    broker.releaseAcks();
    await agent.drained();
    expect([...seqsOn(broker, 'reading')].sort((a, b) => a - b)).toEqual(upTo(50));
  });

  it('sends readings of an earlier uid under that uid', async () => {
    const broker = await scripted();
    const journals = new ArrayJournalSet(new ArrayJournal('aht20-earlier', 'epochA'), new ArrayJournal(UID, EPOCH));
    const agent = rig(broker.port, { journals });
    journals.all[0]?.put(agent.reading(1));
    agent.start();
    await agent.drained();
    expect(broker.on('/reading').map(({ topic }) => topic)).toEqual([`home/${HOME}/sensors/aht20-earlier/reading`]);
  });

  it('keeps what a broker had not acknowledged when it was cut off, and sends it again', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/reading') ? 'hold' : 0) });
    const agent = rig(broker.port);
    agent.buffer(10);
    agent.take();
    agent.start();
    await until('some are out', () => broker.on('/reading').length >= 5);
    broker.manners.puback = 'at-once';
    broker.cut('reset');
    await agent.drained();
    expect(new Set(seqsOn(broker, 'reading'))).toEqual(new Set(upTo(11)));
    expect(broker.received.every(({ dup }) => !dup)).toBe(true);
  });

  it('does not trust PUBACK before it knows whether a server has announced itself', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { delivery: 'auto' } });
    await agent.startConnected();
    agent.take();
    await until('it arrived', () => broker.on('/reading').length === 1);
    await settle();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    broker.send('techtemp/server/main', ONLINE_SERVER, { retain: true });
    await until('the server is seen', () => agent.publisher.state().serverOnline);
    expect(agent.unreleased()).toBe(1);
    broker.send(agent.topic('receipt'), `{"epoch":"${EPOCH}","stored":[[1,1]]}`);
    await agent.drained();
  });

  it('sends again at once what was under way when a server came, which may not have been given it', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/reading') ? 'hold' : 0) });
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt', receiptTimeoutMs: 600_000 } });
    await agent.startConnected();
    await until('status is out', () => broker.on('/status').length === 1);
    agent.take();
    await until('it is under way', () => broker.held() === 1);
    broker.send('techtemp/server/main', ONLINE_SERVER, { retain: true });
    await until('the server is seen', () => agent.publisher.state().serverOnline);
    broker.releaseAcks();
    await until('it is sent to the server', () => broker.on('/backlog').length === 1);
    broker.send(agent.topic('receipt'), `{"epoch":"${EPOCH}","stored":[[1,1]]}`);
    await agent.drained();
  });

  it('gives brokers that look up retained messages in the background a moment before it trusts PUBACK', async () => {
    const broker = await scripted();
    const real = createSystemClock();
    let graceOver: () => void = () => undefined;
    const grace = new Promise<void>((resolve) => (graceOver = resolve));
    const sleep = async (ms: number, signal?: AbortSignal): Promise<void> =>
      ms === 1_000 ? grace : real.sleep(ms, signal);
    const agent = rig(broker.port, { mqtt: { delivery: 'auto' }, clock: { ...real, sleep } });
    agent.buffer(3);
    await agent.startConnected();
    agent.take();
    await until('status is out', () => broker.on('/status').length === 1);
    await settle();
    expect(agent.unreleased()).toBe(4);
    expect(broker.on('/reading')).toHaveLength(1);
    graceOver();
    await agent.drained();
  });

  it('says what a refused subscription means, and goes on without it', async () => {
    const broker = await scripted({ suback: (filter) => (filter.startsWith('techtemp/') ? 0x87 : 1) });
    const agent = rig(broker.port, { mqtt: { delivery: 'auto', commands: true } });
    await agent.startConnected();
    agent.take();
    await agent.drained();
    expect(agent.publisher.state().lastError).toContain('techtemp/server/+');
    expect(broker.connects).toHaveLength(1);
  });
});
