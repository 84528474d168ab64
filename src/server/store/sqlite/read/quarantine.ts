import type { Database } from 'better-sqlite3';
import type { QuarantineDrop, Quarantined, QuarantinedDevice, QuarantineStore } from '../../audit-store.ts';
import type { Sync } from '../calls.ts';
import { cutToPage, decodeCursor, isIdCursor } from './pages.ts';

interface Conditions {
  readonly after: number;
  readonly deviceUid: string | null;
  readonly count: number;
}

interface Totals {
  readonly waiting: number;
  readonly waitingForTime: number;
  readonly newestForTimeMs: number | null;
}

export type QuarantineReads = Sync<Pick<QuarantineStore, 'quarantine' | 'quarantineSummary' | 'quarantineDrops'>>;

const PAGE = `
  SELECT q.id, d.uid AS deviceUid, e.epoch, nullif(q.seq, 0) AS seq, q.ts_ms AS tsMs, q.received_ms AS receivedMs, q.reason, q.detail,
    q.topic, q.item
  FROM quarantine q JOIN devices d ON d.id = q.device_id LEFT JOIN epochs e ON e.id = q.epoch_id
  WHERE q.id > :after AND (:deviceUid IS NULL OR d.uid = :deviceUid) ORDER BY q.id LIMIT :count`;

export function createQuarantineReads(db: Database): QuarantineReads {
  const page = db.prepare<[Conditions], Quarantined>(PAGE);
  const isEmpty = db.prepare<[], number>('SELECT NOT EXISTS (SELECT 1 FROM quarantine)').pluck();
  const totals = db.prepare<[], Totals>(`
    SELECT count(*) AS waiting, coalesce(sum(reason = 'bad-time'), 0) AS waitingForTime,
      -- By order of arrival: the wall clock of this server may have been set back since.
      (SELECT received_ms FROM quarantine WHERE reason = 'bad-time' ORDER BY id DESC LIMIT 1) AS newestForTimeMs FROM quarantine`);
  const devices = db.prepare<[], QuarantinedDevice>(`
    SELECT d.uid AS deviceUid, q.reason, count(*) AS count, min(q.ts_ms) AS fromTsMs, max(q.ts_ms) AS toTsMs,
      min(q.received_ms) AS firstMs, max(q.received_ms) AS lastMs
    FROM quarantine q JOIN devices d ON d.id = q.device_id GROUP BY d.uid, q.reason ORDER BY d.uid, q.reason`);
  const drops = db.prepare<[number], QuarantineDrop>(`
    SELECT device_uid AS deviceUid, epoch, from_seq AS fromSeq, to_seq AS toSeq, count, reason, note, from_ts_ms AS fromTsMs,
      to_ts_ms AS toTsMs, first_ms AS firstMs, last_ms AS lastMs, dropped_ms AS droppedMs
    FROM quarantine_drops ORDER BY id DESC LIMIT ?`);

  return {
    quarantine({ deviceUid, limit, after }) {
      const [last] = after === undefined ? [0] : decodeCursor(after, isIdCursor);
      const found = page.all({ after: last, deviceUid: deviceUid ?? null, count: limit + 1 });
      const { rows, more } = cutToPage(found, limit, ({ id }) => [id]);
      return { items: rows, ...more };
    },
    quarantineSummary() {
      const nothing = { waiting: 0, waitingForTime: 0, newestForTimeMs: null };
      if (isEmpty.get() === 1) return { ...nothing, devices: [] };
      return { ...(totals.get() ?? nothing), devices: devices.all() };
    },
    quarantineDrops: (limit) => drops.all(limit),
  };
}
