import type { StoredReading } from './stored.ts';

/** The reading end: values over time. None of it changes anything; all may run side by side with commits. */
export interface ReadingStore {
  /** The newest reading of each device that is not refused or removed, sorted by device uid; one cheap query. */
  latest(filter?: { readonly deviceUid?: string; readonly roomUid?: string }): Promise<readonly StoredReading[]>;
  /** One page. `next` is undefined on the last one; nothing is ever cut without it. */
  readings(query: ReadingQuery): Promise<ReadingPage>;
  /**
   * One bucket per pair of neighbouring edges: from edge i (included) to edge i+1 (not). Time zones and calendars are the
   * caller's: it gives the edges. Roll-ups serve whole hours, readings the rest.
   */
  buckets(scope: ReadingScope, edgesMs: readonly number[]): Promise<readonly Bucket[]>;
  /**
   * How many readings the device should have given between each two edges, by the intervals that its status told over time, up to
   * `nowMs`; null where nobody knows (older agents).
   */
  expected(deviceUid: string, edgesMs: readonly number[], nowMs: number): Promise<readonly (number | null)[]>;
  /** Time of the oldest and newest reading; undefined where there is none. */
  extent(scope: ReadingScope): Promise<{ readonly fromMs: number; readonly toMs: number } | undefined>;
}

/** Readings of a device wherever it stood, or of whatever stood in a room while it stood there; or all. */
export type ReadingScope = { readonly deviceUid: string } | { readonly roomUid: string } | 'all';

export interface ReadingQuery {
  readonly scope: ReadingScope;
  /** Included. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  readonly order: 'oldest-first' | 'newest-first';
  readonly limit: number;
  /** `next` of the page before. @throws StoreError INVALID when it is none of ours */
  readonly after?: string;
}

export interface ReadingPage {
  /** Ordered by time, then device, epoch and number. */
  readonly readings: readonly StoredReading[];
  /** Opaque, safe in a URL. Stays valid while readings are added. */
  readonly next?: string;
}

/** Null members where `count` is 0. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  readonly temperature: Spread | null;
  readonly humidity: Spread | null;
}

export interface Spread {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}
