import type { Database } from '../database.ts';

/** Numbers that came, were receipted, and are not among the readings; neighbours with one reason are one row. */
export interface RejectedRanges {
  /** @returns whether it is noted; false: there is no room for more ranges of this device, so it must not be receipted */
  add(deviceId: number, epochId: number, seq: number, reason: string, receivedMs: number): boolean;
  has(epochId: number, seq: number, reason: string): boolean;
  /** What is remembered between calls; call after a rollback, or when another process has written. */
  forget(): void;
}

/** Numbers come in order, so a range holds thousands; only what nobody's journal does needs more. */
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
