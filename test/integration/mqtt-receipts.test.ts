import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeReceipt, type ServerAbility } from '../../src/contract/messages.ts';
import { serverTopic } from '../../src/contract/topics.ts';
import { ArrayJournal, ArrayJournalSet } from '../support/memory-journal-set.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { EPOCH, HOME, PublisherRig, type RigOptions, UID, upTo } from '../support/publisher-rig.ts';
import { ReceiptServer, type ReceiptServerOptions } from '../support/receipt-server.ts';
import { retainedOn, TestClient } from '../support/test-client.ts';
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

async function receiptServer(port: number, options?: ReceiptServerOptions): Promise<ReceiptServer> {
  const server = await ReceiptServer.start(port, options);
  closing.push(() => server.crash());
  return server;
}

function rig(port: number, options: RigOptions = {}): PublisherRig {
  const made = new PublisherRig(port, options);
  closing.push(async () => made.dispose());
  return made;
}

async function client(port: number, ...filters: string[]): Promise<TestClient> {
  const made = await TestClient.connect(port, filters);
  closing.push(async () => made.end());
  return made;
}

describe.skipIf(!mosquittoInstalled)('delivery with receipts, through a real Mosquitto (needs Mosquitto)', () => {
  it('releases a live reading when its receipt comes, not when the broker has it', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    server.receipts = 'hold';
    const agent = rig(broker.port);
    await agent.startConnected();
    await until('the server is seen', () => agent.publisher.state().serverOnline);
    agent.take();
    await until('the server has stored it', () => server.stored.size === 1);
    expect(agent.unreleased()).toBe(1);
    expect(agent.publisher.state().delivery).toBe('receipt');
    await until('the broker has it', () => agent.publisher.state().taken === 1);
    agent.changes.length = 0;
    server.giveReceipts();
    await agent.drained();
    // What waits has become less: told, so that nobody is shown an old number.
    expect(agent.changes).toEqual(['routine']);
    expect(server.duplicates).toBe(0);
  });

  it('delivers 5,000 readings once each through a broker with default limits, the server crashing on the way', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    const agent = rig(broker.port, { mqtt: { receiptTimeoutMs: 1_000 } });
    agent.buffer(5_000);
    agent.start();
    for (const share of [500, 1_500, 3_000]) {
      await until(`${share} are stored`, () => server.stored.size >= share);
      server.crash();
      await until('the agent has noticed', () => !agent.publisher.state().serverOnline);
      await server.start();
    }
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(5_000));
    expect(server.conflicts).toEqual([]);
  });

  it('survives a broker that is killed and forgets everything (X12, X13)', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    const agent = rig(broker.port, { mqtt: { receiptTimeoutMs: 1_000 } });
    agent.buffer(3_000);
    agent.start();
    await until('some are stored', () => server.stored.size >= 500);
    server.crash();
    await broker.kill();
    agent.buffer(2_000);
    await broker.start();
    await agent.connected();
    // The broker has never heard of a server; the agent remembers that there is one.
    expect(agent.publisher.state()).toMatchObject({ delivery: 'receipt', serverOnline: false });
    const before = agent.unreleased();
    agent.take();
    const marker = await client(broker.port, 'home/#');
    agent.take();
    await until('the live reading is out', () => marker.on('/reading').length >= 1);
    expect(agent.unreleased()).toBe(before + 2);
    await server.start();
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(5_002));
    expect(server.conflicts).toEqual([]);
  });

  it('remembers across restarts that there is a server, and keeps what nobody has stored', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    const first = rig(broker.port);
    await first.startConnected();
    await until('the server is seen', () => first.publisher.state().serverOnline);
    await until('it is remembered', () => {
      try {
        return readFileSync(first.statePath, 'utf8').includes('"main"');
      } catch {
        return false;
      }
    });
    await first.stop();
    server.crash();
    await broker.restart();
    const second = rig(broker.port, { statePath: first.statePath, journals: first.journals });
    second.buffer(10);
    await second.startConnected();
    const watcher = await client(broker.port, 'home/#');
    second.take();
    await until('the live reading is out', () => watcher.on('/reading').length === 1);
    second.take();
    await until('the next one too', () => watcher.on('/reading').length === 2);
    expect(watcher.on('/backlog')).toEqual([]);
    expect(second.unreleased()).toBe(12);
    await server.start();
    await second.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(12));
  });

  it('takes no server for known that was never online, and loses nothing to one whose session the broker keeps', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    await server.stop();
    const agent = rig(broker.port);
    agent.buffer(5);
    await agent.startConnected();
    await agent.drained();
    expect(agent.publisher.state().delivery).toBe('broker');
    agent.take();
    await server.start();
    await until('the server has all', () => server.stored.size === 6);
    await until('the server is known', () => agent.publisher.state().delivery === 'receipt');
  });

  it('goes back to the broker when the last server is taken out of service', async () => {
    const broker = await mosquitto();
    const one = await receiptServer(broker.port, { instance: 'one' });
    const two = await receiptServer(broker.port, { instance: 'two' });
    for (const server of [one, two]) server.receipts = 'never';
    const agent = rig(broker.port, { mqtt: { receiptTimeoutMs: 600_000 } });
    await agent.startConnected();
    await until('a server is seen', () => agent.publisher.state().serverOnline);
    agent.buffer(5);
    await one.retire();
    agent.take();
    await until('the other has it', () => two.stored.size === 6);
    expect(agent.unreleased()).toBe(6);
    await two.retire();
    await agent.drained();
    expect(agent.publisher.state().delivery).toBe('broker');
    await agent.stop();
    expect(JSON.parse(readFileSync(agent.statePath, 'utf8'))).toMatchObject({ servers: [] });
  });

  for (const accepts of [['receipt'], ['batch', 'receipt']] as const satisfies (readonly ServerAbility[])[]) {
    it(`sends the backlog ${accepts.length === 2 ? 'in arrays' : 'one by one'} to a server that accepts ${accepts.join(', ')}`, async () => {
      const broker = await mosquitto();
      const server = await receiptServer(broker.port, { accepts });
      const agent = rig(broker.port, { mqtt: { batchSize: 30 } });
      agent.buffer(70);
      await agent.journals
        .active()
        .appendGap({ ofEpoch: EPOCH, from: 1, to: 9, count: 4, reason: 'thinned' }, 1_790_000_000_000);
      agent.buffer(29);
      agent.start();
      await agent.drained();
      expect(server.seqs(UID, EPOCH)).toEqual(upTo(100));
      expect(server.stored.get(`${UID}/${EPOCH}/71`)).toMatchObject({
        gap: { from: 1, to: 9, count: 4, reason: 'thinned' },
      });
      const sizes = server.messages.filter(({ leaf }) => leaf === 'backlog').map(({ size }) => size);
      expect(sizes.every((size) => size <= 30)).toBe(true);
      if (accepts.length === 2) expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(100);
      else {
        expect(sizes).toEqual([]);
        expect(server.messages.filter(({ leaf }) => leaf === 'gap')).toHaveLength(1);
      }
    });
  }

  it('sends again, with patience, what gets no receipt, and says so in status', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    server.receipts = 'never';
    const agent = rig(broker.port, { mqtt: { receiptTimeoutMs: 100, batchSize: 10 } });
    agent.buffer(40);
    agent.start();
    await until('it was sent again', () => server.duplicates > 0);
    // What the broker had retained may be from before a power cut: silent is only a server that has spoken.
    expect(agent.publisher.state().lastError).toBeUndefined();
    await server.stop();
    await server.start();
    await until('the fault is said', () => agent.publisher.state().lastError?.includes('no receipt') === true);
    expect(agent.unreleased()).toBe(40);
    server.receipts = 'auto';
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(40));
    await until('the fault is over', () => agent.publisher.state().lastError === undefined);
  });

  it('never has more unreceipted messages out than a default Mosquitto queues', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port, { accepts: ['receipt'] });
    server.receipts = 'hold';
    const agent = rig(broker.port, { mqtt: { receiptTimeoutMs: 600_000 } });
    agent.buffer(2_000);
    agent.start();
    for (const messages of [4, 8, 16, 32, 50, 50]) {
      await until(`${messages} came`, () => server.held() >= messages);
      // Nothing more comes of itself: not even while a live reading makes its way.
      const { entry } = agent.take();
      await until('the live one came', () => server.stored.has(`${UID}/${EPOCH}/${entry.seq}`));
      expect(server.held()).toBe(messages + 1);
      server.giveReceipts();
    }
    server.receipts = 'auto';
    await until('the rest is released', () => {
      server.giveReceipts();
      return agent.unreleased() === 0;
    });
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(2_006));
    expect(server.duplicates).toBe(0);
  });

  it('sends live readings ahead of a big backlog, which waits behind none of them', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    server.receipts = 'hold';
    const agent = rig(broker.port, { mqtt: { batchSize: 10, receiptTimeoutMs: 600_000 } });
    agent.buffer(20_000);
    await agent.startConnected();
    server.receipts = 'auto';
    server.giveReceipts();
    for (let n = 1; n <= 20; n += 1) {
      const { entry } = agent.take();
      await until('the live one is stored', () => server.stored.has(`${UID}/${EPOCH}/${entry.seq}`));
      // Ordering, not speed: it arrived while thousands that are older had not been sent.
      expect(server.stored.size).toBeLessThan(20_000);
    }
    await agent.drained(60_000);
    expect(server.stored.size).toBe(20_020);
  });

  it('releases only numbers of the epoch that the receipt names, in every journal that still holds some', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    const journals = new ArrayJournalSet(
      new ArrayJournal('aht20-earlier', 'epochA'),
      new ArrayJournal(UID, 'epochB'),
      new ArrayJournal(UID, 'epochC'),
    );
    const agent = rig(broker.port, { journals });
    for (const [index, count] of [30, 20, 10].entries()) {
      for (let n = 1; n <= count; n += 1) journals.all[index]?.put(agent.reading(n));
    }
    agent.start();
    await agent.drained();
    expect(server.seqs('aht20-earlier', 'epochA')).toEqual(upTo(30));
    expect(server.seqs(UID, 'epochB')).toEqual(upTo(20));
    expect(server.seqs(UID, 'epochC')).toEqual(upTo(10));
  });

  it('believes no receipt that is not one', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    server.receipts = 'never';
    const earlier = new ArrayJournal('aht20-earlier', 'epochA');
    const journals = new ArrayJournalSet(earlier, new ArrayJournal(UID, EPOCH));
    const agent = rig(broker.port, { journals, mqtt: { receiptTimeoutMs: 600_000 } });
    for (let n = 1; n <= 3; n += 1) earlier.put(agent.reading(n));
    agent.buffer(10);
    await agent.startConnected();
    await until('they are stored', () => server.stored.size === 13);
    const attacker = await client(broker.port);
    const receipt = `home/${HOME}/sensors/${UID}/receipt`;
    const garbage = [
      '',
      'garbage',
      '{}',
      '[]',
      'null',
      `{"epoch":"${EPOCH}","stored":[[10,1]]}`,
      `{"epoch":"${EPOCH}","stored":[[1,5],"x"]}`,
      `{"epoch":"${EPOCH}","stored":[[0,5]]}`,
      encodeReceipt({ epoch: EPOCH, stored: [[11, 11]] }),
      encodeReceipt({ epoch: EPOCH, stored: [[11, 2 ** 48 - 1]] }),
    ];
    // Not garbage, only somebody else's: ignored without being counted.
    await attacker.publish(receipt, encodeReceipt({ epoch: 'other', stored: [[1, 10]] }));
    await attacker.publish(receipt, encodeReceipt({ epoch: 'epochA', stored: [[1, 3]] }));
    for (const payload of garbage) await attacker.publish(receipt, payload);
    await until('they were counted', () => agent.publisher.state().ignoredMessages === garbage.length);
    expect(agent.unreleased()).toBe(13);
    await attacker.publish(receipt, encodeReceipt({ epoch: EPOCH, stored: [[3, 4]] }));
    await until('a good one counts', () => agent.unreleased() === 11);
    // Of a receipt for more than was sent, what was sent is believed, and the rest is counted (A5).
    await attacker.publish(receipt, encodeReceipt({ epoch: EPOCH, stored: [[5, 2 ** 48 - 1]] }));
    await until('the sent ones count', () => agent.unreleased() === 5);
    expect(agent.publisher.state().ignoredMessages).toBe(garbage.length + 1);
    expect(agent.logged()).toContain('never sent');
  });

  it('survives announcements that are none', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port);
    await agent.startConnected();
    const attacker = await client(broker.port, 'home/#');
    for (const payload of ['garbage', '[]', '{"state":"maybe"}', '{"state":"online","accepts":"receipt"}']) {
      await attacker.publish(serverTopic('evil'), payload);
    }
    await until('they were counted', () => agent.publisher.state().ignoredMessages === 3);
    expect(agent.publisher.state().delivery).toBe('broker');
    agent.take();
    await agent.drained();
  });

  it('sends nothing whose time is not final, and everything once it is', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    const agent = rig(broker.port);
    agent.buffer(5, { stamp: { state: 'pending', tsMs: 0 }, bootId: 'boot-1', monotonicMs: 1_000 });
    agent.buffer(5);
    await agent.startConnected();
    await until('the others are stored', () => server.stored.size === 5);
    agent.take({ stamp: { state: 'pending', tsMs: 0 }, bootId: 'boot-1', monotonicMs: 2_000 });
    agent.take();
    await until('a live one overtakes', () => server.stored.size === 6);
    expect(server.seqs(UID, EPOCH)).toEqual([6, 7, 8, 9, 10, 12]);
    await agent.journals.settle({ bootId: 'boot-1', wallMinusMonotonicMs: 1_790_000_000_000, state: 'synced' });
    agent.publisher.wake();
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(12));
    expect(server.stored.get(`${UID}/${EPOCH}/11`)).toMatchObject({ tsMs: 1_790_000_002_000 });
  });

  it('with delivery = receipt waits for a server that nobody has ever seen', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port, { mqtt: { delivery: 'receipt' } });
    const watcher = await client(broker.port, 'home/#');
    agent.buffer(3);
    await agent.startConnected();
    agent.take();
    await until('the live reading is out', () => watcher.on('/reading').length === 1);
    agent.take();
    await until('the next one too', () => watcher.on('/reading').length === 2);
    expect(agent.unreleased()).toBe(5);
    const server = await receiptServer(broker.port);
    await agent.drained();
    expect(server.seqs(UID, EPOCH)).toEqual(upTo(5));
  });

  it('with delivery = broker does not care for servers, and changes its mind without a new connection', async () => {
    const broker = await mosquitto();
    const server = await receiptServer(broker.port);
    server.receipts = 'never';
    const agent = rig(broker.port, { mqtt: { delivery: 'broker' } });
    agent.buffer(5);
    agent.start();
    await agent.drained();
    agent.mqtt.set({ ...agent.mqtt.current, delivery: 'auto' });
    await until('the server is seen', () => agent.publisher.state().serverOnline);
    agent.take();
    await until('the server has it', () => server.stored.size === 6);
    expect(agent.unreleased()).toBe(1);
    agent.mqtt.set({ ...agent.mqtt.current, delivery: 'broker' });
    await agent.drained();
    expect(agent.log.lines.filter(({ message }) => message.startsWith('connected'))).toHaveLength(1);
  });

  it('says in status which promise holds', async () => {
    const broker = await mosquitto();
    const agent = rig(broker.port);
    await agent.startConnected();
    const delivery = async (): Promise<unknown> => {
      const status = (await retainedOn(broker.port, agent.topic('status'))).get(agent.topic('status'));
      return status === undefined ? undefined : (JSON.parse(status) as { delivery?: string }).delivery;
    };
    await until('status says broker', async () => (await delivery()) === 'broker');
    await receiptServer(broker.port);
    await until('status says receipt', async () => (await delivery()) === 'receipt');
  });
});
