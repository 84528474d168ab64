import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { GAP_REASONS, type Gap } from '../../contract/reading.ts';
import type { GapEntry, ReadingEntry, Settlement } from './journal.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The 16 bytes, written as a UUID, under which a boot id lies on disk. Linux names its boots by UUIDs, which stand for
 * themselves; any other name (a developer's machine without boot ids) stands there by its hash.
 */
export function bootKeyOf(bootId: string): string {
  if (UUID.test(bootId)) return bootId;
  const hex = createHash('sha256').update(bootId).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Gives the boots that were named in this process their names back; boots of earlier runs keep their keys as names. */
export class BootNames {
  readonly #names = new Map<string, string>();

  keyOf(bootId: string): string {
    const key = bootKeyOf(bootId);
    if (key !== bootId) this.#names.set(key, bootId);
    return key;
  }

  nameOf(key: string): string {
    return this.#names.get(key) ?? key;
  }
}

/** One record is one slot of 64 bytes; README.md in this folder has the table of offsets. */
export const SLOT_BYTES = 64;
/** Longest epoch name that fits into a gap record. */
export const MAX_EPOCH_LENGTH = 9;

const EMPTY_SLOT = Buffer.alloc(SLOT_BYTES);
const READING = 1;
const GAP = 2;
const SETTLEMENT = 3;
const END = 4;
const NUMBER_BYTES = 6;
/** 2^48 - 1 stands for "not known" in the optional fields of a gap record. */
const ABSENT = 2 ** 48 - 1;
const STATES = ['synced', 'unsynced', 'pending'] as const;
const STATE_MASK = 0b11;
const TRIGGER_COMMAND = 0b100;
const ROUGH_TIME = 0b1000;
const SETTLED_UNSYNCED = 0b1;
const SETTLED_AS_STAMPED = 0b10;
const MAX_FRAME_BYTES = 7;

const AT = {
  crc: 0,
  kind: 4,
  flags: 5,
  seq: 6,
  releasedTo: 12,
  tsMs: 18,
  reading: { monotonicMs: 24, bootId: 32, temperature: 48, humidity: 50, frameLength: 52, frame: 53 },
  gap: { from: 24, to: 30, count: 36, fromTsMs: 42, toTsMs: 48, levelAndLength: 54, epoch: 55 },
  settlement: { wallMinusMonotonicMs: 24, bootId: 32 },
} as const;

export type RecordKind = 'reading' | 'gap' | 'settlement' | 'end';
const KINDS: Readonly<Record<number, RecordKind>> = {
  [READING]: 'reading',
  [GAP]: 'gap',
  [SETTLEMENT]: 'settlement',
  [END]: 'end',
};

/** A gap record as it lies on disk: `level` is the thinning level that the segment has after a `thinned` gap, else 0. */
export interface StoredGap extends GapEntry {
  readonly level: number;
}

/** Gives the readings of one boot up to a number their time. */
export interface StoredSettlement extends Settlement {
  readonly uptoSeq: number;
}

/**
 * What every record's CRC starts from: a record passes only in the segment of the epoch of the device that it was written
 * for, so that stale or misplaced bytes never count as readings.
 */
export function segmentSeed(deviceUid: string, epoch: string, index: number): number {
  return crc32(`techtemp journal 1 ${deviceUid} ${epoch} ${index}`);
}

/** Notes the low-water mark of the releases and seals the record for its slot. */
export function sealRecord(slot: Buffer, seed: number, slotIndex: number, releasedTo: number): Buffer {
  slot.writeUIntLE(releasedTo, AT.releasedTo, NUMBER_BYTES);
  return resealRecord(slot, seed, slotIndex);
}

/** Seals a record that moves to another slot. */
export function resealRecord(slot: Buffer, seed: number, slotIndex: number): Buffer {
  slot.writeUInt32LE(checksum(slot, seed, slotIndex), AT.crc);
  return slot;
}

/** What a slot holds: nothing yet, something damaged, or a whole record of some kind. */
export function recordKind(slot: Buffer, seed: number, slotIndex: number): RecordKind | 'empty' | 'damaged' {
  const kind = KINDS[slot.readUInt8(AT.kind)];
  if (kind === undefined) return slot.equals(EMPTY_SLOT) ? 'empty' : 'damaged';
  return slot.readUInt32LE(AT.crc) === checksum(slot, seed, slotIndex) ? kind : 'damaged';
}

/** The record's own number; for a settlement and an end, the highest number given before it. */
export function recordSeq(slot: Buffer): number {
  return slot.readUIntLE(AT.seq, NUMBER_BYTES);
}

/** Everything up to this number was released, or is told by a gap record, when this record was written. */
export function recordReleasedTo(slot: Buffer): number {
  return slot.readUIntLE(AT.releasedTo, NUMBER_BYTES);
}

/** The boot of a reading whose time is pending in this record (a settlement may have settled it), else undefined. */
export function pendingBootKey(slot: Buffer): string | undefined {
  return (slot.readUInt8(AT.flags) & STATE_MASK) === STATES.indexOf('pending')
    ? decodeBootKey(slot, AT.reading.bootId)
    : undefined;
}

/** `bootKey` is a UUID (boot-key.ts); values are rounded to two decimals. */
export function encodeReading(reading: ReadingEntry, bootKey: string): Buffer {
  const slot = newSlot(READING, reading.seq);
  const { state, tsMs } = reading.stamp;
  const trigger = reading.trigger === 'command' ? TRIGGER_COMMAND : 0;
  slot.writeUInt8(STATES.indexOf(state) | trigger | (reading.isTimeRough === true ? ROUGH_TIME : 0), AT.flags);
  slot.writeUIntLE(tsMs, AT.tsMs, NUMBER_BYTES);
  slot.writeDoubleLE(reading.monotonicMs, AT.reading.monotonicMs);
  encodeBootKey(slot, AT.reading.bootId, bootKey);
  slot.writeInt16LE(Math.round(reading.temperatureCelsius * 100), AT.reading.temperature);
  slot.writeUInt16LE(Math.round(reading.humidityPercent * 100), AT.reading.humidity);
  const frame = reading.frame ?? new Uint8Array();
  slot.writeUInt8(Math.min(frame.length, MAX_FRAME_BYTES), AT.reading.frameLength);
  slot.set(frame.subarray(0, MAX_FRAME_BYTES), AT.reading.frame);
  return slot;
}

/** The reading as it was stamped; `bootId` is the boot's key. */
export function decodeReading(slot: Buffer): ReadingEntry {
  const flags = slot.readUInt8(AT.flags);
  const frameLength = slot.readUInt8(AT.reading.frameLength);
  return {
    kind: 'reading',
    seq: recordSeq(slot),
    temperatureCelsius: slot.readInt16LE(AT.reading.temperature) / 100,
    humidityPercent: slot.readUInt16LE(AT.reading.humidity) / 100,
    stamp: { state: STATES[flags & STATE_MASK] ?? 'unsynced', tsMs: slot.readUIntLE(AT.tsMs, NUMBER_BYTES) },
    bootId: decodeBootKey(slot, AT.reading.bootId),
    monotonicMs: slot.readDoubleLE(AT.reading.monotonicMs),
    ...((flags & ROUGH_TIME) !== 0 && { isTimeRough: true as const }),
    ...((flags & TRIGGER_COMMAND) !== 0 && { trigger: 'command' as const }),
    ...(frameLength > 0 && {
      frame: Uint8Array.from(slot.subarray(AT.reading.frame, AT.reading.frame + frameLength)),
    }),
  };
}

/** `ownEpoch` is not written out: most gap records speak of the epoch that they lie in. */
export function encodeGap(entry: StoredGap, ownEpoch: string): Buffer {
  const { gap } = entry;
  const slot = newSlot(GAP, entry.seq);
  const epoch = gap.ofEpoch === ownEpoch ? '' : gap.ofEpoch;
  slot.writeUInt8(GAP_REASONS.indexOf(gap.reason), AT.flags);
  slot.writeUIntLE(entry.tsMs, AT.tsMs, NUMBER_BYTES);
  slot.writeUIntLE(gap.from, AT.gap.from, NUMBER_BYTES);
  slot.writeUIntLE(gap.to ?? ABSENT, AT.gap.to, NUMBER_BYTES);
  slot.writeUIntLE(gap.count ?? ABSENT, AT.gap.count, NUMBER_BYTES);
  slot.writeUIntLE(gap.fromTsMs ?? ABSENT, AT.gap.fromTsMs, NUMBER_BYTES);
  slot.writeUIntLE(gap.toTsMs ?? ABSENT, AT.gap.toTsMs, NUMBER_BYTES);
  slot.writeUInt8((entry.level << 4) | epoch.length, AT.gap.levelAndLength);
  slot.write(epoch, AT.gap.epoch, MAX_EPOCH_LENGTH, 'latin1');
  return slot;
}

export function decodeGap(slot: Buffer, ownEpoch: string): StoredGap {
  const levelAndLength = slot.readUInt8(AT.gap.levelAndLength);
  const epochEnd = AT.gap.epoch + (levelAndLength & 0xf);
  const to = optionalNumber(slot, AT.gap.to);
  const count = optionalNumber(slot, AT.gap.count);
  const fromTsMs = optionalNumber(slot, AT.gap.fromTsMs);
  const toTsMs = optionalNumber(slot, AT.gap.toTsMs);
  const gap: Gap = {
    ofEpoch: epochEnd === AT.gap.epoch ? ownEpoch : slot.toString('latin1', AT.gap.epoch, epochEnd),
    from: slot.readUIntLE(AT.gap.from, NUMBER_BYTES),
    ...(to !== undefined && { to }),
    ...(count !== undefined && { count }),
    reason: GAP_REASONS[slot.readUInt8(AT.flags)] ?? 'damaged',
    ...(fromTsMs !== undefined && { fromTsMs }),
    ...(toTsMs !== undefined && { toTsMs }),
  };
  const tsMs = slot.readUIntLE(AT.tsMs, NUMBER_BYTES);
  return { kind: 'gap', seq: recordSeq(slot), gap, tsMs, level: levelAndLength >> 4 };
}

/** `bootId` of the settlement is the boot's key. */
export function encodeSettlement(settlement: StoredSettlement): Buffer {
  const slot = newSlot(SETTLEMENT, settlement.uptoSeq);
  const { wallMinusMonotonicMs } = settlement;
  const asStamped = wallMinusMonotonicMs === 'as-stamped';
  slot.writeUInt8(
    (settlement.state === 'unsynced' ? SETTLED_UNSYNCED : 0) | (asStamped ? SETTLED_AS_STAMPED : 0),
    AT.flags,
  );
  slot.writeDoubleLE(asStamped ? 0 : wallMinusMonotonicMs, AT.settlement.wallMinusMonotonicMs);
  encodeBootKey(slot, AT.settlement.bootId, settlement.bootId);
  return slot;
}

export function decodeSettlement(slot: Buffer): StoredSettlement {
  const flags = slot.readUInt8(AT.flags);
  return {
    bootId: decodeBootKey(slot, AT.settlement.bootId),
    uptoSeq: recordSeq(slot),
    wallMinusMonotonicMs:
      (flags & SETTLED_AS_STAMPED) === 0 ? slot.readDoubleLE(AT.settlement.wallMinusMonotonicMs) : 'as-stamped',
    state: (flags & SETTLED_UNSYNCED) === 0 ? 'synced' : 'unsynced',
  };
}

/** Says that the segment goes on in its successor. A last segment that ends so has lost its successor. */
export function encodeEnd(lastSeq: number): Buffer {
  return newSlot(END, lastSeq);
}

function newSlot(kind: number, seq: number): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt8(kind, AT.kind);
  slot.writeUIntLE(seq, AT.seq, NUMBER_BYTES);
  return slot;
}

function checksum(slot: Buffer, seed: number, slotIndex: number): number {
  return crc32(slot.subarray(AT.kind, SLOT_BYTES), (seed ^ slotIndex) >>> 0);
}

function optionalNumber(slot: Buffer, offset: number): number | undefined {
  const value = slot.readUIntLE(offset, NUMBER_BYTES);
  return value === ABSENT ? undefined : value;
}

function encodeBootKey(slot: Buffer, offset: number, bootKey: string): void {
  slot.write(bootKey.replaceAll('-', ''), offset, 16, 'hex');
}

function decodeBootKey(slot: Buffer, offset: number): string {
  const hex = slot.toString('hex', offset, offset + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
