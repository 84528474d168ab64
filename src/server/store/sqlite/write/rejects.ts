import { createHash } from 'node:crypto';
import { type IngestMessage, PAYLOAD_KEPT_BYTES, type Rejection } from '../../ingest-store.ts';
import type { RejectReason } from '../../stored.ts';
import type { Database } from '../database.ts';

const MAX_DETAIL = 500;
const DIGEST_HEX_DIGITS = 32;
/** Every message of such a device is rejected: one row tells of all of them. */
const REASONS_WITHOUT_DIGEST: ReadonlySet<RejectReason> = new Set(['unknown-device', 'refused-device', 'too-many']);

/** Devices whose trimmed messages are counted by themselves; what is said under other names is counted together. */
const MAX_TRIMMED_ROWS = 2_000;

/**
 * The rejected table: what could not be stored, the same only once. Where there are too many the oldest go, and how many of whom,
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
