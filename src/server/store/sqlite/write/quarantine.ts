import { createHash } from 'node:crypto';
import { decodeItem, type GapRecord, type Reading } from '../../../../contract/reading.ts';
import type { BadItem, IngestBatch, ItemsMessage } from '../../ingest-store.ts';
import type { Database } from '../database.ts';
import type { KnownDevice, KnownDevices } from './devices.ts';
import type { RejectedRanges } from './rejects.ts';

/** `full`: there is no room, so it must not be receipted. `known`: it is on disk already, there or among the readings. */
export type Quarantining = 'kept' | 'known' | 'full';

/** What has to wait: kept whole, once, never trimmed. */
export interface Quarantine {
  keep(message: ItemsMessage, device: KnownDevice, bad: BadItem, batch: QuarantineBatch): Quarantining;
  forget(): void;
}

export type QuarantineBatch = Pick<IngestBatch, 'maxQuarantine' | 'time'>;

/** Of 300 bytes each it is some 300 MB; 12 days of a reading a second. */
export const MAX_QUARANTINE = 1_000_000;
/** The reason of numbers that a person dropped. */
export const DROPPED = 'dropped';
const DIGEST_HEX_DIGITS = 32;

export function createQuarantine(db: Database, known: KnownDevices, ranges: RejectedRanges): Quarantine {
  /** Rows of the table, as far as known. */
  let count: number | undefined;
  const insert = db.prepare<(string | number | null)[]>(`
    INSERT INTO quarantine (device_id, epoch_id, seq, digest, ts_ms, reason, detail, topic, item, received_ms, boot, monotonic_ms, was_confirmed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
  const selectCount = db.prepare<[], number>('SELECT count(*) FROM quarantine').pluck();
  const has = db
    .prepare<[number, number, number, string], number>(
      'SELECT 1 FROM quarantine WHERE device_id = ? AND epoch_id = ? AND seq = ? AND digest = ?',
    )
    .pluck();
  const isStored = db
    .prepare<[number, number, number, number, number, number], number>(`
      SELECT 1 FROM readings
      WHERE device_id = ? AND ts_ms = ? AND epoch_id = ? AND seq = ? AND temperature = ? AND humidity = ?`)
    .pluck();

  const isReading = (device: KnownDevice, epochId: number, seq: number, { payload }: BadItem): boolean => {
    const item = itemIn(payload);
    if (item === undefined || 'gap' in item) return false;
    const { tsMs, temperatureCelsius, humidityPercent } = item;
    return isStored.get(device.id, tsMs, epochId, seq, temperatureCelsius, humidityPercent) !== undefined;
  };

  return {
    keep({ topic, receivedMs }, device, bad, { maxQuarantine = MAX_QUARANTINE, time }) {
      const { reason, detail, payload, epoch, seq = 0, tsMs } = bad;
      const epochId = epoch === undefined ? 0 : known.epochId(device, epoch, receivedMs);
      const digest = digestOf(payload);
      if (has.get(device.id, epochId, seq, digest) !== undefined) return 'known';
      if (epochId !== 0 && ranges.has(epochId, seq, DROPPED)) return 'known';
      if (isReading(device, epochId, seq, bad)) return 'known';
      count ??= selectCount.get() ?? 0;
      if (count >= maxQuarantine) return 'full';
      const { bootId = '', wallMinusMonotonicMs = 0, isConfirmed = false } = time ?? {};
      const monotonicMs = receivedMs - wallMinusMonotonicMs;
      const arrival = [receivedMs, bootId, monotonicMs, isConfirmed ? 1 : 0];
      insert.run(device.id, epochId, seq, digest, tsMs ?? null, reason, detail, topic, payload, ...arrival);
      count += 1;
      return 'kept';
    },
    forget() {
      count = undefined;
    },
  };
}

/** Whether it may wait: it is whole, and somebody could say which reading it is. */
export function isForQuarantine({ reason, payload, payloadBytes, epoch, seq }: BadItem): boolean {
  if (reason !== 'bad-time' && reason !== 'bad-shape') return false;
  const isNumbered = epoch !== undefined && seq !== undefined;
  return (isNumbered || reason === 'bad-time') && Buffer.byteLength(payload) === payloadBytes;
}

/** What an item says, where this version understands it. */
export function itemIn(json: string): Reading | GapRecord | undefined {
  try {
    return decodeItem(JSON.parse(json));
  } catch {
    return undefined;
  }
}

function digestOf(item: string): string {
  return createHash('sha256').update(item).digest('hex').slice(0, DIGEST_HEX_DIGITS);
}
