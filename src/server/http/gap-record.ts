import type { StoredGap } from '../store/stored.ts';
import type { Gap } from './schemas/gaps.ts';
import { isoTime, isoTimeOrNull } from './times.ts';

export function toGapRecord(gap: StoredGap): Gap {
  return {
    device_id: gap.deviceUid,
    epoch: gap.ofEpoch,
    from_seq: gap.fromSeq,
    to_seq: gap.toSeq,
    count: gap.count,
    reason: gap.reason,
    from: isoTimeOrNull(gap.fromTsMs),
    to: isoTimeOrNull(gap.toTsMs),
    record: { epoch: gap.epoch, seq: gap.seq, ts: isoTime(gap.tsMs) },
    ...(gap.dismissal && { dismissal: { reason: gap.dismissal.reason, at: isoTime(gap.dismissal.atMs) } }),
  };
}
