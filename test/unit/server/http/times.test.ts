import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../../src/server/http/errors.ts';
import { isoTime, parseTime } from '../../../../src/server/http/query.ts';

const NOON = Date.UTC(2026, 0, 31, 12);

describe('a time in a question', () => {
  it.each([
    ['2026-01-31T12:00:00Z', NOON],
    ['2026-01-31T12:00:00.000Z', NOON],
    ['2026-01-31T12:00Z', NOON],
    ['2026-01-31T13:00:00+01:00', NOON],
    ['2026-01-31T13:00:00+0100', NOON],
    ['2026-01-31T13:00:00 01:00', NOON],
    ['2026-01-31T17:30:00+05:30', NOON],
    ['2026-01-31T12:00:00.5Z', NOON + 500],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    [String(NOON), NOON],
  ])('%s is understood', (text, ms) => {
    expect(parseTime('from', text)).toBe(ms);
  });

  it.each([
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    '2025-02-29T00:00:00Z',
    '2026-01-31T12:00:00',
    '2026-01-31T25:00Z',
    '1',
    '+010000-01-01',
  ])('%s is refused by the name of its field', (text) => {
    expect(() => parseTime('from', text)).toThrow(ApiError);
    expect(() => parseTime('from', text)).toThrow(/^from must be a time such as 2026-01-31T12:00:00Z, .*found "/);
  });

  it('is told in UTC with milliseconds', () => {
    expect(isoTime(NOON + 7)).toBe('2026-01-31T12:00:00.007Z');
  });
});
