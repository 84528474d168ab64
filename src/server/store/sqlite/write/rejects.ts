import { createHash } from 'node:crypto';
import { type IngestMessage, PAYLOAD_KEPT_BYTES, type Rejection } from '../../ingest-store.ts';
import type { RejectReason } from '../../stored.ts';
import type { Database } from '../database.ts';

const MAX_DETAIL = 500;
const DIGEST_HEX_DIGITS = 32;
/** Every message of such a device is rejected: one row tells of all of them. */
const REASONS_WITHOUT_DIGEST: ReadonlySet<RejectReason> = new Set(['unknown-device', 'refused-device', 'too-many']);

/** The rejected table: what could not be stored, the same only once, the oldest gone where there are too many. */
export interface Rejects {
  keep(message: Pick<IngestMessage, 'topic' | 'receivedMs'>, deviceUid: string | null, rejection: Rejection): void;
  /** A number that came, and whose reading could not be stored. */
  keepNumber(epochId: number, seq: number, reason: RejectReason): void;
  /** Call at the end of a batch. */
  trim(max: number): void;
  forget(): void;
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
  const insertNumber = db.prepare<[number, number, string]>(
    'INSERT INTO rejected_numbers (epoch_id, seq, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const selectCount = db.prepare('SELECT count(*) FROM rejected').pluck();
  const removeOldest = db.prepare<[number]>(
    'DELETE FROM rejected WHERE id IN (SELECT id FROM rejected ORDER BY id LIMIT ?)',
  );

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
    keepNumber(epochId, seq, reason) {
      insertNumber.run(epochId, seq, reason);
    },
    trim(max) {
      if (!hasGrown) return;
      hasGrown = false;
      count ??= selectCount.get() as number;
      if (count > max) count -= removeOldest.run(count - max).changes;
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
