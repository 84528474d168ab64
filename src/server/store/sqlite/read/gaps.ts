import type { Database } from 'better-sqlite3';
import type { SeqRange } from '../../../../contract/seq-ranges.ts';
import type { AuditStore, TimeRange } from '../../audit-store.ts';
import type { Rejected, StoredGap } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import { cutToPage, decodeCursor, type GapCursor, isGapCursor, isIdCursor } from './pages.ts';

/** A set of numbers that come nearly in order: as ranges, sorted and without neighbours, from the first number on. */
export interface GrowingRanges {
  /** Whether the number is new. */
  add(seq: number, tsMs?: number): boolean;
  readonly ranges: readonly SeqRange[];
  /** Of each range, the times that were given with its lowest and its highest number. */
  readonly times: readonly TimeRange[];
}

/** A number behind the last one is added at once, any other one by binary search. */
export function createGrowingRanges(): GrowingRanges {
  const ranges: [from: number, to: number][] = [];
  const times: [fromMs: number, toMs: number][] = [];

  /** Index of the last range that begins at or before the number; -1 where there is none. */
  const find = (seq: number): number => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.[0] ?? Number.POSITIVE_INFINITY) <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
  const insert = (seq: number, tsMs: number): boolean => {
    const index = find(seq);
    const [before, behind] = [ranges[index], ranges[index + 1]];
    const [timesBefore, timesBehind] = [times[index], times[index + 1]];
    if (before !== undefined && seq <= before[1]) return false;
    const touchesBefore = before !== undefined && before[1] + 1 === seq;
    const touchesBehind = behind !== undefined && seq + 1 === behind[0];
    if (touchesBefore && touchesBehind) {
      before[1] = behind[1];
      if (timesBefore !== undefined) timesBefore[1] = timesBehind?.[1] ?? tsMs;
      ranges.splice(index + 1, 1);
      times.splice(index + 1, 1);
    } else if (touchesBefore) {
      before[1] = seq;
      if (timesBefore !== undefined) timesBefore[1] = tsMs;
    } else if (touchesBehind) {
      behind[0] = seq;
      if (timesBehind !== undefined) timesBehind[0] = tsMs;
    } else {
      ranges.splice(index + 1, 0, [seq, seq]);
      times.splice(index + 1, 0, [tsMs, tsMs]);
    }
    return true;
  };

  return {
    add(seq, tsMs = 0) {
      const last = ranges.at(-1);
      const lastTimes = times.at(-1);
      if (last !== undefined && lastTimes !== undefined && seq === last[1] + 1) {
        last[1] = seq;
        lastTimes[1] = tsMs;
        return true;
      }
      return insert(seq, tsMs);
    },
    ranges,
    times,
  };
}

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

// An end whose time is not known may be anywhere.
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
    const { rows, more } = cutToPage(found, limit, (last) => [last.tsMs, last.deviceUid, last.epoch, last.seq]);
    return { gaps: rows.map(toGap), ...more };
  };
}

interface RejectedConditions {
  readonly before: number;
  readonly deviceUid: string | null;
  readonly reason: string | null;
  readonly count: number;
}

const COLUMNS = `id, topic, device_uid AS deviceUid, reason, detail, payload, payload_bytes AS payloadBytes,
  first_ms AS firstMs, last_ms AS lastMs, count`;

export function createRejectedPages(db: Database): Sync<AuditStore>['rejected'] {
  const select = (condition: string) =>
    db.prepare<[RejectedConditions], Rejected>(`
      SELECT ${COLUMNS} FROM rejected WHERE id < :before ${condition} AND (:reason IS NULL OR reason = :reason)
        AND (:deviceUid IS NULL OR device_uid = :deviceUid)
      ORDER BY id DESC LIMIT :count`);
  const all = select('');
  // Said twice, because an index does not serve a condition that may be absent.
  const ofDevice = select('AND device_uid = :deviceUid');
  return ({ deviceUid, reason, limit, after }) => {
    const [before] = after === undefined ? [Number.MAX_SAFE_INTEGER] : decodeCursor(after, isIdCursor);
    const found = (deviceUid === undefined ? all : ofDevice).all({
      before,
      deviceUid: deviceUid ?? null,
      reason: reason ?? null,
      count: limit + 1,
    });
    const { rows, more } = cutToPage(found, limit, ({ id }) => [id]);
    return { rejected: rows, ...more };
  };
}
