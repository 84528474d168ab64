import { describe, expect, it } from 'vitest';
import { type Device, healthOf, intervalMs } from '../../../src/dashboard/state/model.ts';
import { trendOf } from '../../../src/dashboard/state/snapshot.ts';
import { contactOf } from '../../../src/server/contact.ts';
import { device, sensor } from './samples.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const MINUTE = 60_000;
const ofMinutes = (age: number, given: Partial<Device>): string =>
  healthOf(withContact({ ...device('aht20-a1b2c3'), ...given }), NOW - age * MINUTE, NOW);
/** As the server says it. */
const withContact = (given: Device): Device => {
  const status = given.status === null ? null : { state: 'online' as const, interval_s: given.status.interval_s ?? 0 };
  const { lateAfterMs, silentAfterMs } = contactOf({ heardMs: NOW, presence: given.presence, status }, NOW);
  return { ...given, contact: { heardMs: NOW, lateAfterMs, silentAfterMs } };
};

describe('how a device is doing', () => {
  it.each([
    [2, 'online'],
    [2.5, 'online'],
    [2.6, 'late'],
    [6.5, 'late'],
    [6.6, 'silent'],
    [60 * 24 * 40, 'silent'],
  ])('promised every minute: %d minutes old is %s', (age, health) => {
    expect(ofMinutes(age, { status: { interval_s: 60 } })).toBe(health);
  });

  it('an older agent tells no interval: 10 and 30 minutes, as the older dashboard had it', () => {
    expect([10, 11, 30, 31].map((age) => ofMinutes(age, { status: null }))).toEqual([
      'online',
      'late',
      'late',
      'silent',
    ]);
    expect(intervalMs({ status: { interval_s: 0 } })).toBe(300_000);
  });

  it('a sensor that fails is told as such however old the last reading, as long as the device is there to say so', () => {
    const status = { interval_s: 60, sensor: sensor('fault') };
    expect(ofMinutes(1, { status })).toBe('fault');
    expect(ofMinutes(600, { status })).toBe('fault');
    expect(ofMinutes(600, { status, presence: 'offline' })).toBe('silent');
  });

  it('a device that is gone is late at once and silent sooner', () => {
    const status = { interval_s: 60 };
    expect([1, 2.6].map((age) => ofMinutes(age, { status, presence: 'offline' }))).toEqual(['late', 'silent']);
  });

  it('what waits for its receipt in passing is no backlog', () => {
    const buffering = (buffered: number) => ({
      interval_s: 60,
      journal: { state: 'ok' as const, buffered, dropped: 0 },
    });
    expect(ofMinutes(1, { status: buffering(10) })).toBe('online');
    expect(ofMinutes(1, { status: buffering(11) })).toBe('buffering');
  });

  it('a clock that is not set yet is told, and weighs more than a backlog', () => {
    const journal = { state: 'ok' as const, buffered: 500, dropped: 0 };
    expect(ofMinutes(1, { status: { interval_s: 60, journal, clock: { state: 'unsynced' } } })).toBe('clock');
    expect(ofMinutes(1, { status: { interval_s: 60, clock: { state: 'waiting' } } })).toBe('clock');
    expect(ofMinutes(9, { status: { interval_s: 60, clock: { state: 'waiting' } } })).toBe('silent');
  });

  it('a device that never measured is told as such', () => {
    expect(healthOf(device('aht20-a1b2c3'), null, NOW)).toBe('never');
  });
});

describe('trend', () => {
  const every = (minutes: number, count: number, value: (index: number) => number) =>
    Array.from({ length: count }, (_, index) => ({
      tsMs: NOW - (count - 1 - index) * minutes * MINUTE,
      value: value(index),
    }));

  it('says how much the value changed over the last three hours', () => {
    const trend = trendOf(
      every(30, 6, (index) => 20 + index * 0.2),
      NOW,
      0.25,
    );
    expect(trend?.direction).toBe('rising');
    expect(trend?.change).toBeCloseTo(1, 9);
    expect(trend?.overMs).toBe(150 * MINUTE);
    expect(
      trendOf(
        every(30, 6, (index) => 20 - index * 0.2),
        NOW,
        0.25,
      )?.direction,
    ).toBe('falling');
  });

  it('one odd reading turns nothing', () => {
    expect(
      trendOf(
        every(10, 18, (index) => (index === 9 ? 23 : 20)),
        NOW,
        0.25,
      )?.direction,
    ).toBe('steady');
  });

  it('says nothing about less than an hour, nor about the day before', () => {
    expect(
      trendOf(
        every(10, 6, (index) => index),
        NOW,
        0.25,
      ),
    ).toBeNull();
    expect(trendOf([], NOW, 0.25)).toBeNull();
    expect(
      trendOf(
        every(600, 3, (index) => index),
        NOW,
        0.25,
      ),
    ).toBeNull();
  });
});
