import { describe, expect, it } from 'vitest';
import { Inbox, type Read, type Waiting } from '../../../../src/server/ingest/inbox.ts';
import { Acknowledgements, settle } from '../../../../src/server/ingest/receipts.ts';
import type { MqttConnection } from '../../../../src/server/mqtt/connection.ts';

const acknowledged: number[] = [];
const connection = { acknowledge: (ids: readonly number[]) => acknowledged.push(...ids) } as unknown as MqttConnection;
const read: Read = {
  connection,
  readMs: 0,
  context: { nowMs: 0, judgedByMs: 0, maxPayloadBytes: 1_000_000 },
};

let lastId = 0;
function message(device: string, bytes = 100, order = new Acknowledgements(connection)): Waiting {
  lastId += 1;
  const topic = `home/h/sensors/${device}/reading`;
  const raw = { topic, payload: Buffer.alloc(bytes), payloadBytes: bytes, isRetained: false, packetId: lastId };
  return { raw, read, acknowledgement: order.came(lastId) };
}

const devicesOf = (taken: readonly Waiting[]): (string | undefined)[] =>
  taken.map(({ raw }) => raw.topic.split('/')[3]);

// C7
describe('the inbox', () => {
  it('lets a quiet device pass one that floods: it is in the next group', () => {
    const inbox = new Inbox();
    for (let count = 0; count < 5_000; count += 1) inbox.put(message('flood'));
    inbox.put(message('quiet'));
    expect(devicesOf(inbox.take(200, 1_048_576))).toContain('quiet');
    expect(inbox.length).toBe(4_801);
  });

  it('lets it pass one that sends few and very large messages too', () => {
    const inbox = new Inbox();
    for (let count = 0; count < 20; count += 1) inbox.put(message('flood', 900_000));
    inbox.put(message('quiet'));
    const first = devicesOf(inbox.take(200, 1_048_576));
    const second = devicesOf(inbox.take(200, 1_048_576));
    expect([...first, ...second]).toContain('quiet');
  });

  it('keeps the order of each device, and gives all exactly once, whatever the sizes', () => {
    const inbox = new Inbox();
    const put: Waiting[] = [];
    for (let count = 0; count < 3_000; count += 1) {
      const one = message(`d${count % 7}`, (count * 7_919) % 30_000);
      put.push(one);
      inbox.put(one);
    }
    const taken: Waiting[] = [];
    for (let group = inbox.take(100, 200_000); group.length > 0; group = inbox.take(100, 200_000)) {
      expect(group.length).toBeLessThanOrEqual(100);
      const bytes = group.reduce((sum, { raw }) => sum + raw.payload.length, 0);
      expect(group.length === 1 || bytes <= 200_000).toBe(true);
      taken.push(...group);
    }
    expect(inbox.length).toBe(0);
    expect(inbox.bytes).toBe(0);
    for (let device = 0; device < 7; device += 1) {
      const isOf = ({ raw }: Waiting): boolean => raw.topic.includes(`/d${device}/`);
      expect(taken.filter(isOf)).toEqual(put.filter(isOf));
    }
    expect(taken).toHaveLength(put.length);
  });

  it('always gives one, however large it is', () => {
    const inbox = new Inbox();
    inbox.put(message('a', 10_000));
    inbox.put(message('a', 10_000));
    expect(inbox.take(10, 100)).toHaveLength(1);
  });
});

describe('acknowledgements', () => {
  it('go out in the order in which the messages came, whatever the order in which they are stored', () => {
    acknowledged.length = 0;
    const order = new Acknowledgements(connection);
    const [a, b, c, d] = ['a', 'b', 'a', 'b'].map((device) => message(device, 10, order)) as [
      Waiting,
      Waiting,
      Waiting,
      Waiting,
    ];
    settle([b, d], 'stored');
    expect(acknowledged).toEqual([]);
    settle([a], 'stored');
    expect(acknowledged).toEqual([a.raw.packetId, b.raw.packetId]);
    settle([c], 'stored');
    expect(acknowledged.slice(2)).toEqual([c.raw.packetId, d.raw.packetId]);
  });

  it('are not held up by a message that is left with the broker', () => {
    acknowledged.length = 0;
    const order = new Acknowledgements(connection);
    const [a, b] = [message('a', 10, order), message('b', 10, order)];
    settle([b], 'stored');
    settle([a], 'left');
    expect(acknowledged).toEqual([b.raw.packetId]);
  });
});
