import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BucketSize, bucketEdges, bucketStep, mostBuckets } from '../../../src/calendar/buckets.ts';
import { cases } from '../../support/cases.ts';

const HOUR_MS = 3_600_000;

/** Edges as `MM-DDTHH:MM` UTC. */
function edges(timeZone: string, bucket: BucketSize, from: string, to: string): string[] {
  return bucketEdges({ fromMs: Date.parse(from), toMs: Date.parse(to), bucket, timeZone }).map((edge) =>
    new Date(edge).toISOString().slice(5, 16),
  );
}

describe('the edges of buckets', () => {
  it('are 23 and 25 hours on the days on which Brussels changes its clocks', () => {
    for (const [from, to, hours] of [
      ['2026-03-28T23:00Z', '2026-03-29T22:00Z', 23],
      ['2026-10-24T22:00Z', '2026-10-25T23:00Z', 25],
    ] as const) {
      const found = bucketEdges({
        fromMs: Date.parse(from),
        toMs: Date.parse(to),
        bucket: '1h',
        timeZone: 'Europe/Brussels',
      });
      expect(found).toEqual(Array.from({ length: hours + 1 }, (_, hour) => Date.parse(from) + hour * HOUR_MS));
    }
  });

  it('keep blocks of three hours on the local clock, longer or shorter where it was changed', () => {
    // 00:00, 03:00 (an hour later than usual), 06:00
    expect(edges('Europe/Brussels', '3h', '2026-10-24T22:00Z', '2026-10-25T05:00Z')).toEqual([
      '10-24T22:00',
      '10-25T02:00',
      '10-25T05:00',
    ]);
    expect(edges('Europe/Brussels', '3h', '2026-03-28T23:00Z', '2026-03-29T04:00Z')).toEqual([
      '03-28T23:00',
      '03-29T01:00',
      '03-29T04:00',
    ]);
  });

  it('lie on half and three-quarter hours UTC in India and Nepal', () => {
    expect(edges('Asia/Kolkata', '1h', '2026-06-01T10:00Z', '2026-06-01T11:45Z')).toEqual([
      '06-01T09:30',
      '06-01T10:30',
      '06-01T11:30',
      '06-01T12:30',
    ]);
    expect(edges('Asia/Kathmandu', '1h', '2026-06-01T10:00Z', '2026-06-01T10:30Z')).toEqual([
      '06-01T09:15',
      '06-01T10:15',
      '06-01T11:15',
    ]);
    expect(edges('Asia/Kathmandu', '1d', '2026-06-01T10:00Z', '2026-06-01T10:30Z')).toEqual([
      '05-31T18:15',
      '06-01T18:15',
    ]);
  });

  it('are hours of half and one and a half on Lord Howe, whose clocks move by 30 minutes', () => {
    // Put forward from 02:00 to 02:30: the hour from 2 has only its second half.
    expect(edges('Australia/Lord_Howe', '1h', '2026-10-03T14:30Z', '2026-10-03T17:00Z')).toEqual([
      '10-03T14:30',
      '10-03T15:30',
      '10-03T16:00',
      '10-03T17:00',
    ]);
    // Put back from 02:00 to 01:30.
    expect(edges('Australia/Lord_Howe', '1h', '2026-04-04T14:00Z', '2026-04-04T16:30Z')).toEqual([
      '04-04T14:00',
      '04-04T15:30',
      '04-04T16:30',
    ]);
  });

  it('begin weeks on Monday', () => {
    expect(edges('Europe/Brussels', '1w', '2026-11-21T12:00Z', '2026-11-24T00:00Z')).toEqual([
      '11-15T23:00',
      '11-22T23:00',
      '11-29T23:00',
    ]);
  });

  it('enclose the range: what lies on an edge begins a bucket, and nothing more is added', () => {
    expect(edges('UTC', '1h', '2026-01-01T10:00Z', '2026-01-01T11:00Z')).toEqual(['01-01T10:00', '01-01T11:00']);
    expect(edges('UTC', '1h', '2026-01-01T10:00:00.001Z', '2026-01-01T11:00:00.001Z')).toHaveLength(3);
    expect(edges('UTC', '1h', '2026-01-01T10:00Z', '2026-01-01T10:00Z')).toEqual([]);
  });

  it('are refused in a zone that nobody knows', () => {
    expect(() => edges('Mars/Olympus', '1h', '2026-01-01T10:00Z', '2026-01-01T11:00Z')).toThrow(RangeError);
  });

  it('ascend, enclose the range, and begin on the local clock, in any zone at any time', () => {
    const zones = [
      ...['Europe/Brussels', 'America/New_York', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'],
      ...['Pacific/Apia', 'Africa/Casablanca', 'America/St_Johns', 'America/Sao_Paulo', 'Pacific/Chatham'],
    ];
    const sizes: BucketSize[] = ['1m', '5m', '15m', '30m', '1h', '2h', '3h', '6h', '12h', '1d', '2d', '1w'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...sizes),
        fc.integer({ min: Date.parse('2000-01-01'), max: Date.parse('2030-01-01') }),
        fc.integer({ min: 1, max: 100 }),
        (timeZone, bucket, fromMs, count) => {
          const { ms, unit } = bucketStep(bucket);
          const toMs = fromMs + Math.ceil((ms * count) / 3);
          const found = bucketEdges({ fromMs, toMs, bucket, timeZone });
          expect(found.length - 1).toBeLessThanOrEqual(mostBuckets(fromMs, toMs, bucket));
          expect(found[0]).toBeLessThanOrEqual(fromMs);
          expect(found[1]).toBeGreaterThan(fromMs);
          expect(found.at(-1)).toBeGreaterThanOrEqual(toMs);
          expect(found.at(-2)).toBeLessThan(toMs);
          const clock = wallClock(timeZone);
          found.forEach((edge, index) => {
            if (index > 0) expect(edge).toBeGreaterThan(found[index - 1]!);
            const [before, at] = [clock(edge - 1), clock(edge)];
            const zero = unit === 'w' ? 4 * 24 * HOUR_MS : 0;
            const [last, first] = [Math.floor((before - zero) / ms), Math.floor((at - zero) / ms)];
            // On a multiple, or the first moment behind one that the clock left out.
            if ((at - zero) % ms !== 0) expect(first).toBeGreaterThan(last);
          });
        },
      ),
      { seed: 20261121, numRuns: cases(80, 400) },
    );
  });
});

/** Local time as if it were UTC, by a way of its own: the parts of the date. */
function wallClock(timeZone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-CA', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 },
  });
  return (atMs) => {
    const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
    const { year, month, day, hour, minute, second, fractionalSecond } = parts;
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fractionalSecond}Z`);
  };
}
