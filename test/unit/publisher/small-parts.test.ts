import { describe, expect, it } from 'vitest';
import { decodeItem } from '../../../src/contract/reading.ts';
import type { DeviceStatus } from '../../../src/contract/status.ts';
import type { JournalEntry } from '../../../src/device/journal/journal.ts';
import { LinkError, publishPacketSize } from '../../../src/device/mqtt/session.ts';
import { entryMessage, fittingBacklog } from '../../../src/device/publisher/entry-message.ts';
import { statusMessage } from '../../../src/device/publisher/retained.ts';
import { ProtocolChoice } from '../../../src/mqtt/socket.ts';
import { TokenBucket } from '../../../src/platform/pacing.ts';
import { WakeUp } from '../../../src/platform/tasks.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { ArrayJournal } from '../../support/memory-journal-set.ts';

const journal = new ArrayJournal('u', 'e');

function reading(seq: number, changes: Partial<Extract<JournalEntry, { kind: 'reading' }>> = {}): JournalEntry {
  return {
    kind: 'reading',
    seq,
    temperatureCelsius: 21.02,
    humidityPercent: 63.33,
    stamp: { state: 'synced', tsMs: 1_757_537_685_793 },
    bootId: 'b',
    monotonicMs: 1,
    ...changes,
  };
}

describe('the token bucket', () => {
  it('lets a burst pass, then keeps the rate on the monotonic clock, whatever the wall clock does', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(clock, 3);
    const take = (): number => bucket.take(10, 3);
    expect([take(), take(), take()]).toEqual([0, 0, 0]);
    expect(take()).toBeCloseTo(100);
    clock.stepWall(3_600_000);
    expect(take()).toBeCloseTo(100);
    await clock.advance(99);
    expect(take()).toBeCloseTo(1);
    await clock.advance(1);
    expect(take()).toBe(0);
    await clock.advance(60_000);
    expect([take(), take(), take()]).toEqual([0, 0, 0]);
    expect(take()).toBeGreaterThan(0);
  });
});

describe('the wakeUp', () => {
  it('wakes who waits, remembers one ring, and otherwise lets the limit pass', async () => {
    const clock = new FakeClock();
    const wakeUp = new WakeUp();
    const never = new AbortController().signal;
    wakeUp.notify();
    wakeUp.notify();
    await wakeUp.wait(clock, Infinity, never);
    let woken = 0;
    const waiting = wakeUp.wait(clock, 1_000, never).then(() => (woken += 1));
    await settle();
    expect(woken).toBe(0);
    await clock.advance(1_000);
    await waiting;
    const ringing = wakeUp.wait(clock, Infinity, never);
    await settle();
    wakeUp.notify();
    await ringing;
    expect(clock.sleepers()).toBe(0);
  });

  it('rejects with the reason of its signal', async () => {
    const stop = new AbortController();
    const waiting = new WakeUp().wait(new FakeClock(), Infinity, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('messages made of entries', () => {
  it('say what the contract says', () => {
    expect(entryMessage('h', journal, reading(1042))).toEqual({
      topic: 'home/h/sensors/u/reading',
      payload: '{"temperature_c":21.02,"humidity_pct":63.33,"ts":1757537685793,"epoch":"e","seq":1042}',
      retain: false,
    });
    const marked = reading(1, { stamp: { state: 'unsynced', tsMs: 5 }, trigger: 'command' });
    expect(entryMessage('h', journal, marked).payload).toContain('"clock":"unsynced","trigger":"command"');
  });

  it('hold as many entries as fit, in order, and at least one', () => {
    const entries = Array.from({ length: 50 }, (_, index) => reading(index + 1));
    for (const limit of [10, 150, 512, 1_000, 100_000]) {
      const { message, count } = fittingBacklog('h', journal, entries, ({ topic, payload }) => {
        return publishPacketSize(topic, Buffer.byteLength(payload), 5) <= limit;
      });
      const items = (JSON.parse(message.payload) as unknown[]).map(decodeItem);
      expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
      if (count > 1)
        expect(publishPacketSize(message.topic, Buffer.byteLength(message.payload), 5)).toBeLessThanOrEqual(limit);
      expect(count).toBe({ 10: 1, 150: 1, 512: 4, 1_000: 7, 100_000: 50 }[limit]);
    }
  });
});

describe('a status that must be small', () => {
  const status: DeviceStatus = {
    state: 'online',
    uid: 'aht20-0a1b2c',
    label: 'l'.repeat(100),
    room: 'r'.repeat(100),
    version: '1.2.3',
    ts: 1_757_537_685_793,
    delivery: 'receipt',
    last_error: 'e'.repeat(100),
  };
  it('loses the least missed parts, as few as possible, and is never empty', () => {
    const sizes = [1_000, 350, 150, 60, 10].map((limit) => {
      const message = statusMessage('t', status, ({ payload }) => payload.length <= limit);
      return Object.keys(JSON.parse(message.payload) as object);
    });
    expect(sizes).toEqual([
      ['state', 'uid', 'label', 'room', 'version', 'ts', 'delivery', 'last_error'],
      ['state', 'uid', 'room', 'ts', 'delivery', 'last_error'],
      ['state', 'uid', 'ts', 'delivery'],
      ['state', 'ts', 'delivery'],
      ['state'],
    ]);
  });
});

describe('the choice of the protocol version', () => {
  const unacceptable = new LinkError('LINK_PROTOCOL_VERSION', '');
  const hungUp = new LinkError('LINK_CLOSED_EARLY', '');
  it('goes from 5 to 3.1.1 at once, back to 5 only after a pause', () => {
    const choice = new ProtocolChoice();
    expect(choice.next('auto')).toBe(5);
    expect(choice.failed('auto', unacceptable)).toBe(true);
    expect(choice.next('auto')).toBe(4);
    expect(choice.failed('auto', hungUp)).toBe(false);
    expect(choice.next('auto')).toBe(5);
    expect(choice.failed('auto', new LinkError('LINK_OFFLINE', ''))).toBe(false);
    expect(choice.next('auto')).toBe(5);
  });

  it('does as it is told', () => {
    const choice = new ProtocolChoice();
    expect([choice.next('5'), choice.next('3.1.1')]).toEqual([5, 4]);
    expect(choice.failed('5', unacceptable)).toBe(false);
    expect(choice.failed('3.1.1', hungUp)).toBe(false);
    expect(choice.next('auto')).toBe(5);
  });
});

describe('the size of a PUBLISH packet', () => {
  it('counts header, topic, packet id, properties and payload', () => {
    expect(publishPacketSize('t', 0, 4)).toBe(2 + 2 + 1 + 2);
    expect(publishPacketSize('t', 0, 5)).toBe(2 + 2 + 1 + 2 + 1);
    expect(publishPacketSize('é', 127 - 6, 4)).toBe(1 + 1 + 127);
    expect(publishPacketSize('é', 128 - 6, 4)).toBe(1 + 2 + 128);
    expect(publishPacketSize('t', 16_384, 4)).toBe(1 + 3 + 5 + 16_384);
  });
});
