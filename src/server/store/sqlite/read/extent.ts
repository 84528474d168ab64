import type { Database } from 'better-sqlite3';
import type { ReadingStore } from '../../reading-store.ts';
import type { Sync } from '../sync.ts';
import type { Scopes } from './scopes.ts';

/** Two steps down the clustered key for each stretch. */
export function createExtent(db: Database, scopes: Scopes): Sync<ReadingStore>['extent'] {
  const within = 'FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?';
  const oldest = db.prepare<[number, number, number], number | null>(`SELECT min(ts_ms) ${within}`).pluck();
  const newest = db.prepare<[number, number, number], number | null>(`SELECT max(ts_ms) ${within}`).pluck();
  return (scope) => {
    let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const stretch of scopes.stretches(scope, 0, Number.MAX_SAFE_INTEGER)) {
      const range = [stretch.deviceId, stretch.fromMs, stretch.toMs] as const;
      fromMs = Math.min(fromMs, oldest.get(...range) ?? fromMs);
      toMs = Math.max(toMs, newest.get(...range) ?? toMs);
    }
    return fromMs <= toMs ? { fromMs, toMs } : undefined;
  };
}
