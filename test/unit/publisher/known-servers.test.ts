import { describe, expect, it } from 'vitest';
import {
  type KnownServer,
  KnownServers,
  MOST_SERVERS,
  SOME_SERVER,
} from '../../../src/device/publisher/known-servers.ts';
import { rememberedByName } from '../../../src/device/publisher/state-file.ts';

const online = '{"state":"online","accepts":["batch","receipt"]}';
const offline = '{"state":"offline","accepts":["batch","receipt"]}';
const NOW = 1_790_000_000_000;

function remembering(...names: string[]): KnownServers {
  return new KnownServers(names.map(rememberedByName));
}

function names(delivery: KnownServers): string[] {
  return delivery.servers().map(({ name }) => name);
}

describe('the delivery promise', () => {
  it('is the broker until a server that gives receipts is online, and the receipt from then on', () => {
    const delivery = remembering();
    expect(delivery.mode('auto')).toBe('broker');
    delivery.announced('a', '{"state":"online","accepts":["batch"]}', NOW);
    expect(delivery.mode('auto')).toBe('broker');
    expect(delivery.announced('a', online, NOW).changed).toBe(true);
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(true);
    delivery.announced('a', offline, NOW);
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(false);
    delivery.announced('a', '{"state":"offline"}', NOW);
    expect(delivery.mode('auto')).toBe('receipt');
  });

  it('C6: changes nothing for a server that was never online', () => {
    const delivery = remembering();
    expect(delivery.announced('x', '{"state":"offline","accepts":["receipt"]}', NOW)).toEqual({ changed: false });
    expect(delivery.mode('auto')).toBe('broker');
    expect(names(delivery)).toEqual([]);
  });

  it('holds while the broker has forgotten the server', () => {
    const delivery = remembering('a');
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('a', online, NOW);
    delivery.forgetPresence();
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(false);
  });

  it('ends with the last server that clears its announcement, gives no receipts any more, or is forgotten', () => {
    const delivery = remembering('a', 'b', 'c', 'd');
    delivery.announced('a', '', NOW);
    delivery.announced('b', '{"state":"online","accepts":[]}', NOW);
    expect(delivery.forget('d')).toBe(true);
    expect(delivery.forget('d')).toBe(false);
    expect(names(delivery)).toEqual(['c']);
    delivery.announced('x', '', NOW);
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('c', '', NOW);
    expect(delivery.mode('auto')).toBe('broker');
  });

  it('is what the config says where it says it', () => {
    expect(remembering('a').mode('broker')).toBe('broker');
    expect(remembering().mode('receipt')).toBe('receipt');
  });

  it('sends arrays only when a server that gives receipts and takes them is online', () => {
    const delivery = remembering();
    delivery.announced('a', '{"state":"online","accepts":["batch"]}', NOW);
    delivery.announced('b', '{"state":"online","accepts":["receipt"]}', NOW);
    expect(delivery.takesBatches()).toBe(false);
    delivery.announced('a', online, NOW);
    expect(delivery.takesBatches()).toBe(true);
  });

  it('drops the placeholder for an unreadable memory once a server is known', () => {
    const delivery = remembering(SOME_SERVER);
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('b', '{"state":"online","accepts":[]}', NOW);
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('a', online, NOW);
    delivery.announced('a', '', NOW);
    expect(delivery.mode('auto')).toBe('broker');
  });

  it('changes nothing for an announcement that is none', () => {
    const delivery = remembering('a');
    for (const payload of ['x', '[]', '{"state":1}', 'null']) {
      expect(() => delivery.announced('a', payload, NOW)).toThrow();
    }
    expect(names(delivery)).toEqual(['a']);
  });
});

describe('what strangers can make up', () => {
  it('C5: is bounded, and no server that is online has to go for it', () => {
    const delivery = remembering();
    delivery.announced('main', online, NOW);
    delivery.receiptCame(NOW);
    for (let n = 0; n < 22_000; n += 1) delivery.announced(`x${n}`, n % 2 === 0 ? online : offline, NOW + n);
    expect(names(delivery)).toHaveLength(MOST_SERVERS);
    expect(names(delivery)).toContain('main');
    expect(delivery.giverOnline()).toBe(true);
  });

  it('makes room by the one that never gave a receipt, then by the one that was away longest', () => {
    const known = Array.from({ length: MOST_SERVERS }, (_, n): KnownServer => {
      return { name: `s${n}`, accepts: ['receipt'], seenMs: 1_000 - n, gaveReceipts: n !== 3 };
    });
    const delivery = new KnownServers(known);
    delivery.announced('new', online, NOW);
    expect(names(delivery)).not.toContain('s3');
    delivery.announced('newer', online, NOW);
    expect(names(delivery)).not.toContain('s15');
    expect(names(delivery)).toHaveLength(MOST_SERVERS);
  });

  it('does not write the same again and again', () => {
    const delivery = remembering();
    delivery.announced('a', online, NOW);
    const changes = Array.from({ length: 100 }, (_, n) => delivery.announced('a', online, NOW + n * 60_000).changed);
    expect(changes.filter(Boolean)).toHaveLength(1);
  });
});

describe('a server that nobody has heard of (RabbitMQ hides its announcement)', () => {
  it('B8: is proved by its receipt, until the connection ends', () => {
    const delivery = remembering();
    expect(delivery.receiptCame(NOW)).toBe(true);
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(true);
    expect(delivery.takesBatches()).toBe(false);
    delivery.forgetPresence();
    expect(delivery.giverOnline()).toBe(false);
    expect(delivery.mode('auto')).toBe('receipt');
  });

  it('is asked for arrays where it took them before', () => {
    const delivery = new KnownServers([{ name: 'a', accepts: ['batch', 'receipt'], seenMs: 0, gaveReceipts: true }]);
    delivery.receiptCame(NOW);
    expect(delivery.takesBatches()).toBe(true);
  });
});

describe('the record of a server', () => {
  const withRecord = (record: string): string => `{"state":"online","accepts":["receipt"],"record":"${record}"}`;

  it('is told apart from the one that gave receipts, until it is accepted', () => {
    const delivery = remembering();
    delivery.announced('a', withRecord('one'), NOW);
    delivery.receiptCame(NOW);
    expect(delivery.announced('a', withRecord('one'), NOW).otherRecord).toBeUndefined();
    const other = { name: 'a', before: 'one', now: 'two' };
    expect(delivery.announced('a', withRecord('two'), NOW).otherRecord).toEqual(other);
    expect(delivery.announced('a', withRecord('two'), NOW).otherRecord).toEqual(other);
    delivery.acceptRecord('a', 'two');
    expect(delivery.announced('a', withRecord('two'), NOW).otherRecord).toBeUndefined();
  });

  it('is only noted where no receipt came of the earlier one, or none was known', () => {
    const delivery = remembering();
    delivery.announced('a', withRecord('one'), NOW);
    expect(delivery.announced('a', withRecord('two'), NOW)).toEqual({ changed: true });
    const older = remembering('b');
    expect(older.announced('b', withRecord('one'), NOW)).toEqual({ changed: true });
    expect(older.announced('b', online, NOW).otherRecord).toBeUndefined();
    expect(older.servers()).toMatchObject([{ record: 'one' }]);
  });
});
