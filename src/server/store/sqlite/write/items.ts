import {
  encodeBacklog,
  encodeGapRecord,
  encodeReading,
  type GapRecord,
  type Reading,
} from '../../../../contract/reading.ts';
import type { BadItem, ItemsMessage, Registration } from '../../ingest-store.ts';
import type { Database } from '../database.ts';
import { FLAG_ON_DEMAND, FLAG_UNSYNCED } from '../read/reading-flags.ts';
import type { KnownDevice, KnownDevices } from './known-devices.ts';
import type { NewestKeeper } from './newest.ts';
import type { Outcome } from './outcome.ts';
import type { Registry } from './registration.ts';
import { type Rejects, rejectionOf } from './rejects.ts';
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
export type ItemKeeper = (
  message: ItemsMessage,
  registration: Registration,
  outcome: Outcome,
  step: (item: number | undefined) => void,
) => void;

export function createItemKeeper(
  db: Database,
  {
    known,
    registry,
    rollups,
    rejects,
    newest,
  }: {
    readonly known: KnownDevices;
    readonly registry: Registry;
    readonly rollups: Rollups;
    readonly rejects: Rejects;
    readonly newest: NewestKeeper;
  },
): ItemKeeper {
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

  const conflict = (message: ItemsMessage, outcome: Outcome, detail: string, content: string): void => {
    rejects.keep(message, message.deviceUid, rejectionOf('conflict', detail, content));
    outcome.rejected('conflict');
  };

  const keepReading = (message: ItemsMessage, device: KnownDevice, reading: Reading, outcome: Outcome): void => {
    const { temperatureCelsius, humidityPercent, tsMs, epoch } = reading;
    const epochId = epoch === undefined ? NO_EPOCH_ID : known.epochId(device, epoch, message.receivedMs);
    const seq = epoch === undefined ? NO_SEQ : numberOf(reading);
    const flags =
      (reading.clock === 'unsynced' ? FLAG_UNSYNCED : 0) | (reading.trigger === 'command' ? FLAG_ON_DEMAND : 0);
    const isNew =
      insertReading.run(device.id, tsMs, epochId, seq, temperatureCelsius, humidityPercent, flags).changes > 0;
    if (epoch !== undefined) outcome.receipt(message.homeId, device.uid, epoch, seq);
    if (isNew) {
      outcome.counts.stored += 1;
      rollups.add(device.id, tsMs, temperatureCelsius, humidityPercent);
    } else {
      const stored = selectReading.get(device.id, tsMs, epochId, seq);
      if (stored?.temperature === temperatureCelsius && stored.humidity === humidityPercent) {
        outcome.counts.duplicates += 1;
        return;
      }
      if (epochId !== NO_EPOCH_ID) {
        const detail = `epoch ${String(epoch)} seq ${seq} is stored with ${String(stored?.temperature)} °C, ${String(stored?.humidity)} %`;
        conflict(message, outcome, detail, encodeReading(reading));
        return;
      }
      correctReading.run(temperatureCelsius, humidityPercent, flags, device.id, tsMs, epochId, seq);
      outcome.counts.corrected += 1;
      rollups.recompute(device.id, tsMs);
    }
    newest.note(device, { reading, epochId, seq, flags, receivedMs: message.receivedMs }, outcome);
  };

  const keepGap = (message: ItemsMessage, device: KnownDevice, record: GapRecord, outcome: Outcome): void => {
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
    outcome.receipt(message.homeId, device.uid, epoch, seq);
    if (isNew) {
      outcome.counts.gaps += 1;
      outcome.gapCame(device.uid);
      return;
    }
    const stored = selectGap.get(epochId, seq);
    if (stored !== undefined && isSameGap(stored, row)) outcome.counts.duplicates += 1;
    else conflict(message, outcome, `epoch ${epoch} seq ${seq} is another gap record`, encodeGapRecord(record));
  };

  const keepBad = (message: ItemsMessage, device: KnownDevice | undefined, bad: BadItem, outcome: Outcome): void => {
    rejects.keep(message, message.deviceUid, bad);
    outcome.rejected(bad.reason);
    if (device === undefined || bad.epoch === undefined || bad.seq === undefined) return;
    rejects.keepNumber(known.epochId(device, bad.epoch, message.receivedMs), bad.seq, bad.reason);
    outcome.receipt(message.homeId, device.uid, bad.epoch, bad.seq);
  };

  return (message, registration, outcome, step) => {
    const { items, bad, deviceUid, homeId, receivedMs } = message;
    const saysSomething = items.length > 0 || bad.some(({ epoch, seq }) => epoch !== undefined && seq !== undefined);
    if (!saysSomething) {
      for (const one of bad) keepBad(message, undefined, one, outcome);
      return;
    }
    const admitted = registry.admit({ uid: deviceUid, homeId, receivedMs }, registration, outcome);
    if (typeof admitted === 'string') {
      const detail = `${items.length + bad.length} items of device ${deviceUid}`;
      rejects.keep(message, deviceUid, rejectionOf(admitted, detail, encodeBacklog(items)));
      outcome.rejected(admitted);
      return;
    }
    const { device, isNew } = admitted;
    if (isNew) registry.standWhereItSays(device, Math.min(items[0]?.tsMs ?? receivedMs, receivedMs));
    for (const [index, item] of items.entries()) {
      step(index);
      if ('gap' in item) keepGap(message, device, item, outcome);
      else keepReading(message, device, item, outcome);
    }
    step(undefined);
    for (const one of bad) keepBad(message, device, one, outcome);
  };
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
