import type { Database } from 'better-sqlite3';
import type { AuditStore } from '../../audit-store.ts';
import type { StoredGap } from '../../stored.ts';
import type { Sync } from '../sync.ts';
import { decodeCursor, encodeCursor, type GapCursor, isGapCursor } from './cursor.ts';

interface Conditions {
  readonly deviceUid: string | null;
  readonly fromMs: number;
  readonly toMs: number;
  readonly beforeMs: number;
  readonly beforeUid: string;
  readonly beforeEpoch: string;
  readonly beforeSeq: number;
  readonly count: number;
}

/** Of `gaps g`, `devices d` and `epochs e`: a StoredGap. */
export const GAP_COLUMNS = `
  d.uid AS deviceUid, g.of_epoch AS ofEpoch, g.from_seq AS fromSeq, g.to_seq AS toSeq, g.count, g.reason,
  g.from_ts_ms AS fromTsMs, g.to_ts_ms AS toTsMs, e.epoch, g.seq, g.ts_ms AS tsMs,
  x.reason AS dismissalReason, x.dismissed_ms AS dismissedMs
  FROM gaps g JOIN devices d ON d.id = g.device_id JOIN epochs e ON e.id = g.epoch_id
    LEFT JOIN gap_dismissals x ON x.epoch_id = g.epoch_id AND x.seq = g.seq`;

export interface GapRow extends Omit<StoredGap, 'dismissal'> {
  readonly dismissalReason: string | null;
  readonly dismissedMs: number | null;
}

export function toGap({ dismissalReason: reason, dismissedMs: atMs, ...gap }: GapRow): StoredGap {
  return reason === null || atMs === null ? gap : { ...gap, dismissal: { reason, atMs } };
}

// An end whose time nobody knows may be anywhere.
const PAGE = `
  SELECT ${GAP_COLUMNS}
  WHERE (:deviceUid IS NULL OR d.uid = :deviceUid)
    AND (g.from_ts_ms IS NULL OR g.from_ts_ms < :toMs) AND (g.to_ts_ms IS NULL OR g.to_ts_ms >= :fromMs)
    AND (g.ts_ms, d.uid, e.epoch, g.seq) < (:beforeMs, :beforeUid, :beforeEpoch, :beforeSeq)
  ORDER BY g.ts_ms DESC, d.uid DESC, e.epoch DESC, g.seq DESC LIMIT :count`;

export function createGapPages(db: Database): Sync<AuditStore>['gaps'] {
  const page = db.prepare<[Conditions], GapRow>(PAGE);
  return ({ deviceUid, fromMs, toMs, limit, after }) => {
    const start: GapCursor =
      after === undefined ? [Number.MAX_SAFE_INTEGER, '', '', 0] : decodeCursor(after, isGapCursor);
    const [beforeMs, beforeUid, beforeEpoch, beforeSeq] = start;
    const found = page.all({
      deviceUid: deviceUid ?? null,
      fromMs: fromMs ?? 0,
      toMs: toMs ?? Number.MAX_SAFE_INTEGER,
      beforeMs,
      beforeUid,
      beforeEpoch,
      beforeSeq,
      count: limit + 1,
    });
    const gaps = found.slice(0, limit).map(toGap);
    const last = gaps.at(-1);
    if (found.length <= limit || last === undefined) return { gaps };
    return { gaps, next: encodeCursor([last.tsMs, last.deviceUid, last.epoch, last.seq]) };
  };
}
