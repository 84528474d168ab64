import type { AuditWrites } from '../../audit-store.ts';
import { StoreError } from '../../store.ts';
import type { Database } from '../database.ts';
import { GAP_COLUMNS, type GapRow, toGap } from '../read/gaps.ts';
import type { Sync } from '../sync.ts';

interface Dismissal {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly seq: number;
  readonly reason: string;
  readonly nowMs: number;
}

/** Keeps what a person says against a gap record. Inside the caller's transaction. */
export function createGapDismissal(db: Database): Sync<AuditWrites>['dismissGap'] {
  const select = db.prepare<[string, string, number], GapRow>(
    `SELECT ${GAP_COLUMNS} WHERE d.uid = ? AND e.epoch = ? AND g.seq = ?`,
  );
  const insert = db.prepare<[Dismissal]>(`
    INSERT OR REPLACE INTO gap_dismissals (epoch_id, seq, reason, dismissed_ms)
    SELECT e.id, :seq, :reason, :nowMs FROM epochs e JOIN devices d ON d.id = e.device_id
    WHERE d.uid = :deviceUid AND e.epoch = :epoch`);
  return (place, reason, nowMs) => {
    const { deviceUid, epoch, seq } = place;
    const found = select.get(deviceUid, epoch, seq);
    if (found === undefined) {
      throw new StoreError('NOT_FOUND', `${deviceUid} has no gap record with the number ${seq} of epoch ${epoch}`);
    }
    insert.run({ deviceUid, epoch, seq, reason, nowMs });
    return { ...toGap(found), dismissal: { reason, atMs: nowMs } };
  };
}
