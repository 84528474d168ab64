import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeReceipt } from '../../src/contract/messages.ts';
import { serverTopic } from '../../src/contract/topics.ts';
import { requestForgetting } from '../../src/device/publisher/servers.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ArrayJournal, ArrayJournalSet } from '../support/memory-journal-set.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { EPOCH, PublisherRig, type RigOptions, UID, upTo } from '../support/publisher-rig.ts';
import { ReceiptServer, type ReceiptServerOptions } from '../support/receipt-server.ts';
import { type Manners, ScriptedBroker } from '../support/scripted-broker.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const closing: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function mosquitto(...config: string[]): Promise<Mosquitto> {
  const broker = await Mosquitto.start({ config });
  closing.push(async () => broker.dispose());
  return broker;
}

async function scripted(manners: Partial<Manners> = {}): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start(manners);
  closing.push(async () => broker.stop());
  return broker;
}

async function receiptServer(port: number, options?: ReceiptServerOptions): Promise<ReceiptServer> {
  const server = await ReceiptServer.start(port, options);
  closing.push(() => server.crash());
  return server;
}

async function client(port: number, ...filters: string[]): Promise<TestClient> {
  const made = await TestClient.connect(port, filters);
  closing.push(async () => made.end());
  return made;
}

function rig(port: number, options: RigOptions = {}): PublisherRig {
  const made = new PublisherRig(port, options);
  closing.push(async () => made.dispose());
  return made;
}

function codes(agent: PublisherRig): readonly string[] {
  return agent.publisher.state().problems.map(({ code }) => code);
}

const ONLINE = '{"state":"online","accepts":["batch","receipt"]}';

describe('receipts that nobody should believe', () => {
  it('A5: a retained one releases nothing, and is said', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    agent.buffer(38);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes(agent.topic('receipt')));
    broker.send(agent.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: [[1, 25]] }), { retain: true });
    broker.send(agent.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: [[1, 25]] }));
    await until('both were looked at', () => agent.publisher.state().ignoredMessages === 2);
    expect(agent.unreleased()).toBe(38);
    expect(agent.logged()).toContain('retained receipt');
    expect(agent.logged()).toContain('not sent since the start');
  });

  it('A5: of numbers in between that were never sent none is released', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    agent.buffer(3);
    await agent.startConnected();
    agent.take();
    await until('the live one is acknowledged', () => agent.publisher.state().taken === 1);
    agent.buffer(3);
    broker.send(agent.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: [[1, 7]] }));
    await until('the sent one is released', () => agent.unreleased() === 6);
    expect(agent.journals.active().released).toEqual([[4, 4]]);
    expect(agent.publisher.state().ignoredMessages).toBe(1);
  });

  it('A5: counts when the PUBACK has come, where it was faster', async () => {
    const broker = await scripted({ puback: (topic) => (topic.endsWith('/reading') ? 'hold' : 0) });
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    await agent.startConnected();
    agent.take();
    await until('it is on its way', () => broker.held() === 1);
    broker.send(agent.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: [[1, 1]] }));
    broker.send(serverTopic('marker'), 'not an announcement');
    await until('the receipt was read', () => agent.publisher.state().ignoredMessages === 1);
    expect(agent.unreleased()).toBe(1);
    broker.releaseAcks();
    await agent.drained();
  });

  it('A5: knows across a restart what a broker had acknowledged, and nothing beyond', async () => {
    const broker = await scripted();
    const first = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    await first.startConnected();
    first.take();
    await until('it is acknowledged', () => first.publisher.state().taken === 1);
    await first.stop();
    first.buffer(4);
    const second = rig(broker.port, {
      mqtt: { delivery: 'receipt' },
      statePath: first.statePath,
      journals: first.journals,
    });
    await second.startConnected();
    await until('it listens', () => broker.subscriptions.filter((it) => it === second.topic('receipt')).length === 2);
    broker.send(second.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: [[1, 5]] }));
    await until('it was read', () => second.publisher.state().ignoredMessages === 1);
    expect(second.unreleased()).toBe(4);
  });
});

describe('a flood of receipts', () => {
  it('costs little, however many numbers each of them names', async () => {
    const broker = await scripted();
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    agent.buffer(5_000);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes(agent.topic('receipt')));
    agent.take();
    await until('the live one is acknowledged', () => agent.publisher.state().taken === 1);
    const scattered = Array.from({ length: 10_000 }, (_, n): [number, number] => [2 * n + 1, 2 * n + 1]);
    for (let n = 0; n < 50; n += 1) {
      broker.send(agent.topic('receipt'), encodeReceipt({ epoch: EPOCH, stored: scattered }));
    }
    broker.send(serverTopic('last'), 'not an announcement');
    await until('all were read', () => agent.publisher.state().ignoredMessages === 51);
    expect(agent.unreleased()).toBe(5_001);
  });
});

describe('servers that are not what they seem', () => {
  it('C5, C6: 22,000 announcements are read in passing, and the list stays short', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    for (let n = 0; n < 22_000; n += 1) {
      broker.send(serverTopic(`x${n}`), n % 2 === 0 ? ONLINE : '{"state":"offline","accepts":["receipt"]}');
    }
    broker.send(serverTopic('last'), 'not an announcement');
    await until('all were read', () => agent.publisher.state().ignoredMessages === 1);
    expect(agent.publisher.state().servers).toHaveLength(16);
    await agent.stop();
    expect((JSON.parse(readFileSync(agent.statePath, 'utf8')) as { servers: unknown[] }).servers).toHaveLength(16);
  });

  it('C6: one that was never online changes nothing', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    agent.buffer(5);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    broker.send(serverTopic('x'), '{"state":"offline","accepts":["receipt"]}');
    await agent.drained();
    expect(agent.publisher.state().delivery).toBe('broker');
  });

  it('can be forgotten while the agent runs, and while it is stopped', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    broker.send(serverTopic('wrong'), ONLINE);
    broker.send(serverTopic('false'), ONLINE);
    await until('they are believed', () => agent.publisher.state().servers.length === 2);
    await requestForgetting(agent.statePath, ['wrong']);
    await until('one is forgotten', () => agent.publisher.state().servers.length === 1);
    await agent.stop();
    await requestForgetting(agent.statePath, ['false']);
    const again = rig(broker.port, { statePath: agent.statePath });
    again.buffer(2);
    again.start();
    await again.drained();
    expect(again.publisher.state()).toMatchObject({ delivery: 'broker', servers: [] });
  });

  it('with another record is told, and given again once what is still here', async () => {
    const broker = await scripted();
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('it listens', () => broker.subscriptions.includes('techtemp/server/+'));
    const announce = (record: string): void =>
      broker.send(serverTopic('main'), ONLINE.replace('}', `,"record":"${record}"}`));
    announce('one');
    await until('it is known', () => agent.publisher.state().serverOnline);
    agent.take();
    await until('it is acknowledged', () => agent.publisher.state().taken === 1);
    const receipt = encodeReceipt({ epoch: EPOCH, stored: [[1, 1]] });
    broker.send(agent.topic('receipt'), receipt);
    await agent.drained();
    announce('two');
    announce('two');
    await until('it is given again', () => broker.on('/backlog').length === 1);
    expect(codes(agent)).toContain('RECORD_CHANGED');
    broker.send(agent.topic('receipt'), receipt);
    await agent.drained();
    announce('two');
    agent.take();
    await until('the next is out', () => broker.on('/reading').length === 2);
    expect(broker.on('/backlog')).toHaveLength(1);
    expect(agent.logged()).toContain('1 readings are given to it again');
  });
});

describe.skipIf(!mosquittoInstalled)('a real Mosquitto with nobody behind it (needs Mosquitto)', () => {
  it('A7, A8: keeps what nobody is subscribed to, and gives a server all of it', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port);
    await agent.startConnected();
    for (let n = 0; n < 14; n += 1) agent.take();
    await until('it is said', () => agent.publisher.state().nobodySubscribed);
    expect(agent.unreleased()).toBe(14);
    expect(codes(agent)).toEqual([]);
    const server = await receiptServer(broker.port);
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(14));
  });

  it('A8: gives a plain consumer that comes late all of it, one by one, and not again and again', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port);
    agent.buffer(30);
    await agent.startConnected();
    agent.take();
    await until('it is said', () => agent.publisher.state().nobodySubscribed);
    const consumer = await client(broker.port, 'home/+/sensors/+/reading');
    agent.take();
    await agent.drained();
    const seqs = consumer.heard.map(({ payload }) => (JSON.parse(payload) as { seq: number }).seq);
    expect([...seqs].sort((a, b) => a - b)).toEqual(upTo(32));
    expect(agent.publisher.state().nobodySubscribed).toBe(false);
  });

  it('lets go of it with no_subscriber = release, at once when that is set', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port);
    agent.buffer(3);
    await agent.startConnected();
    await until('it is said', () => agent.publisher.state().nobodySubscribed);
    agent.mqtt.set({ ...agent.mqtt.current, noSubscriber: 'release' });
    await agent.drained();
  });
});

describe('a new installation on a broker of MQTT 3.1.1', () => {
  it('A7: keeps its first readings for ten minutes, then goes by PUBACK', async () => {
    const broker = await scripted({ only: 4 });
    const clock = new FakeClock();
    const agent = rig(broker.port, { clock, mqtt: { statusIntervalMs: 86_400_000 } });
    agent.buffer(3);
    await agent.startConnected();
    await until('they are out', async () => {
      await clock.advance(100);
      return agent.publisher.state().taken === 3;
    });
    expect(agent.publisher.state()).toMatchObject({ waitingForServer: true, delivery: 'broker' });
    await clock.advance(500_000);
    expect(agent.unreleased()).toBe(3);
    await clock.advance(100_000);
    await agent.drained();
    expect(broker.on('/reading')).toHaveLength(3);
    await agent.stop();
    expect(readFileSync(agent.statePath, 'utf8')).toContain('"waited_for_server": true');
  });
});

describe.skipIf(!mosquittoInstalled)('a real Mosquitto with message_size_limit (needs Mosquitto)', () => {
  for (const protocol of ['3.1.1', '5'] as const) {
    for (const limit of [300, 1_000, 2_000]) {
      it(`C1, C2: takes a backlog in arrays below ${limit} bytes with MQTT ${protocol}`, async () => {
        const broker = await mosquitto(`message_size_limit ${limit}`);
        const server = await receiptServer(broker.port);
        const agent = rig(broker.port, { mqtt: { protocol, receiptTimeoutMs: 150 } });
        agent.buffer(173);
        await agent.startConnected();
        const ticking = setInterval(() => agent.take(), 100);
        closing.push(() => clearInterval(ticking));
        await until('the backlog is stored', () =>
          upTo(173).every((seq) => server.stored.has(`${UID}/${EPOCH}/${seq}`)),
        );
        clearInterval(ticking);
        await agent.drained();
        expect(server.conflicts).toEqual([]);
        expect(
          Math.max(...server.messages.filter(({ leaf }) => leaf === 'backlog').map(({ size }) => size)),
        ).toBeGreaterThan(1);
        expect(agent.log.lines.filter(({ message }) => message.startsWith('connected'))).toHaveLength(1);
      });
    }
  }

  it('C1: sets aside and names what can never pass, and sends the rest', async () => {
    const broker = await mosquitto('message_size_limit 150');
    const server = await receiptServer(broker.port);
    const agent = rig(broker.port, { mqtt: { protocol: '3.1.1', receiptTimeoutMs: 150 } });
    const times = { fromTsMs: 1_790_000_000_000, toTsMs: 1_790_000_000_000 };
    const gap = { ofEpoch: EPOCH, from: 1, to: 2 ** 47, count: 2 ** 46, reason: 'lost-in-memory', ...times } as const;
    agent.buffer(2);
    await agent.journals.active().appendGap(gap, 1_790_000_000_000);
    agent.buffer(20);
    await agent.startConnected();
    const ticking = setInterval(() => agent.take(), 100);
    closing.push(() => clearInterval(ticking));
    await until('it is set aside', () => agent.publisher.state().setAside === 1);
    clearInterval(ticking);
    await until('the rest is stored', () => agent.unreleased() === 1);
    expect(server.seqs(UID, EPOCH)).not.toContain(3);
    expect(codes(agent)).toContain('ENTRY_SET_ASIDE');
    expect(
      agent.publisher
        .state()
        .problems.map(({ message }) => message)
        .join(),
    ).toContain(`entry 3 of journal ${EPOCH}`);
  });
});

describe('a broker that hangs up', () => {
  for (const refused of ['techtemp/server/+', 'techtemp/server/main', 'command', 'homeassistant/status', 'receipt']) {
    it(`C3: on the subscription to ${refused} is used without it, and that is told`, async () => {
      const broker = await scripted({ suback: (filter) => (filter.endsWith(refused) ? 'hang up' : 1) });
      const agent = rig(broker.port, { mqtt: { commands: true }, homeassistant: { discovery: true } });
      agent.buffer(20);
      agent.start();
      await agent.drained();
      await until('it is told', () => codes(agent).includes('STEP_LEFT_OUT'));
      expect(agent.publisher.state().leftOut).toHaveLength(1);
      expect(agent.publisher.state().connected).toBe(true);
      const { length } = broker.connects;
      agent.take();
      await agent.drained();
      expect(broker.connects).toHaveLength(length);
      expect(length).toBeLessThanOrEqual(3);
    });
  }

  for (const refused of ['status', 'latest', 'config']) {
    it(`C3: on a message to ${refused} is used without it, and that is told`, async () => {
      const broker = await scripted({ puback: (topic) => (topic.endsWith(refused) ? 'hang up' : 0) });
      const agent = rig(broker.port, { homeassistant: { discovery: true } });
      agent.buffer(20);
      agent.start();
      await until('it is told', () => {
        agent.take();
        return codes(agent).includes('STEP_LEFT_OUT');
      });
      await agent.connected();
      const { length } = broker.connects;
      agent.take();
      await agent.drained();
      expect(agent.publisher.state().leftOut).toHaveLength(1);
      expect(broker.connects).toHaveLength(length);
    });
  }

  it('B10: is said to be back as loud as it was said to be gone', async () => {
    const broker = await scripted({ connect: { refuse: 0x87 } });
    const agent = rig(broker.port);
    agent.start();
    await until('it is said', () => agent.log.lines.some(({ level }) => level === 'error'));
    broker.manners.connect = 'accept';
    await agent.connected();
    expect(agent.log.lines.at(-1)?.level).toBe('info');
    expect(agent.log.lines.at(-1)?.message).toMatch(/^connected to the MQTT broker/);
  });
});

describe.skipIf(!mosquittoInstalled)('two agents with one client id (needs Mosquitto)', () => {
  for (const protocol of ['5', '3.1.1'] as const) {
    it(`C10: each say so with MQTT ${protocol} for as long as it goes on`, async () => {
      const broker = await mosquitto();
      const mqtt = { protocol, clientId: 'same' } as const;
      const agents = ['a', 'b'].map((name) =>
        rig(broker.port, {
          mqtt,
          device: { deviceUid: name },
          journals: new ArrayJournalSet(new ArrayJournal(name, EPOCH)),
        }),
      );
      for (const agent of agents) agent.start();
      for (const agent of agents) {
        await until('it is told', () => codes(agent).includes('CLIENT_ID_TAKEN'));
        await agent.connected();
        expect(codes(agent)).toContain('CLIENT_ID_TAKEN');
      }
    });
  }
});
