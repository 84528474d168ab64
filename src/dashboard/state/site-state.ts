import type { Bucket, Device, Reading, Room, Site } from './model.ts';

/** The present state that the page shows. Plain data, because it is also kept for times without a connection. */
export interface SiteState {
  readonly site: Site | null;
  readonly rooms: readonly Room[];
  readonly devices: readonly Device[];
  /** By device. */
  readonly latest: Readonly<Record<string, Reading>>;
  /** By device: when a reading of it last came, by the server's clock. */
  readonly heard: Readonly<Record<string, number>>;
  /** The last day of each device, oldest first: the server's hours, then what came live. */
  readonly recent: Readonly<Record<string, readonly Bucket[]>>;
  /** When all of it was last asked for, by the server's clock. */
  readonly loadedMs: number | null;
}

export const NOTHING_KNOWN: SiteState = {
  site: null,
  rooms: [],
  devices: [],
  latest: {},
  heard: {},
  recent: {},
  loadedMs: null,
};

/** What the live stream tells. */
export type LiveChange =
  /** Marked by the server as the newest of its device, whatever its time is. */
  | { readonly kind: 'reading'; readonly reading: Reading; readonly receivedMs: number }
  | { readonly kind: 'history'; readonly deviceUid: string; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'device'; readonly deviceUid: string }
  | { readonly kind: 'gap'; readonly deviceUid: string }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'resync' };

/** What has to be loaded because of a change. */
export type Question = 'everything' | 'devices' | 'recent';

/** What comes live is gathered in buckets of this width. */
const LIVE_BUCKET_MS = 300_000;
export const RECENT_MS = 86_400_000;

/** The same change twice changes nothing; the order of readings of one device doesn't matter. */
export function reduce(state: SiteState, change: LiveChange): { readonly state: SiteState; readonly ask?: Question } {
  switch (change.kind) {
    case 'reading': {
      const next = withReading(state, change.reading, change.receivedMs);
      const isKnown = state.devices.some(({ uid }) => uid === change.reading.deviceUid);
      return isKnown ? { state: next } : { state: next, ask: 'devices' };
    }
    case 'history': {
      const isRecent = state.loadedMs !== null && change.toMs > state.loadedMs - RECENT_MS;
      return isRecent ? { state, ask: 'recent' } : { state };
    }
    case 'device':
      return { state, ask: 'devices' };
    case 'resync':
      return { state, ask: 'everything' };
    case 'gap':
    case 'rejected':
      return { state };
  }
}

/** Their newest readings count, unless the stream has told newer ones meanwhile. */
export function withDevices(state: SiteState, devices: readonly Device[]): SiteState {
  const latest: Record<string, Reading> = {};
  const heard: Record<string, number> = {};
  for (const { uid, latest: told, contact } of devices) {
    const toldMs = contact.heardMs ?? Number.NEGATIVE_INFINITY;
    const heardMs = Math.max(state.heard[uid] ?? Number.NEGATIVE_INFINITY, toldMs);
    if (Number.isFinite(heardMs)) heard[uid] = heardMs;
    // Ordered by when they came: the clock of a device may be wrong.
    const newest = told === null || heardMs > toldMs ? (state.latest[uid] ?? told) : told;
    if (newest !== null) latest[uid] = newest;
  }
  return { ...state, devices, latest, heard };
}

function withReading(state: SiteState, reading: Reading, receivedMs: number): SiteState {
  const { deviceUid } = reading;
  const known = state.latest[deviceUid];
  if ((state.heard[deviceUid] ?? Number.NEGATIVE_INFINITY) > receivedMs) return state;
  if (known?.tsMs === reading.tsMs && known.celsius === reading.celsius && known.percent === reading.percent)
    return state;
  return {
    ...state,
    latest: { ...state.latest, [deviceUid]: reading },
    heard: { ...state.heard, [deviceUid]: receivedMs },
    // One that is ahead must not push the day out of the picture.
    recent: {
      ...state.recent,
      [deviceUid]: withLive(state.recent[deviceUid] ?? [], { ...reading, tsMs: Math.min(reading.tsMs, receivedMs) }),
    },
  };
}

function withLive(buckets: readonly Bucket[], { tsMs, celsius, percent }: Reading): Bucket[] {
  const fromMs = Math.floor(tsMs / LIVE_BUCKET_MS) * LIVE_BUCKET_MS;
  const kept = buckets.filter((bucket) => bucket.toMs > tsMs - RECENT_MS);
  const last = kept.at(-1);
  const merges = last?.fromMs === fromMs && last.toMs === fromMs + LIVE_BUCKET_MS;
  const before = merges ? last : undefined;
  const count = before?.count ?? 0;
  const merged: Bucket = {
    fromMs,
    toMs: fromMs + LIVE_BUCKET_MS,
    count: count + 1,
    temperature: spread(before?.temperature ?? null, count, celsius),
    humidity: spread(before?.humidity ?? null, count, percent),
  };
  return [...(merges ? kept.slice(0, -1) : kept), merged];
}

function spread(before: Bucket['temperature'], count: number, value: number): Bucket['temperature'] {
  if (before === null) {
    return { min: value, avg: value, max: value };
  }
  return {
    min: Math.min(before.min, value),
    avg: (before.avg * count + value) / (count + 1),
    max: Math.max(before.max, value),
  };
}

/** Least and most since the local day began, and the mean of the last 24 hours. Null where nothing was measured. */
export interface DaySummary {
  readonly today: { readonly min: number; readonly max: number } | null;
  readonly mean: { readonly celsius: number; readonly percent: number } | null;
}

export function summaryOf(buckets: readonly Bucket[], startOfDayMs: number): DaySummary {
  let [min, max] = [Infinity, -Infinity];
  let [weight, celsius, percent] = [0, 0, 0];
  for (const { fromMs, toMs, count, temperature, humidity } of buckets) {
    if (temperature === null || humidity === null) continue;
    if (fromMs >= startOfDayMs) {
      min = Math.min(min, temperature.min);
      max = Math.max(max, temperature.max);
    }
    // By time, not by count: an hour with few readings is still an hour.
    const span = count === 0 ? 0 : toMs - fromMs;
    weight += span;
    celsius += span * temperature.avg;
    percent += span * humidity.avg;
  }
  return {
    today: min <= max ? { min, max } : null,
    mean: weight === 0 ? null : { celsius: celsius / weight, percent: percent / weight },
  };
}
