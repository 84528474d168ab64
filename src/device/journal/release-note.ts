import { crc32 } from 'node:zlib';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import { decodeSettlement, encodeSettlement, type StoredSettlement } from './record.ts';

/** Two slots, each in a block of its own, written in turn: a torn write leaves the other one. */
export const NOTE_SLOT_OFFSETS = [0, 4096] as const;
export const NOTE_SLOT_BYTES = 1024;
export const NOTE_FILE_BYTES = 4096 + NOTE_SLOT_BYTES;
const MAGIC = 'TTnote\0\x01';
const NUMBER_BYTES = 6;
const SETTLEMENT_BYTES = 64;
const MAX_NOTED_SETTLEMENTS = 4;
const AT = {
  magic: 0,
  crc: 8,
  counter: 12,
  releasedTo: 18,
  lastSeq: 24,
  ranges: 30,
  settlements: 32,
  recalledTo: 34,
  settlementList: 64,
  rangeList: 64 + MAX_NOTED_SETTLEMENTS * SETTLEMENT_BYTES,
} as const;
/** More ranges are not noted: what they hold goes out once more after a restart, and the store drops the doubles. */
const MAX_NOTED_RANGES = Math.floor((NOTE_SLOT_BYTES - AT.rangeList) / (2 * NUMBER_BYTES));

/** What had been released when it was written. */
export interface ReleaseNote {
  /** The later of two notes has the higher one. */
  readonly counter: number;
  /** Everything up to this number. */
  readonly releasedTo: number;
  /** And these beyond it. */
  readonly ranges: readonly SeqRange[];
  /** Highest number given by then: if the records end before it, the end of the records is gone. */
  readonly lastSeq: number;
  /** A second copy, in another file, of the newest settlements: no damage may bring a reading another time. */
  readonly settlements: readonly StoredSettlement[];
  /** What the records up to this number say about releases was taken back; 0 where it never was. */
  readonly recalledTo: number;
}

export function encodeNote(note: ReleaseNote, deviceUid: string, epoch: string): Buffer {
  const slot = Buffer.alloc(NOTE_SLOT_BYTES);
  const ranges = note.ranges.slice(0, MAX_NOTED_RANGES);
  slot.write(MAGIC, AT.magic, 'latin1');
  slot.writeUIntLE(note.counter, AT.counter, NUMBER_BYTES);
  slot.writeUIntLE(note.releasedTo, AT.releasedTo, NUMBER_BYTES);
  slot.writeUIntLE(note.lastSeq, AT.lastSeq, NUMBER_BYTES);
  slot.writeUIntLE(note.recalledTo, AT.recalledTo, NUMBER_BYTES);
  slot.writeUInt16LE(ranges.length, AT.ranges);
  ranges.flat().forEach((seq, index) => slot.writeUIntLE(seq, AT.rangeList + index * NUMBER_BYTES, NUMBER_BYTES));
  const settlements = note.settlements.slice(-MAX_NOTED_SETTLEMENTS);
  slot.writeUInt16LE(settlements.length, AT.settlements);
  settlements.forEach((settlement, index) =>
    slot.set(encodeSettlement(settlement), AT.settlementList + index * SETTLEMENT_BYTES),
  );
  slot.writeUInt32LE(checksum(slot, deviceUid, epoch), AT.crc);
  return slot;
}

/** The later of the slots that are whole; undefined where none is. */
export function decodeNotes(file: Buffer, deviceUid: string, epoch: string): ReleaseNote | undefined {
  const notes = NOTE_SLOT_OFFSETS.map((offset) =>
    decodeSlot(file.subarray(offset, offset + NOTE_SLOT_BYTES), deviceUid, epoch),
  ).filter((note) => note !== undefined);
  return notes.sort((a, b) => b.counter - a.counter)[0];
}

function decodeSlot(slot: Buffer, deviceUid: string, epoch: string): ReleaseNote | undefined {
  if (slot.length < NOTE_SLOT_BYTES || slot.toString('latin1', AT.magic, AT.crc) !== MAGIC) return undefined;
  if (slot.readUInt32LE(AT.crc) !== checksum(slot, deviceUid, epoch)) return undefined;
  const ranges = Array.from({ length: slot.readUInt16LE(AT.ranges) }, (_, index): SeqRange => {
    const offset = AT.rangeList + index * 2 * NUMBER_BYTES;
    return [slot.readUIntLE(offset, NUMBER_BYTES), slot.readUIntLE(offset + NUMBER_BYTES, NUMBER_BYTES)];
  });
  return {
    counter: slot.readUIntLE(AT.counter, NUMBER_BYTES),
    releasedTo: slot.readUIntLE(AT.releasedTo, NUMBER_BYTES),
    lastSeq: slot.readUIntLE(AT.lastSeq, NUMBER_BYTES),
    recalledTo: slot.readUIntLE(AT.recalledTo, NUMBER_BYTES),
    ranges,
    settlements: Array.from({ length: slot.readUInt16LE(AT.settlements) }, (_, index) => {
      const offset = AT.settlementList + index * SETTLEMENT_BYTES;
      return decodeSettlement(slot.subarray(offset, offset + SETTLEMENT_BYTES));
    }),
  };
}

function checksum(slot: Buffer, deviceUid: string, epoch: string): number {
  return crc32(slot.subarray(AT.counter), crc32(`${deviceUid}/${epoch}`));
}
