import type { SiteState } from './site-state.ts';

/** A value at a time. */
export interface Point {
  readonly tsMs: number;
  readonly value: number;
}

export interface Trend {
  readonly direction: 'rising' | 'falling' | 'steady';
  readonly change: number;
  readonly overMs: number;
}

const WINDOW_MS = 3 * 3_600_000;
/** A line through fewer points means nothing. */
const LEAST_SPAN_MS = 3_600_000;

/**
 * How a value changed over the last three hours: by the straight line that fits best, which one odd reading changes little.
 * Null where there is too little to tell.
 *
 * @param steady changes smaller than this are none
 */
export function trendOf(points: readonly Point[], nowMs: number, steady: number): Trend | null {
  const recent = points.filter(({ tsMs }) => tsMs > nowMs - WINDOW_MS && tsMs <= nowMs);
  const first = recent[0];
  const last = recent.at(-1);
  if (first === undefined || last === undefined || last.tsMs - first.tsMs < LEAST_SPAN_MS) {
    return null;
  }
  const overMs = last.tsMs - first.tsMs;
  const change = slopePerMs(recent) * overMs;
  const direction = Math.abs(change) < steady ? 'steady' : change > 0 ? 'rising' : 'falling';
  return { direction, change, overMs };
}

/** Least squares. */
function slopePerMs(points: readonly Point[]): number {
  const meanTs = points.reduce((sum, { tsMs }) => sum + tsMs, 0) / points.length;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  let product = 0;
  let square = 0;
  for (const { tsMs, value } of points) {
    product += (tsMs - meanTs) * (value - meanValue);
    square += (tsMs - meanTs) ** 2;
  }
  return square === 0 ? 0 : product / square;
}

/** What a browser can keep; localStorage, or nothing where that is forbidden. */
export interface KeyValue {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** The last known values, for times without a connection. One house per server address: localStorage belongs to the origin. */
export interface SnapshotStore {
  save(state: SiteState): void;
  /** Undefined where there is none, or it is of another version or damaged. */
  load(): SiteState | undefined;
  forget(): void;
}

/** Counts up whenever SiteState changes its shape: what an older page has kept is then no use. */
const VERSION = 3;

export function createSnapshotStore(storage: KeyValue, base: string): SnapshotStore {
  const key = `techtemp.snapshot:${base}`;
  return {
    save(state) {
      storage.set(key, JSON.stringify({ version: VERSION, state }));
    },
    load() {
      try {
        const kept = JSON.parse(storage.get(key) ?? 'null') as { version?: unknown; state?: SiteState } | null;
        return kept?.version === VERSION && isSiteState(kept.state) ? kept.state : undefined;
      } catch {
        return undefined;
      }
    },
    forget() {
      storage.remove(key);
    },
  };
}

function isSiteState(state: SiteState | undefined): state is SiteState {
  return (
    typeof state === 'object' &&
    typeof state.loadedMs === 'number' &&
    Array.isArray(state.devices) &&
    Array.isArray(state.rooms) &&
    typeof state.latest === 'object' &&
    typeof state.heard === 'object' &&
    typeof state.recent === 'object'
  );
}

/** localStorage that never throws: it may be full, or forbidden by the browser's settings. */
export function openKeyValue(storage: () => Storage): KeyValue {
  const quietly = <T>(action: (opened: Storage) => T, otherwise: T): T => {
    try {
      return action(storage());
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => quietly((opened) => opened.getItem(key), null),
    set: (key, value) => quietly((opened) => opened.setItem(key, value), undefined),
    remove: (key) => quietly((opened) => opened.removeItem(key), undefined),
  };
}
