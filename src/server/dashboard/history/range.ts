import { DAY_MS, HOUR_MS, MINUTE_MS, type Zone } from '../time/zone.ts';

/** From (included) to (not). */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the page offers; the words are in its address. */
export const PERIODS = ['1h', '6h', '24h', '7d', '30d', '1y', '5y'] as const;
export type Period = (typeof PERIODS)[number];

/** A period up to now, which moves on, or a stretch that stays. */
export type View = { readonly kind: 'last'; readonly period: Period } | ({ readonly kind: 'fixed' } & TimeRange);

const FINEST_MS = MINUTE_MS;
const WIDEST_MS = 50 * 366 * DAY_MS;

/** Days, months and years are those of the calendar. */
export function rangeOf(view: View, nowMs: number, zone: Zone): TimeRange {
  if (view.kind === 'fixed') {
    return { fromMs: view.fromMs, toMs: view.toMs };
  }
  return { fromMs: periodBefore(nowMs, view.period, zone, 1), toMs: nowMs };
}

/** A period earlier (-1) or later (1), by the calendar; never into the future. */
export function step(view: View, direction: -1 | 1, nowMs: number, zone: Zone): View {
  const { fromMs, toMs } = rangeOf(view, nowMs, zone);
  const days = wholeDays({ fromMs, toMs }, zone);
  const next = shifted({ fromMs, toMs }, view, direction, days, zone);
  return next.toMs > nowMs && direction === 1 ? upTo(next, nowMs) : { kind: 'fixed', ...next };
}

function shifted({ fromMs, toMs }: TimeRange, view: View, direction: -1 | 1, days: number, zone: Zone): TimeRange {
  if (view.kind === 'last') {
    return direction === -1
      ? { fromMs: periodBefore(fromMs, view.period, zone, 1), toMs: fromMs }
      : { fromMs: toMs, toMs: toMs + (toMs - fromMs) };
  }
  if (days > 0) {
    return { fromMs: zone.addDays(fromMs, days * direction), toMs: zone.addDays(toMs, days * direction) };
  }
  const spanMs = direction * (toMs - fromMs);
  return { fromMs: fromMs + spanMs, toMs: toMs + spanMs };
}

/** Zooms by `factor` (below 1: closer) and keeps the instant `atMs` where it is. */
export function zoom({ fromMs, toMs }: TimeRange, factor: number, atMs: number, nowMs: number): View {
  const span = Math.min(WIDEST_MS, Math.max(FINEST_MS, (toMs - fromMs) * factor));
  const share = (atMs - fromMs) / Math.max(1, toMs - fromMs);
  const from = Math.round(atMs - share * span);
  return upTo({ fromMs: from, toMs: from + Math.round(span) }, nowMs);
}

export function pan({ fromMs, toMs }: TimeRange, byMs: number, nowMs: number): View {
  return upTo({ fromMs: Math.round(fromMs + byMs), toMs: Math.round(toMs + byMs) }, nowMs);
}

/** The future has no readings: a stretch that reaches into it is moved back. */
function upTo({ fromMs, toMs }: TimeRange, nowMs: number): View {
  const beyond = Math.max(0, toMs - nowMs);
  return { kind: 'fixed', fromMs: fromMs - beyond, toMs: toMs - beyond };
}

/** How many local days the stretch covers exactly; 0 where it doesn't. */
function wholeDays({ fromMs, toMs }: TimeRange, zone: Zone): number {
  if (zone.startOfDay(fromMs) !== fromMs || zone.startOfDay(toMs) !== toMs) {
    return 0;
  }
  return Math.round((toMs - fromMs) / DAY_MS);
}

function periodBefore(ms: number, period: Period, zone: Zone, times: number): number {
  switch (period) {
    case '1h':
      return ms - times * HOUR_MS;
    case '6h':
      return ms - times * 6 * HOUR_MS;
    case '24h':
      return ms - times * DAY_MS;
    case '7d':
      return zone.addDays(ms, -7 * times);
    case '30d':
      return zone.addDays(ms, -30 * times);
    case '1y':
      return zone.addMonths(ms, -12 * times);
    case '5y':
      return zone.addMonths(ms, -60 * times);
  }
}
