import { describe, expect, it } from 'vitest';
import { contactOf } from '../../../src/server/contact.ts';

const NOW = Date.UTC(2026, 5, 1);
const MINUTE = 60_000;

describe('whether a device is silent', () => {
  const state = (
    minutes: number,
    presence: 'online' | 'offline' | 'unknown' = 'online',
    intervalS: number | null = 60,
  ) =>
    contactOf(
      {
        heardMs: NOW - minutes * MINUTE,
        presence,
        status: intervalS === null ? null : { state: 'online', interval_s: intervalS },
      },
      NOW,
    ).state;

  it('B6: online in the broker’s eyes and silent for 19 days is silent', () => {
    expect(state(19 * 24 * 60)).toBe('silent');
  });

  it('late when two readings are missing and a bit, silent when six are', () => {
    expect([2.5, 2.6, 6.5, 6.6].map((age) => state(age))).toEqual(['current', 'late', 'late', 'silent']);
    expect([10, 11, 30, 31].map((age) => state(age, 'unknown', null))).toEqual(['current', 'late', 'late', 'silent']);
  });

  it('one that said goodbye is late at once and silent sooner', () => {
    expect([1, 2.6].map((age) => state(age, 'offline'))).toEqual(['late', 'silent']);
  });

  it('never heard is told as such', () => {
    expect(contactOf({ heardMs: null, presence: 'online', status: null }, NOW)).toEqual({
      state: 'never',
      heardMs: null,
      lateAfterMs: 630_000,
      silentAfterMs: 1_830_000,
    });
  });

  it('heard at a time that has not come (the clock was set back since) says nothing about now', () => {
    expect(state(-2 * 24 * 60)).toBe('silent');
    expect(state(-1)).toBe('current');
  });
});
