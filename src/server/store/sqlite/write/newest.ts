import type { Reading } from '../../../../contract/reading.ts';
import type { StoredReading } from '../../stored.ts';
import type { Database } from '../database.ts';
import type { KnownDevice, NewestReading } from './known-devices.ts';
import type { Outcome } from './outcome.ts';

/** A reading as it has just been stored. */
export interface Arrival {
  readonly reading: Reading;
  readonly epochId: number;
  readonly seq: number;
  readonly flags: number;
  readonly receivedMs: number;
}

/** The newest reading of each device: noted during a batch, written once per device at its end. Never goes back. */
export interface NewestKeeper {
  note(device: KnownDevice, arrival: Arrival, outcome: Outcome): void;
  /** @returns what became the newest, with its room */
  write(): readonly StoredReading[];
  forget(): void;
}

export function createNewestKeeper(db: Database): NewestKeeper {
  const arrived = new Map<KnownDevice, Arrival>();
  const upsert = db.prepare<number[]>(`
    INSERT INTO latest (device_id, ts_ms, epoch_id, seq, temperature, humidity, flags, seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (device_id) DO UPDATE SET ts_ms = excluded.ts_ms, epoch_id = excluded.epoch_id, seq = excluded.seq,
      temperature = excluded.temperature, humidity = excluded.humidity, flags = excluded.flags, seen_ms = excluded.seen_ms`);
  const selectRoom = db
    .prepare<[number, number, number]>(`
      SELECT r.uid FROM placements p JOIN rooms r ON r.id = p.room_id
      WHERE p.device_id = ? AND p.from_ms <= ? AND (p.to_ms IS NULL OR p.to_ms > ?) ORDER BY p.from_ms DESC LIMIT 1`)
    .pluck();

  const roomAt = (device: KnownDevice, tsMs: number): string | null => {
    if (device.open !== null && tsMs >= device.open.fromMs) return device.open.roomUid;
    return (selectRoom.get(device.id, tsMs, tsMs) as string | undefined) ?? null;
  };

  return {
    note(device, arrival, outcome) {
      const { reading, epochId, seq, receivedMs } = arrival;
      const before = device.newest;
      if (before !== null && isOlder(arrival, before)) {
        outcome.history(device.uid, reading.tsMs);
        return;
      }
      const overtaken = arrived.get(device);
      const isSame = overtaken?.reading.tsMs === reading.tsMs && overtaken.epochId === epochId && overtaken.seq === seq;
      if (overtaken !== undefined && !isSame) outcome.history(device.uid, overtaken.reading.tsMs);
      arrived.set(device, arrival);
      const seenMs = Math.max(before?.seenMs ?? 0, Math.min(reading.tsMs, receivedMs));
      device.newest = { tsMs: reading.tsMs, epochId, seq, seenMs };
    },
    write() {
      return Array.from(arrived, ([device, { reading, epochId, seq, flags }]): StoredReading => {
        const { tsMs, temperatureCelsius, humidityPercent } = reading;
        const seenMs = device.newest?.seenMs ?? tsMs;
        upsert.run(device.id, tsMs, epochId, seq, temperatureCelsius, humidityPercent, flags, seenMs);
        return {
          deviceUid: device.uid,
          roomUid: roomAt(device, tsMs),
          tsMs,
          temperatureCelsius,
          humidityPercent,
          epoch: reading.epoch ?? null,
          seq: reading.seq ?? null,
          isUnsynced: reading.clock === 'unsynced',
          isOnDemand: reading.trigger === 'command',
        };
      });
    },
    forget: () => arrived.clear(),
  };
}

function isOlder({ reading, epochId, seq }: Arrival, newest: NewestReading): boolean {
  if (reading.tsMs !== newest.tsMs) return reading.tsMs < newest.tsMs;
  return epochId !== newest.epochId ? epochId < newest.epochId : seq < newest.seq;
}
