import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autoBucket, type BucketSize, bucketEdges, bucketStep, isBucketSize } from '../../../src/calendar/buckets.ts';
import { cases } from '../../support/cases.ts';

const DAY_MS = 86_400_000;

describe('the size of a bucket', () => {
  it('is minutes or hours that divide a day, days or weeks', () => {
    for (const size of ['1m', '5m', '90m', '1h', '8h', '24h', '1d', '10d', '2w']) expect(isBucketSize(size)).toBe(true);
    for (const size of ['', 'm', '0m', '7m', '5h', '25h', '1y', '-1d', '1.5h', '1000w', '5 m', 'auto', 'raw']) {
      expect(isBucketSize(size)).toBe(false);
      expect(() => bucketStep(size as BucketSize)).toThrow(RangeError);
    }
    expect(bucketStep('6h')).toEqual({ ms: 21_600_000, unit: 'h' });
  });

  it('is found for about as many points as are wanted', () => {
    const chosen = [0.25, 1, 7, 30, 365, 3650].map((days) => autoBucket(0, days * DAY_MS, 500));
    expect(chosen).toEqual(['1m', '2m', '15m', '2h', '1d', '1w']);
    expect(autoBucket(0, 365 * DAY_MS, 50)).toBe('1w');
    expect(autoBucket(0, 1000, 500)).toBe('1m');
  });

  it('never gives more than one and a half times as many', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Europe/Brussels', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu'),
        fc.integer({ min: Date.parse('2000-01-01'), max: Date.parse('2030-01-01') }),
        fc.integer({ min: 1, max: 10 * 365 * DAY_MS }),
        fc.integer({ min: 2, max: 1000 }),
        (timeZone, fromMs, lengthMs, points) => {
          const toMs = fromMs + lengthMs;
          const bucket = autoBucket(fromMs, toMs, points);
          const count = bucketEdges({ fromMs, toMs, bucket, timeZone }).length - 1;
          expect(count).toBeLessThanOrEqual(1.5 * points);
          // Nor too few, where one minute is not the limit and there is room for whole buckets.
          if (bucket !== '1m' && points >= 20) expect(count).toBeGreaterThanOrEqual(points / 7);
        },
      ),
      { seed: 20261121, numRuns: cases(60, 300) },
    );
  });
});
