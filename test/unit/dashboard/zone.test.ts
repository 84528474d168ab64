import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { today } from '../../../src/calendar/buckets.ts';
import { DAY_MS, HOUR_MS, openZone } from '../../../src/calendar/local-time.ts';
import { tickStep, ticks } from '../../../src/dashboard/time/ticks.ts';

const at = (text: string): number => Date.parse(text);
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
const brussels = openZone('Europe/Brussels');

describe('days of a zone', () => {
  it.each([
    ['Europe/Brussels', '2026-03-29T10:00Z', '2026-03-28T23:00', '2026-03-29T22:00', 23],
    ['Europe/Brussels', '2026-10-25T10:00Z', '2026-10-24T22:00', '2026-10-25T23:00', 25],
    ['America/St_Johns', '2026-03-08T12:00Z', '2026-03-08T03:30', '2026-03-09T02:30', 23],
    ['Australia/Lord_Howe', '2026-04-05T02:00Z', '2026-04-04T13:00', '2026-04-05T13:30', 24.5],
    ['Asia/Kathmandu', '2026-11-21T05:00Z', '2026-11-20T18:15', '2026-11-21T18:15', 24],
    // Midnight itself is skipped here: the day begins at one o'clock.
    ['Asia/Beirut', '2026-03-29T10:00Z', '2026-03-28T22:00', '2026-03-29T21:00', 23],
  ])('%s: the day of %s goes from %s to %s and has %d hours', (name, instant, from, to, hours) => {
    const zone = openZone(name);
    const start = zone.startOfDay(at(instant));
    const end = zone.startOfDay(zone.addDays(start, 1));
    expect([iso(start), iso(end)]).toEqual([from, to]);
    expect((end - start) / HOUR_MS).toBe(hours);
  });

  it('tells local times and finds their instants, twice and never', () => {
    expect(brussels.parts(at('2026-10-25T01:30Z'))).toMatchObject({ day: 25, hour: 2, minute: 30 });
    const local = { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0 };
    expect(iso(brussels.instant(local))).toBe('2026-10-25T00:30');
    expect(iso(brussels.instant({ ...local, month: 3, day: 29 }))).toBe('2026-03-29T01:00');
  });

  it('takes a skipped day for the instant at which it was skipped: Samoa went over the date line', () => {
    const apia = openZone('Pacific/Apia');
    const skipped = { year: 2011, month: 12, day: 30, hour: 12, minute: 0, second: 0 };
    expect(iso(apia.instant(skipped))).toBe('2011-12-30T10:00');
    expect(iso(apia.addDays(at('2011-12-29T11:00Z'), 1))).toBe('2011-12-30T10:00');
    expect(apia.parts(at('2011-12-30T10:00Z'))).toMatchObject({ month: 12, day: 31, hour: 0 });
  });

  it('begins each day where the server begins it', () => {
    const zones = ['Europe/Brussels', 'America/Sao_Paulo', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Apia'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: at('2005-01-01Z'), max: at('2030-01-01Z') }),
        (name, ms) => {
          expect(openZone(name).startOfDay(ms)).toBe(today(ms, name).fromMs);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });

  it('steps by calendar months, to the last day where a month is short', () => {
    expect(iso(brussels.addMonths(at('2026-01-31T11:00Z'), 1))).toBe('2026-02-28T11:00');
    expect(iso(brussels.addMonths(at('2026-03-15T11:00Z'), 12))).toBe('2027-03-15T11:00');
    expect(iso(brussels.addMonths(at('2026-11-15T11:00Z'), -6))).toBe('2026-05-15T10:00');
  });

  it('finds every instant again from its local time, but for the hour that comes twice', () => {
    const zones = ['Europe/Brussels', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'].map(openZone);
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: at('2020-01-01Z'), max: at('2030-01-01Z') }),
        (zone, ms) => {
          const instant = Math.floor(ms / 1000) * 1000;
          const found = zone.instant(zone.parts(instant));
          expect([0, 30 * 60_000, HOUR_MS]).toContain(instant - found);
          expect(zone.parts(found)).toEqual(zone.parts(instant));
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe('marks of the time axis', () => {
  it('the finest step that leaves room', () => {
    expect(tickStep(HOUR_MS, 800, 80)).toEqual({ unit: 'ms', count: 600_000 });
    expect(tickStep(DAY_MS, 800, 80)).toEqual({ unit: 'hour', count: 3 });
    expect(tickStep(7 * DAY_MS, 800, 80)).toEqual({ unit: 'day', count: 1 });
    expect(tickStep(365 * DAY_MS, 800, 80)).toEqual({ unit: 'month', count: 2 });
    expect(tickStep(400 * 365 * DAY_MS, 300, 80)).toEqual({ unit: 'month', count: 240 });
  });

  it('stand at 0, 3, 6 o’clock on the day that loses an hour', () => {
    const marks = ticks(at('2026-03-28T23:00Z'), at('2026-03-29T22:00Z'), { unit: 'hour', count: 3 }, brussels);
    expect(marks.map((ms) => brussels.parts(ms).hour)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 0]);
  });

  it('stand at 0, 3, 6 o’clock on the day that has an hour twice; hourly ones mark both', () => {
    const [from, to] = [at('2026-10-24T22:00Z'), at('2026-10-25T23:00Z')];
    const hours = (count: number): number[] =>
      ticks(from, to, { unit: 'hour', count }, brussels).map((ms) => brussels.parts(ms).hour);
    expect(hours(3)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 0]);
    expect(hours(1).slice(0, 6)).toEqual([0, 1, 2, 2, 3, 4]);
  });

  it('stand at midnights, Mondays and firsts', () => {
    const days = ticks(at('2026-10-24T00:00Z'), at('2026-10-27T12:00Z'), { unit: 'day', count: 1 }, brussels);
    expect(days.map(iso)).toEqual(['2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00']);
    const weeks = ticks(at('2026-10-01Z'), at('2026-11-20Z'), { unit: 'day', count: 7 }, brussels);
    expect(weeks.map((ms) => brussels.parts(ms).day)).toEqual([5, 12, 19, 26, 2, 9, 16]);
    const months = ticks(at('2026-02-10Z'), at('2027-02-10Z'), { unit: 'month', count: 3 }, brussels);
    expect(months.map((ms) => brussels.parts(ms).month)).toEqual([4, 7, 10, 1]);
  });

  it('stand on the half hour of a half-hour zone', () => {
    const kathmandu = openZone('Asia/Kathmandu');
    const marks = ticks(at('2026-11-21T05:00Z'), at('2026-11-21T07:00Z'), { unit: 'ms', count: 1_800_000 }, kathmandu);
    expect(marks.map((ms) => kathmandu.parts(ms).minute)).toEqual([0, 30, 0, 30]);
  });

  it('ascend, lie within and never end nowhere, whatever is asked for', () => {
    const zones = ['Europe/Brussels', 'Australia/Lord_Howe', 'America/St_Johns'].map(openZone);
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: at('2020-01-01Z'), max: at('2030-01-01Z') }),
        fc.integer({ min: 10_000, max: 20 * 365 * DAY_MS }),
        (zone, from, range) => {
          const marks = ticks(from, from + range, tickStep(range, 900, 70), zone);
          expect(marks).toEqual([...new Set(marks)].sort((a, b) => a - b));
          expect(marks.length).toBeLessThan(20);
          expect(marks.every((ms) => ms >= from && ms <= from + range)).toBe(true);
        },
      ),
      { seed: 11, numRuns: 300 },
    );
  });
});
