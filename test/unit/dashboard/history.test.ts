import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, localIso, MINUTE_MS, openZone } from '../../../src/calendar/local-time.ts';
import type { Series } from '../../../src/dashboard/api/api.ts';
import { toCsv } from '../../../src/dashboard/history/export.ts';
import { absenceAt, extremes, loneIndices, plotData } from '../../../src/dashboard/history/plot-data.ts';
import {
  PERIODS,
  pan,
  rangeOf,
  readHistoryAddress,
  resolutionFor,
  step,
  type View,
  writeHistoryAddress,
  zoom,
} from '../../../src/dashboard/history/range.ts';
import { chosenSources, sourcesOf } from '../../../src/dashboard/history/sources.ts';
import type { Bucket } from '../../../src/dashboard/state/model.ts';
import { NOTHING_KNOWN } from '../../../src/dashboard/state/site-state.ts';
import { bucket, device } from './samples.ts';

const at = (text: string): number => Date.parse(text);
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
const NOW = at('2026-11-21T12:00Z');
const brussels = openZone('Europe/Brussels');
const hours = ({ fromMs, toMs }: { fromMs: number; toMs: number }): number => (toMs - fromMs) / HOUR_MS;

describe('periods', () => {
  it('days, months and years are those of the calendar', () => {
    const after = at('2026-10-26T12:00Z');
    expect(hours(rangeOf({ kind: 'last', period: '7d' }, after, brussels))).toBe(7 * 24 + 1);
    expect(iso(rangeOf({ kind: 'last', period: '1y' }, NOW, brussels).fromMs)).toBe('2025-11-21T12:00');
    expect(hours(rangeOf({ kind: 'last', period: '24h' }, after, brussels))).toBe(24);
  });

  it('a day goes to the day before, also where that has 25 hours', () => {
    const day: View = { kind: 'fixed', fromMs: at('2026-10-25T23:00Z'), toMs: at('2026-10-26T23:00Z') };
    const before = step(day, -1, NOW, brussels);
    expect(before).toEqual({ kind: 'fixed', fromMs: at('2026-10-24T22:00Z'), toMs: at('2026-10-25T23:00Z') });
    expect(step(before, 1, NOW, brussels)).toEqual(day);
  });

  it('a period goes to the one before it', () => {
    const before = step({ kind: 'last', period: '24h' }, -1, NOW, brussels);
    expect(before).toEqual({ kind: 'fixed', fromMs: NOW - 2 * DAY_MS, toMs: NOW - DAY_MS });
  });

  it('nothing reaches into the future, and zooming keeps the instant under the pointer', () => {
    const range = { fromMs: NOW - DAY_MS, toMs: NOW };
    expect(pan(range, HOUR_MS, NOW)).toEqual({ kind: 'fixed', ...range });
    expect(step({ kind: 'fixed', ...range }, 1, NOW, brussels)).toEqual({ kind: 'fixed', ...range });
    const closer = zoom(range, 0.5, NOW - 6 * HOUR_MS, NOW);
    expect(closer).toEqual({ kind: 'fixed', fromMs: NOW - 15 * HOUR_MS, toMs: NOW - 3 * HOUR_MS });
    const far = zoom(range, 2, NOW, NOW) as { fromMs: number; toMs: number };
    expect([far.toMs, hours(far)]).toEqual([NOW, 48]);
  });

  it('zooms no closer than a minute and no wider than fifty years', () => {
    const closest = zoom({ fromMs: NOW - 90_000, toMs: NOW }, 0.1, NOW, NOW) as { fromMs: number; toMs: number };
    expect(closest.toMs - closest.fromMs).toBe(MINUTE_MS);
    const widest = zoom({ fromMs: 0, toMs: NOW }, 10, NOW, NOW) as { fromMs: number; toMs: number };
    expect(widest.toMs - widest.fromMs).toBe(50 * 366 * DAY_MS);
  });
});

describe('resolution', () => {
  const asked = (days: number, sources = 1, widthPx = 1200, intervalMs = 60_000) =>
    resolutionFor({ range: { fromMs: NOW - days * DAY_MS, toMs: NOW }, sources, widthPx, intervalMs });

  it.each([
    [1 / 24, 'raw'],
    [1, 'raw'],
    [7, '5m'],
    [30, '1h'],
    [365, '6h'],
    [5 * 365, '1d'],
    [50 * 365, '1w'],
  ])('%d days on a wide screen are asked for in %s', (days, expected) => {
    expect(asked(days)).toBe(expected);
  });

  it('is coarser on a phone and for many rooms, and never finer than the device measures', () => {
    expect(asked(1, 1, 330)).toBe('5m');
    expect(asked(7, 10)).toBe('15m');
    expect(asked(365, 10)).toBe('12h');
    expect(asked(30, 1, 1200, 3_600_000)).toBe('raw');
    expect(asked(365, 1, 1200, 3_600_000)).toBe('6h');
  });

  it('never asks for more than the answer should carry', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 18_000, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 200, max: 4000 }),
        (days, sources, widthPx) => {
          const ms = {
            raw: 60_000,
            '1m': 60_000,
            '5m': 3e5,
            '15m': 9e5,
            '1h': 36e5,
            '3h': 108e5,
            '6h': 216e5,
            '12h': 432e5,
            '1d': DAY_MS,
            '1w': 7 * DAY_MS,
          };
          const buckets = (days * DAY_MS) / ms[asked(days, sources, widthPx)];
          expect(buckets).toBeLessThanOrEqual(Math.max(200, Math.min(2 * widthPx, 8000 / sources), days / 7) + 1);
        },
      ),
      { seed: 5 },
    );
  });
});

describe('the address of a view', () => {
  it('comes back as it was written', () => {
    const views = fc.oneof(
      fc.constantFrom(...PERIODS).map((period) => ({ kind: 'last', period }) as const),
      fc
        .tuple(fc.integer({ min: at('2000-01-01Z'), max: NOW }), fc.integer({ min: 1, max: 1e12 }))
        .map(([fromMs, span]) => ({ kind: 'fixed', fromMs, toMs: fromMs + span }) as const),
    );
    const keys = fc.uniqueArray(fc.stringMatching(/^(room|device):[A-Za-z0-9_-]{1,50}$/), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(views, keys, fc.constantFrom('temperature', 'humidity', 'dew-point'), (view, sources, quantity) => {
        const address = { view, sources: sources as `room:${string}`[], quantity } as const;
        expect(readHistoryAddress(writeHistoryAddress(address))).toEqual(address);
      }),
      { seed: 9 },
    );
  });

  it.each([
    '',
    '?q=nonsense&last=3w&show=<img>',
    '?from=2026-01-02T00:00Z&to=2026-01-01T00:00Z',
    '?from=x&to=y',
    '?from=0001-01-01T00:00Z&to=2026-01-01T00:00Z',
  ])('of %j everything that makes no sense is left out', (search) => {
    expect(readHistoryAddress(search)).toEqual({
      sources: undefined,
      quantity: 'temperature',
      view: { kind: 'last', period: '24h' },
    });
  });
});

describe('sources', () => {
  const room = (uid: string, name = uid) => ({ uid, name, floor: null, isOutdoors: uid === 'garden' });
  const state = {
    ...NOTHING_KNOWN,
    rooms: [room('garden', 'A garden'), room('kitchen', 'Kitchen'), room('empty', 'Empty')],
    devices: [
      device('one', { room: room('kitchen'), status: { interval_s: 10 } }),
      device('two', { room: room('kitchen') }),
      device('out', { room: room('garden') }),
      device('lost', { label: 'Box' }),
    ],
  };

  it('are the rooms in which something stands, then devices that share one or have none', () => {
    const all = sourcesOf(state);
    expect(all.map(({ key }) => key)).toEqual([
      'room:kitchen',
      'room:garden',
      'device:one',
      'device:two',
      'device:lost',
    ]);
    expect(all[0]).toMatchObject({ name: 'Kitchen', intervalMs: 10_000, colour: 0, dash: [] });
  });

  it('keep their colour whatever is chosen; from the seventh on they differ by their dashes', () => {
    const many = { ...state, devices: Array.from({ length: 9 }, (_, index) => device(`d${index}`)) };
    const all = sourcesOf(many);
    expect(new Set(all.map(({ colour, dash }) => `${colour}/${dash.join()}`)).size).toBe(all.length);
    expect(chosenSources(all, ['device:d7'], many)[0]?.colour).toBe(all.find(({ key }) => key === 'device:d7')?.colour);
    expect(chosenSources(all, ['room:gone'], many)).toMatchObject([{ key: 'room:gone', name: 'gone' }]);
  });
});

describe('what is drawn', () => {
  const source = (uid: string, buckets: readonly Bucket[], gaps: Series['sources'][number]['gaps'] = []) => ({
    key: `room:${uid}` as const,
    buckets,
    gaps,
    hasMoreGaps: false,
  });
  const raw = (minutes: readonly number[], celsius = 20) =>
    minutes.map((minute) => bucket(NOW + minute * MINUTE_MS, NOW + minute * MINUTE_MS, celsius));
  const drawn = (series: Series, intervalMs = MINUTE_MS) => plotData(series, 'temperature', () => intervalMs);

  it('a gap is a gap: null where two readings are missing, a line where one is', () => {
    const data = drawn({ bucket: 'raw', sources: [source('a', raw([0, 1, 3, 6, 7]))] });
    expect(data.times.map((time) => (time - NOW) / MINUTE_MS)).toEqual([0, 1, 3, 4.5, 6, 7]);
    expect(data.lines[0]?.mean).toEqual([20, 20, 20, null, 20, 20]);
    expect(data.lines[0]?.holes).toEqual([{ fromMs: NOW + 3 * MINUTE_MS, toMs: NOW + 6 * MINUTE_MS }]);
  });

  it('in another room’s gap a line goes on, and in its own it is broken at every time', () => {
    const data = drawn({
      bucket: 'raw',
      sources: [source('a', raw([0, 1, 7, 8])), source('b', raw([0, 1, 2.5, 4, 5.5, 7, 8], 18))],
    });
    const [a, b] = data.lines;
    expect(a?.mean.filter((value) => value === undefined)).toEqual([]);
    expect(a?.mean.filter((value) => value === null)).toHaveLength(data.times.length - 4);
    expect(b?.mean).not.toContain(null);
  });

  it('readings rarer than buckets are connected: what is missing is judged by the device’s own interval', () => {
    const five = (index: number, celsius: number | null) => {
      const fromMs = NOW + index * 5 * MINUTE_MS;
      const made = bucket(fromMs, fromMs + 5 * MINUTE_MS, celsius ?? 0);
      return celsius === null ? { ...made, count: 0, temperature: null, humidity: null } : made;
    };
    const buckets = [20, null, 21, null, 22, null, null, null, null, null, null, null, 23].map((value, index) =>
      five(index, value),
    );
    const values = drawn({ bucket: '5m', sources: [source('a', buckets)] }, 10 * MINUTE_MS).lines[0]?.mean;
    expect(values).toEqual([20, 21, 22, null, 23]);
  });

  it('least and most go with the mean, and a lone reading is known as one', () => {
    const data = drawn({
      bucket: '1h',
      sources: [
        source(
          'a',
          [0, 5, 10, 11].map((hour) => bucket(NOW + hour * HOUR_MS, NOW + (hour + 1) * HOUR_MS, hour, 2)),
        ),
      ],
    });
    expect(data.lines[0]?.mean).toEqual([0, null, 5, null, 10, 11]);
    expect(data.lines[0]?.least).toEqual([-2, null, 3, null, 8, 9]);
    expect(loneIndices(data.lines[0]?.mean ?? [])).toEqual([0, 2]);
    expect(extremes(data.lines[0]!)).toEqual({ min: -2, max: 13, avg: 6.5 });
  });

  it('says which gap record explains a hole', () => {
    const gap = {
      deviceUid: 'a',
      reason: 'dropped' as const,
      count: 5,
      fromMs: NOW + 2 * MINUTE_MS,
      toMs: NOW + 6 * MINUTE_MS,
      tsMs: NOW,
    };
    const { lines } = drawn({ bucket: 'raw', sources: [source('a', raw([0, 1, 7, 8, 20]), [gap])] });
    expect(absenceAt(lines[0]!, NOW + 4 * MINUTE_MS)).toEqual({ gap });
    expect(absenceAt(lines[0]!, NOW + 12 * MINUTE_MS)).toEqual({ gap: undefined });
    expect(absenceAt(lines[0]!, NOW)).toBeUndefined();
  });

  it('dew point and absolute humidity come from the means', () => {
    const series: Series = { bucket: '1h', sources: [source('a', [bucket(NOW, NOW + HOUR_MS, 20, 3)])] };
    const dew = plotData(series, 'dew-point', () => MINUTE_MS).lines[0]!;
    expect(dew.mean[0]).toBeCloseTo(9.255, 3);
    expect(dew.least[0]).toBe(dew.mean[0]);
    expect(plotData(series, 'absolute-humidity', () => MINUTE_MS).lines[0]?.mean[0]).toBeCloseTo(8.621, 3);
    expect(plotData(series, 'humidity', () => MINUTE_MS).lines[0]?.most[0]).toBe(53);
  });

  it('as CSV: RFC 4180, UTC and local time, and no name becomes a formula', () => {
    const data = drawn({
      bucket: '1h',
      sources: [source('a', [bucket(at('2026-10-25T00:00Z'), at('2026-10-25T01:00Z'), -1.5, 0.25)])],
    });
    const text = toCsv(data, [{ name: '=cmd|"x", y', line: data.lines[0]! }], '°C', brussels);
    expect(text).toBe(
      'from_utc,from_local (Europe/Brussels),"\'=cmd|""x"", y mean (°C)","\'=cmd|""x"", y min","\'=cmd|""x"", y max"\r\n' +
        '2026-10-25T00:00:00.000Z,2026-10-25T02:00:00+02:00,-1.5,-1.75,-1.25\r\n',
    );
    // A name that begins with a minus and a digit is a formula too: "-5+cmd".
    expect(toCsv(data, [{ name: '-5+2', line: data.lines[0]! }], '°C', brussels)).toContain(",'-5+2 mean (°C),");
    expect(localIso(at('2026-10-25T01:00Z'), brussels)).toBe('2026-10-25T02:00:00+01:00');
    expect(localIso(NOW, openZone('America/St_Johns'))).toBe('2026-11-21T08:30:00-03:30');
  });
});
