import { describe, expect, it } from 'vitest';
import { Delivery, SOME_SERVER } from '../../../src/device/publisher/delivery.ts';

const online = '{"state":"online","accepts":["batch","receipt"]}';
const offline = '{"state":"offline","accepts":["batch","receipt"]}';

describe('the delivery promise', () => {
  it('is the broker until a server that gives receipts has announced itself, and the receipt from then on', () => {
    const delivery = new Delivery([]);
    expect(delivery.mode('auto')).toBe('broker');
    delivery.announced('a', '{"state":"online","accepts":["batch"]}');
    expect(delivery.mode('auto')).toBe('broker');
    delivery.announced('a', online);
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(true);
    delivery.announced('a', offline);
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(false);
    delivery.announced('a', '{"state":"offline"}');
    expect(delivery.mode('auto')).toBe('receipt');
  });

  it('holds while the broker has forgotten the server', () => {
    const delivery = new Delivery(['a']);
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('a', online);
    delivery.forgetPresence();
    expect(delivery.mode('auto')).toBe('receipt');
    expect(delivery.giverOnline()).toBe(false);
  });

  it('ends with the last server that clears its announcement, or gives no receipts any more', () => {
    const delivery = new Delivery(['a', 'b', 'c']);
    delivery.announced('a', '');
    delivery.announced('b', '{"state":"online","accepts":[]}');
    expect(delivery.givers()).toEqual(['c']);
    delivery.announced('x', '');
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('c', '');
    expect(delivery.mode('auto')).toBe('broker');
  });

  it('is what the config says where it says it', () => {
    const delivery = new Delivery(['a']);
    expect(delivery.mode('broker')).toBe('broker');
    expect(new Delivery([]).mode('receipt')).toBe('receipt');
  });

  it('sends arrays only when a server that gives receipts and takes them is online', () => {
    const delivery = new Delivery([]);
    delivery.announced('a', '{"state":"online","accepts":["batch"]}');
    delivery.announced('b', '{"state":"online","accepts":["receipt"]}');
    expect(delivery.takesBatches()).toBe(false);
    delivery.announced('a', online);
    expect(delivery.takesBatches()).toBe(true);
  });

  it('drops the placeholder for an unreadable memory once a server is known', () => {
    const delivery = new Delivery([SOME_SERVER]);
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('b', '{"state":"online","accepts":[]}');
    expect(delivery.mode('auto')).toBe('receipt');
    delivery.announced('a', online);
    delivery.announced('a', '');
    expect(delivery.mode('auto')).toBe('broker');
  });

  it('changes nothing for an announcement that is none', () => {
    const delivery = new Delivery(['a']);
    for (const payload of ['x', '[]', '{"state":1}', 'null']) {
      expect(() => delivery.announced('a', payload)).toThrow();
    }
    expect(delivery.givers()).toEqual(['a']);
  });
});
