import {
  encodeBacklog,
  encodeGapRecord,
  encodeReading,
  type GapRecord,
  type Reading,
} from '../../../../contract/reading.ts';
import type { BadItem, IngestBatch, ItemsMessage } from '../../ingest-store.ts';
import type { Database } from '../database.ts';
import { FLAG_ON_DEMAND, FLAG_UNSYNCED } from '../read/readings.ts';
import type { CommitResultBuilder } from './commit-result.ts';
import type { KnownDevice, KnownDevices, Registry } from './devices.ts';
import type { LatestWriter } from './latest.ts';
import { isForQuarantine, type Quarantine } from './quarantine.ts';
import { type RejectedRanges, type Rejects, rejectionOf } from './rejects.ts';
import type { Rollups } from './rollups.ts';

/** Readings of older agents: no epoch, no number. */
const NO_EPOCH_ID = 0;
const NO_SEQ = 0;

interface StoredValues {
  readonly temperature: number;
  readonly humidity: number;
}

interface GapRow {
  readonly ofEpoch: string;
  readonly fromSeq: number;
  readonly toSeq: number | null;
  readonly count: number | null;
  readonly reason: string;
}

/** Readings and gap records of one message. `step` is told which item comes next, for blame. */
export type KeepItems = (
  message: ItemsMessage,
  batch: Omit<IngestBatch, 'messages'>,
  result: CommitResultBuilder,
  step: (item: number | undefined) => void,
) => void;

/** One item of a known device: from a message, or out of quarantine. */
export interface ItemArrival {
  readonly message: Pick<ItemsMessage, 'topic' | 'homeId' | 'deviceUid' | 'receivedMs'>;
  readonly device: KnownDevice;
  readonly item: Reading | GapRecord;
  readonly isLive: boolean;
  readonly isLate?: boolean;
}
export type KeepOne = (arrival: ItemArrival, result: CommitResultBuilder) => void;

export interface ReadingWriter {
  readonly keepItems: KeepItems;
  readonly keepOne: KeepOne;
}

const BACKLOG = '/backlog';

export function createReadingWriter(
  db: Database,
  {
    known,
    registry,
    rollups,
    rejects,
    newest,
    quarantine,
    ranges,
  }: {
    readonly known: KnownDevices;
    readonly registry: Registry;
    readonly rollups: Rollups;
    readonly rejects: Rejects;
    readonly newest: LatestWriter;
    readonly quarantine: Quarantine;
    readonly ranges: RejectedRanges;
  },
): ReadingWriter {
  const insertReading = db.prepare<[number, number, number, number, number, number, number]>(`
    INSERT INTO readings (device_id, ts_ms, epoch_id, seq, temperature, humidity, flags) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`);
  const selectReading = db.prepare<[number, number, number, number], StoredValues>(`
    SELECT temperature, humidity FROM readings WHERE device_id = ? AND ts_ms = ? AND epoch_id = ? AND seq = ?`);
  const correctReading = db.prepare<[number, number, number, number, number, number, number]>(`
    UPDATE readings SET temperature = ?, humidity = ?, flags = ?
    WHERE device_id = ? AND ts_ms = ? AND epoch_id = ? AND seq = ?`);
  const insertGap = db.prepare<(string | number | null)[]>(`
    INSERT INTO gaps (device_id, epoch_id, seq, ts_ms, of_epoch, from_seq, to_seq, count, reason, from_ts_ms, to_ts_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
  const selectGap = db.prepare<[number, number], GapRow>(`
    SELECT of_epoch AS ofEpoch, from_seq AS fromSeq, to_seq AS toSeq, count, reason FROM gaps
    WHERE epoch_id = ? AND seq = ?`);

  /** The number itself is stored; that it came with something else is noted for when the rejected message is trimmed. */
  const conflict = (
    { message, device }: ItemArrival,
    { epochId, seq }: { readonly epochId: number; readonly seq: number },
    result: CommitResultBuilder,
    { detail, content }: { readonly detail: string; readonly content: string },
  ): void => {
    rejects.keep(message, message.deviceUid, rejectionOf('conflict', detail, content));
    ranges.add(device.id, epochId, seq, 'conflict', message.receivedMs);
    result.rejected('conflict');
  };

  const keepReading = (arrival: ItemArrival, reading: Reading, result: CommitResultBuilder): void => {
    const { message, device, isLive, isLate } = arrival;
    const { temperatureCelsius, humidityPercent, tsMs, epoch } = reading;
    const epochId = epoch === undefined ? NO_EPOCH_ID : known.epochId(device, epoch, message.receivedMs);
    const seq = epoch === undefined ? NO_SEQ : numberOf(reading);
    const flags =
      (reading.clock === 'unsynced' ? FLAG_UNSYNCED : 0) | (reading.trigger === 'command' ? FLAG_ON_DEMAND : 0);
    const isNew =
      insertReading.run(device.id, tsMs, epochId, seq, temperatureCelsius, humidityPercent, flags).changes > 0;
    if (epoch !== undefined) result.receipt(message.homeId, device.uid, epoch, seq);
    if (isNew) {
      result.counts.stored += 1;
      rollups.add(device.id, tsMs, temperatureCelsius, humidityPercent);
    } else {
      const stored = selectReading.get(device.id, tsMs, epochId, seq);
      if (stored?.temperature === temperatureCelsius && stored.humidity === humidityPercent) {
        result.counts.duplicates += 1;
        return;
      }
      if (epochId !== NO_EPOCH_ID) {
        const detail = `epoch ${String(epoch)} seq ${seq} is stored with ${String(stored?.temperature)} °C, ${String(stored?.humidity)} %`;
        conflict(arrival, { epochId, seq }, result, { detail, content: encodeReading(reading) });
        return;
      }
      correctReading.run(temperatureCelsius, humidityPercent, flags, device.id, tsMs, epochId, seq);
      result.counts.corrected += 1;
      rollups.recompute(device.id, tsMs);
    }
    const { receivedMs } = message;
    newest.note(
      device,
      { reading, epochId, seq, flags, receivedMs, isLive, ...(isLate === true && { isLate }) },
      result,
    );
  };

  const keepGap = (arrival: ItemArrival, record: GapRecord, result: CommitResultBuilder): void => {
    const { message, device } = arrival;
    const { gap, tsMs, epoch, seq } = record;
    const epochId = known.epochId(device, epoch, message.receivedMs);
    const row: GapRow = {
      ofEpoch: gap.ofEpoch,
      fromSeq: gap.from,
      toSeq: gap.to ?? null,
      count: gap.count ?? null,
      reason: gap.reason,
    };
    const isNew =
      insertGap.run(
        device.id,
        epochId,
        seq,
        tsMs,
        row.ofEpoch,
        row.fromSeq,
        row.toSeq,
        row.count,
        row.reason,
        gap.fromTsMs ?? null,
        gap.toTsMs ?? null,
      ).changes > 0;
    result.receipt(message.homeId, device.uid, epoch, seq);
    if (isNew) {
      result.counts.gaps += 1;
      result.gapCame(device.uid);
      return;
    }
    const stored = selectGap.get(epochId, seq);
    if (stored !== undefined && isSameGap(stored, row)) result.counts.duplicates += 1;
    else {
      const detail = `epoch ${epoch} seq ${seq} is another gap record`;
      conflict(arrival, { epochId, seq }, result, { detail, content: encodeGapRecord(record) });
    }
  };

  const keepOne: KeepOne = (arrival, result) => {
    const { item } = arrival;
    if ('gap' in item) keepGap(arrival, item, result);
    else keepReading(arrival, item, result);
  };

  const reject = (message: ItemsMessage, bad: BadItem, result: CommitResultBuilder): void => {
    rejects.keep(message, message.deviceUid, bad);
    result.rejected(bad.reason);
  };

  const keepBad = (
    message: ItemsMessage,
    device: KnownDevice,
    bad: BadItem,
    { batch, result }: { readonly batch: Omit<IngestBatch, 'messages'>; readonly result: CommitResultBuilder },
  ): void => {
    const { epoch, seq, reason } = bad;
    const receipt = (): void => {
      if (epoch !== undefined && seq !== undefined) result.receipt(message.homeId, device.uid, epoch, seq);
    };
    if (isForQuarantine(bad)) {
      const fate = quarantine.keep(message, device, bad, batch);
      if (fate === 'kept') result.quarantined();
      else if (fate === 'known') result.counts.duplicates += 1;
      // No room: the device keeps it, and sends it again.
      else reject(message, bad, result);
      if (fate !== 'full') receipt();
      return;
    }
    reject(message, bad, result);
    if (epoch === undefined || seq === undefined) return;
    if (ranges.add(device.id, known.epochId(device, epoch, message.receivedMs), seq, reason, message.receivedMs))
      receipt();
  };

  const keepItems: KeepItems = (message, batch, result, step) => {
    const { items, bad, deviceUid, homeId, receivedMs } = message;
    const saysSomething =
      items.length > 0 || bad.some((one) => isForQuarantine(one) || (one.epoch !== undefined && one.seq !== undefined));
    if (!saysSomething) {
      for (const one of bad) reject(message, one, result);
      return;
    }
    const admitted = registry.admit({ uid: deviceUid, homeId, receivedMs }, batch.registration, result);
    if (typeof admitted === 'string') {
      const detail = `${items.length + bad.length} items of device ${deviceUid}`;
      rejects.keep(message, deviceUid, rejectionOf(admitted, detail, encodeBacklog(items)));
      result.rejected(admitted);
      return;
    }
    const { device, isNew } = admitted;
    if (isNew) registry.standWhereItSays(device, Math.min(items[0]?.tsMs ?? receivedMs, receivedMs));
    const isLive = !message.topic.endsWith(BACKLOG) && message.isRetained !== true;
    for (const [index, item] of items.entries()) {
      step(index);
      keepOne({ message, device, item, isLive }, result);
    }
    step(undefined);
    for (const one of bad) keepBad(message, device, one, { batch, result });
    if (message.isRetained !== true) newest.heard(device, receivedMs);
  };
  return { keepItems, keepOne };
}

function numberOf({ seq, epoch }: Reading): number {
  if (seq === undefined) throw new TypeError(`a reading of epoch ${String(epoch)} has no seq`);
  return seq;
}

function isSameGap(one: GapRow, other: GapRow): boolean {
  return (
    one.ofEpoch === other.ofEpoch &&
    one.fromSeq === other.fromSeq &&
    one.toSeq === other.toSeq &&
    one.count === other.count &&
    one.reason === other.reason
  );
}
