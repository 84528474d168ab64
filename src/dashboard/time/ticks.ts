import { DAY_MS, HOUR_MS, MINUTE_MS, type Zone } from '../../calendar/local-time.ts';

/** How far apart the marks of a time axis are. */
export type TickStep =
  | { readonly unit: 'ms'; readonly count: number }
  | { readonly unit: 'hour' | 'day' | 'month'; readonly count: number };

/** Steps on which people read a clock or a calendar, finest first, with about how long they are. */
const STEPS: readonly (readonly [TickStep, number])[] = [
  ...[1, 5, 15, 30].map((s) => [{ unit: 'ms', count: s * 1000 }, s * 1000] as const),
  ...[1, 2, 5, 10, 15, 30].map((m) => [{ unit: 'ms', count: m * MINUTE_MS }, m * MINUTE_MS] as const),
  ...[1, 2, 3, 6, 12].map((h) => [{ unit: 'hour', count: h }, h * HOUR_MS] as const),
  ...[1, 2, 7, 14].map((d) => [{ unit: 'day', count: d }, d * DAY_MS] as const),
  ...[1, 2, 3, 6, 12, 24, 60, 120].map((m) => [{ unit: 'month', count: m }, m * 30 * DAY_MS] as const),
];

/** The finest step that keeps at least `minGapPx` between two marks. */
export function tickStep(rangeMs: number, widthPx: number, minGapPx: number): TickStep {
  const least = (rangeMs / Math.max(1, widthPx)) * minGapPx;
  return (STEPS.find(([, ms]) => ms >= least) ?? [{ unit: 'month', count: 240 } as const, 0])[0];
}

/**
 * Marks at local times of the zone: 0, 3, 6 ... o'clock, midnights, Mondays, firsts of a month, also across a change of the
 * clocks (uPlot's own marks go wrong there: leeoniya/uPlot#1068). Ascending, within from..to.
 */
export function ticks(fromMs: number, toMs: number, step: TickStep, zone: Zone): number[] {
  const marks: number[] = [];
  for (let at = firstMark(fromMs, step, zone); at <= toMs; ) {
    if (at >= fromMs) {
      marks.push(at);
    }
    at = nextMark(at, step, zone);
  }
  return marks;
}

function firstMark(fromMs: number, step: TickStep, zone: Zone): number {
  switch (step.unit) {
    case 'ms': {
      // On the local clock, so that half-hour zones get :00 and :30 too.
      const offset = zone.offsetMs(fromMs);
      return Math.ceil((fromMs + offset) / step.count) * step.count - offset;
    }
    case 'hour':
      return zone.startOfDay(fromMs);
    case 'day': {
      // Counted from a Monday, so that weeks begin on Mondays whatever is shown.
      const day = zone.startOfDay(fromMs);
      return zone.addDays(day, -((localDay(day, zone) + 3) % step.count));
    }
    case 'month': {
      const { year, month } = zone.parts(fromMs);
      const start = Math.floor((year * 12 + month - 1) / step.count) * step.count;
      const first = { day: 1, hour: 0, minute: 0, second: 0 };
      return zone.instant({ year: Math.floor(start / 12), month: (start % 12) + 1, ...first });
    }
  }
}

function nextMark(at: number, step: TickStep, zone: Zone): number {
  switch (step.unit) {
    case 'ms':
      return at + step.count;
    case 'hour': {
      const { hour, ...date } = zone.parts(at);
      // Hour by hour the clock runs on, so that an hour that comes twice is marked twice.
      if (step.count === 1 && zone.parts(at + HOUR_MS).minute === 0) {
        return at + HOUR_MS;
      }
      const next = zone.instant({
        ...date,
        hour: Math.floor(hour / step.count) * step.count + step.count,
        minute: 0,
        second: 0,
      });
      return next > at ? next : at + step.count * HOUR_MS;
    }
    case 'day':
      return zone.startOfDay(zone.addDays(at, step.count));
    case 'month':
      return zone.addMonths(at, step.count);
  }
}

/** Days since 1970-01-01, which was a Thursday. */
function localDay(ms: number, zone: Zone): number {
  return Math.floor((ms + zone.offsetMs(ms)) / DAY_MS);
}
