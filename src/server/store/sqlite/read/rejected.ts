import type { Database } from 'better-sqlite3';
import type { AuditStore } from '../../audit-store.ts';
import type { Rejected } from '../../stored.ts';
import type { Sync } from '../sync.ts';
import { decodeCursor, encodeCursor, isRejectedCursor } from './cursor.ts';

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
    const [before] = after === undefined ? [Number.MAX_SAFE_INTEGER] : decodeCursor(after, isRejectedCursor);
    const found = (deviceUid === undefined ? all : ofDevice).all({
      before,
      deviceUid: deviceUid ?? null,
      reason: reason ?? null,
      count: limit + 1,
    });
    const rejected = found.slice(0, limit);
    const last = rejected.at(-1);
    return found.length > limit && last !== undefined ? { rejected, next: encodeCursor([last.id]) } : { rejected };
  };
}
