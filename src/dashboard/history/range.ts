import { DAY_MS, HOUR_MS, MINUTE_MS, type Zone } from '../../calendar/local-time.ts';

/** From (included) to (not). */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The periods that the page offers. These words also stand in its address. */
export const PERIODS = ['1h', '6h', '24h', '7d', '30d', '1y', '5y'] as const;
export type Period = (typeof PERIODS)[number];

/** A period up to now, which moves on with the time, or a fixed range. */
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

/** What a chart can show. */
export const QUANTITIES = ['temperature', 'humidity', 'dew-point', 'absolute-humidity'] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** A line of a chart: all devices of a room, or one device in all its rooms. `room:kitchen`, `device:aht20-a1b2c3`. */
export type SourceKey = `${'room' | 'device'}:${string}`;

export interface HistoryAddress {
  /** Undefined: all rooms and devices. */
  readonly sources: readonly SourceKey[] | undefined;
  readonly quantity: Quantity;
  readonly view: View;
}

const DEFAULT_PERIOD: Period = '24h';
/** Eight-digit years and the like are typing errors, not history. */
const EARLIEST_MS = Date.UTC(1990, 0);
const LATEST_MS = Date.UTC(2200, 0);

/** Reads `?show=room:kitchen&show=…&q=humidity&last=7d` or `&from=…&to=…`. What it does not understand is left out. */
export function readHistoryAddress(search: string): HistoryAddress {
  const query = new URLSearchParams(search);
  const sources = query.getAll('show').filter(isSourceKey);
  return {
    sources: sources.length === 0 ? undefined : [...new Set(sources)],
    quantity: QUANTITIES.find((quantity) => quantity === query.get('q')) ?? 'temperature',
    view: readView(query),
  };
}

export function writeHistoryAddress({ sources, quantity, view }: HistoryAddress): string {
  const query = new URLSearchParams();
  for (const source of sources ?? []) {
    query.append('show', source);
  }
  if (quantity !== 'temperature') {
    query.set('q', quantity);
  }
  if (view.kind === 'last') {
    query.set('last', view.period);
  } else {
    query.set('from', new Date(view.fromMs).toISOString());
    query.set('to', new Date(view.toMs).toISOString());
  }
  // Colons are allowed in a query and easier to read than %3A.
  return `?${query.toString().replaceAll('%3A', ':')}`;
}

function readView(query: URLSearchParams): View {
  const fromMs = Date.parse(query.get('from') ?? '');
  const toMs = Date.parse(query.get('to') ?? '');
  if (fromMs < toMs && fromMs >= EARLIEST_MS && toMs <= LATEST_MS) {
    return { kind: 'fixed', fromMs, toMs };
  }
  return { kind: 'last', period: PERIODS.find((period) => period === query.get('last')) ?? DEFAULT_PERIOD };
}

function isSourceKey(text: string): text is SourceKey {
  return /^(room|device):[A-Za-z0-9_-]{1,50}$/.test(text);
}

/** The widths that are asked for, finest first. From an hour on the server has them ready. */
export const BUCKET_MS = {
  '1m': MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '15m': 15 * MINUTE_MS,
  '1h': HOUR_MS,
  '3h': 3 * HOUR_MS,
  '6h': 6 * HOUR_MS,
  '12h': 12 * HOUR_MS,
  '1d': DAY_MS,
  '1w': 7 * DAY_MS,
} as const;

/** `raw`: the readings themselves. All rooms of a chart get the same, so that they lie on one grid. */
export type Resolution = 'raw' | keyof typeof BUCKET_MS;

const WIDTHS = Object.entries(BUCKET_MS) as [keyof typeof BUCKET_MS, number][];

/** More buckets than this on a pixel could not be told apart. */
const BUCKETS_PER_PX = 2;
/** All rooms together: an answer of about a megabyte, which is still drawn without a visible delay. */
const MOST_BUCKETS = 8000;
const LEAST_BUCKETS = 200;

/** What a chart is about to show. */
export interface ChartDemand {
  readonly range: TimeRange;
  readonly widthPx: number;
  readonly sources: number;
  /** The shortest interval of the devices shown. */
  readonly intervalMs: number;
}

/** The finest resolution that the screen can show and the answer can carry. */
export function resolutionFor({ range, widthPx, sources, intervalMs }: ChartDemand): Resolution {
  const fair = Math.floor(MOST_BUCKETS / Math.max(1, sources));
  const limit = Math.max(LEAST_BUCKETS, Math.min(fair, BUCKETS_PER_PX * widthPx));
  const rangeMs = range.toMs - range.fromMs;
  if (rangeMs / intervalMs <= limit) {
    return 'raw';
  }
  const fitting = WIDTHS.find(([, ms]) => ms > intervalMs && rangeMs / ms <= limit);
  return fitting?.[0] ?? '1w';
}
