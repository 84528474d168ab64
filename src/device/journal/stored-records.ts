import type { EpochFiles } from './epoch-files.ts';
import type { EpochPlace } from './epoch-scan.ts';
import { type RecordKind, recordKind, recordSeq, segmentSeed } from './record.ts';
import type { Segment } from './segment.ts';

/** A whole record of a segment. */
export interface StoredRecord {
  readonly slot: Buffer;
  readonly slotIndex: number;
  readonly kind: RecordKind;
  /** Its number; of a settlement and an end, the highest one before it. */
  readonly seq: number;
}

/** The whole records among consecutive slots; empty and damaged ones are left out. @throws what the file system says */
export async function readRecords(
  files: EpochFiles,
  place: EpochPlace,
  segment: Segment,
  fromSlot = 0,
  count = segment.usedSlots,
): Promise<readonly StoredRecord[]> {
  const seed = segmentSeed(place.deviceUid, place.epoch, segment.index);
  const slots = await files.readSlots(segment, fromSlot, count);
  return slots.flatMap((slot, at) => {
    const kind = recordKind(slot, seed, fromSlot + at);
    return kind === 'empty' || kind === 'damaged'
      ? []
      : [{ slot, slotIndex: fromSlot + at, kind, seq: recordSeq(slot) }];
  });
}

export function isNumbered(record: StoredRecord): boolean {
  return record.kind === 'reading' || record.kind === 'gap';
}
