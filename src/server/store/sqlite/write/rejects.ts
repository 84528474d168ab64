import { createHash } from 'node:crypto';
import type { AuditWrites } from '../../audit-store.ts';
import { type IngestMessage, PAYLOAD_KEPT_BYTES, type Rejection } from '../../ingest-store.ts';
import { StoreError } from '../../store.ts';
import type { RejectReason } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import type { Database } from '../database.ts';
import { GAP_COLUMNS, type GapRow, toGap } from '../read/gaps.ts';

const MAX_DETAIL = 500;
const DIGEST_HEX_DIGITS = 32;
/** Every message of such a device is rejected: one row tells of all of them. */
const REASONS_WITHOUT_DIGEST: ReadonlySet<RejectReason> = new Set(['unknown-device', 'refused-device', 'too-many']);

/** Devices whose trimmed messages are counted by themselves; what is said under other names is counted together. */
const MAX_TRIMMED_ROWS = 2_000;

/**
 * The rejected table: what could not be stored, the same only once. If there are too many, the oldest go, and how many of which device,
 * why and when is kept.
 */
export interface Rejects {
  keep(message: Pick<IngestMessage, 'topic' | 'receivedMs'>, deviceUid: string | null, rejection: Rejection): void;
  /** Call at the end of a batch. */
  trim(max: number): void;
  forget(): void;
}

interface Oldest {
  readonly count: number;
}

export function createRejects(db: Database): Rejects {
  /** Rows of the table, as far as known. */
  let count: number | undefined;
  let hasGrown = false;
  const bump = db.prepare<[number, string, string, string]>(
    'UPDATE rejected SET count = count + 1, last_ms = max(last_ms, ?) WHERE topic = ? AND reason = ? AND digest = ?',
  );
  const insert = db.prepare<(string | number | null)[]>(`
    INSERT INTO rejected (topic, device_uid, reason, detail, payload, payload_bytes, digest, first_ms, last_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const selectCount = db.prepare('SELECT count(*) FROM rejected').pluck();
  const oldest = '(SELECT id FROM rejected ORDER BY id LIMIT :count)';
  const removeOldest = db.prepare<[Oldest]>(`DELETE FROM rejected WHERE id IN ${oldest}`);
  const traceOldest = db.prepare<[Oldest]>(`
    INSERT INTO rejected_trimmed (device_uid, reason, count, first_ms, last_ms)
    SELECT CASE WHEN (SELECT count(*) FROM rejected_trimmed) < ${MAX_TRIMMED_ROWS} OR EXISTS (
        SELECT 1 FROM rejected_trimmed t WHERE t.device_uid = r.device_uid AND t.reason = r.reason)
      THEN coalesce(r.device_uid, '') ELSE '' END AS uid, reason, sum(count), min(first_ms), max(last_ms)
    FROM rejected r WHERE id IN ${oldest} GROUP BY uid, reason
    ON CONFLICT (device_uid, reason) DO UPDATE SET count = count + excluded.count,
      first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)`);

  return {
    keep({ topic, receivedMs }, deviceUid, { reason, detail, payload, payloadBytes }) {
      const digest = REASONS_WITHOUT_DIGEST.has(reason) ? '' : digestOf(payload, payloadBytes);
      if (bump.run(receivedMs, topic, reason, digest).changes > 0) return;
      const kept = cutToBytes(payload, PAYLOAD_KEPT_BYTES);
      insert.run(
        topic,
        deviceUid,
        reason,
        detail.slice(0, MAX_DETAIL),
        kept,
        payloadBytes,
        digest,
        receivedMs,
        receivedMs,
      );
      hasGrown = true;
      if (count !== undefined) count += 1;
    },
    trim(max) {
      if (!hasGrown) return;
      hasGrown = false;
      count ??= selectCount.get() as number;
      if (count <= max) return;
      const surplus = { count: count - max };
      traceOldest.run(surplus);
      count -= removeOldest.run(surplus).changes;
    },
    forget() {
      count = undefined;
      hasGrown = false;
    },
  };
}

/** A rejection of what had been understood: its text is made again. */
export function rejectionOf(reason: RejectReason, detail: string, content: string): Rejection {
  return { reason, detail, payload: content, payloadBytes: Buffer.byteLength(content) };
}

function digestOf(payload: string, payloadBytes: number): string {
  return createHash('sha256').update(`${payloadBytes} ${payload}`).digest('hex').slice(0, DIGEST_HEX_DIGITS);
}

function cutToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  // A character that was cut in two is left out.
  return Buffer.from(text)
    .toString('utf8', 0, bytes)
    .replace(/\uFFFD$/u, '');
}

/** Numbers that came, were receipted, and are not among the readings; neighbours with one reason are one row. */
export interface RejectedRanges {
  /** @returns whether it is noted; false: there is no room for more ranges of this device, so it must not be receipted */
  add(deviceId: number, epochId: number, seq: number, reason: string, receivedMs: number): boolean;
  has(epochId: number, seq: number, reason: string): boolean;
  /** What is remembered between calls; call after a rollback, or when another process has written. */
  forget(): void;
}

/** Numbers come in order, so a range holds thousands; no real journal needs more. */
const MAX_RANGES_OF_A_DEVICE = 10_000;

interface RangeRow {
  readonly fromSeq: number;
  readonly toSeq: number;
}

interface ExtendRow extends RangeRow {
  readonly epochId: number;
  readonly reason: string;
  readonly ms: number;
}

export function createRejectedRanges(db: Database): RejectedRanges {
  const counts = new Map<number, number>();
  const before = db.prepare<[number, string, number], RangeRow>(`
    SELECT from_seq AS fromSeq, to_seq AS toSeq FROM rejected_ranges
    WHERE epoch_id = ? AND reason = ? AND from_seq <= ? ORDER BY from_seq DESC LIMIT 1`);
  const at = db.prepare<[number, string, number], RangeRow>(
    'SELECT from_seq AS fromSeq, to_seq AS toSeq FROM rejected_ranges WHERE epoch_id = ? AND reason = ? AND from_seq = ?',
  );
  const extend = db.prepare<[ExtendRow]>(`
    UPDATE rejected_ranges SET to_seq = :toSeq, first_ms = min(coalesce(first_ms, :ms), :ms),
      last_ms = max(coalesce(last_ms, :ms), :ms)
    WHERE epoch_id = :epochId AND reason = :reason AND from_seq = :fromSeq`);
  const insert = db.prepare<[number, string, number, number, number, number]>(
    'INSERT INTO rejected_ranges (epoch_id, reason, from_seq, to_seq, first_ms, last_ms) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const remove = db.prepare<[number, string, number]>(
    'DELETE FROM rejected_ranges WHERE epoch_id = ? AND reason = ? AND from_seq = ?',
  );
  const selectCount = db
    .prepare<[number], number>(
      'SELECT count(*) FROM rejected_ranges r JOIN epochs e ON e.id = r.epoch_id WHERE e.device_id = ?',
    )
    .pluck();
  const countOf = (deviceId: number): number => counts.get(deviceId) ?? selectCount.get(deviceId) ?? 0;

  return {
    add(deviceId, epochId, seq, reason, receivedMs) {
      const range = before.get(epochId, reason, seq);
      if (range !== undefined && range.toSeq >= seq) return true;
      const behind = at.get(epochId, reason, seq + 1);
      const toSeq = behind?.toSeq ?? seq;
      if (behind !== undefined) remove.run(epochId, reason, behind.fromSeq);
      if (range?.toSeq === seq - 1) {
        extend.run({ epochId, reason, fromSeq: range.fromSeq, toSeq, ms: receivedMs });
        if (behind !== undefined) counts.delete(deviceId);
        return true;
      }
      const count = countOf(deviceId);
      if (behind === undefined && count >= MAX_RANGES_OF_A_DEVICE) return false;
      insert.run(epochId, reason, seq, toSeq, receivedMs, receivedMs);
      counts.set(deviceId, behind === undefined ? count + 1 : count);
      return true;
    },
    has(epochId, seq, reason) {
      return (before.get(epochId, reason, seq)?.toSeq ?? 0) >= seq;
    },
    forget: () => counts.clear(),
  };
}

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
