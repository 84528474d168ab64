import { describe, expect, it } from 'vitest';
import { localDays, today } from '../../../src/calendar/buckets.ts';
import { isTimeZone } from '../../../src/calendar/zones.ts';

const HOUR_MS = 3_600_000;

/** Name, beginning UTC and length of each day. */
function days(timeZone: string, from: string, to: string): string[] {
  return localDays(Date.parse(from), Date.parse(to), timeZone).map(
    ({ name, fromMs, toMs }) => `${name} ${new Date(fromMs).toISOString().slice(5, 16)} ${(toMs - fromMs) / HOUR_MS} h`,
  );
}

describe('days of the calendar on the wall', () => {
  it('S16: today is the local day, whatever the date is in UTC', () => {
    // Half past midnight in Brussels; UTC is still at the day before.
    expect(today(Date.parse('2026-11-20T23:30:00Z'), 'Europe/Brussels')).toEqual({
      name: '2026-11-21',
      fromMs: Date.parse('2026-11-20T23:00:00Z'),
      toMs: Date.parse('2026-11-21T23:00:00Z'),
    });
    // Half past seven in the evening in New York; UTC is at the next day.
    expect(today(Date.parse('2026-11-21T00:30:00Z'), 'America/New_York')).toEqual({
      name: '2026-11-20',
      fromMs: Date.parse('2026-11-20T05:00:00Z'),
      toMs: Date.parse('2026-11-21T05:00:00Z'),
    });
    expect(today(Date.parse('2026-11-20T18:30:00Z'), 'Asia/Kolkata').name).toBe('2026-11-21');
    expect(today(Date.parse('2026-11-20T18:29:59.999Z'), 'Asia/Kolkata').name).toBe('2026-11-20');
  });

  it('have 23 and 25 hours where clocks are changed', () => {
    expect(days('Europe/Brussels', '2026-03-28T12:00Z', '2026-03-30T12:00Z')).toEqual([
      '2026-03-28 03-27T23:00 24 h',
      '2026-03-29 03-28T23:00 23 h',
      '2026-03-30 03-29T22:00 24 h',
    ]);
    expect(days('Europe/Brussels', '2026-10-25T12:00Z', '2026-10-25T13:00Z')).toEqual(['2026-10-25 10-24T22:00 25 h']);
    expect(days('America/New_York', '2026-03-08T12:00Z', '2026-03-08T13:00Z')).toEqual(['2026-03-08 03-08T05:00 23 h']);
    expect(days('America/New_York', '2026-11-01T12:00Z', '2026-11-01T13:00Z')).toEqual(['2026-11-01 11-01T04:00 25 h']);
    expect(days('Australia/Lord_Howe', '2026-04-04T20:00Z', '2026-04-04T21:00Z')).toEqual([
      '2026-04-05 04-04T13:00 24.5 h',
    ]);
  });

  it('leave out the 30th of December 2011 in Samoa, which never was', () => {
    expect(days('Pacific/Apia', '2011-12-29T12:00Z', '2011-12-31T12:00Z')).toEqual([
      '2011-12-29 12-29T10:00 24 h',
      '2011-12-31 12-30T10:00 24 h',
      '2012-01-01 12-31T10:00 24 h',
    ]);
  });

  it('begin at the first moment that exists where midnight does not', () => {
    expect(days('America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04T13:00Z')).toEqual([
      '2018-11-04 11-04T03:00 23 h',
    ]);
  });

  it('are one where clocks are put back over midnight', () => {
    // 00:01 became 23:01 of the day before.
    expect(days('America/St_Johns', '2006-10-28T12:00Z', '2006-10-29T12:00Z')).toEqual([
      '2006-10-28 10-28T02:30 24 h',
      '2006-10-29 10-29T02:30 25 h',
    ]);
  });

  it('are 365 or 366 a year', () => {
    const year = localDays(Date.parse('2027-12-31T23:00Z'), Date.parse('2028-12-31T23:00Z'), 'Europe/Brussels');
    expect(year).toHaveLength(366);
    expect([year[0]?.name, year[59]?.name, year.at(-1)?.name]).toEqual(['2028-01-01', '2028-02-29', '2028-12-31']);
  });
});

describe('a time zone', () => {
  it('is one by a name that this machine knows', () => {
    for (const name of ['Europe/Brussels', 'Asia/Kathmandu', 'UTC']) expect(isTimeZone(name)).toBe(true);
    for (const name of ['', 'Mars/Olympus', 'Europe/Brussels; --', '../etc', '__proto__']) {
      expect(isTimeZone(name)).toBe(false);
    }
  });
});
