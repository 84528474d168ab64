import type { Reading } from '../../../../contract/reading.ts';
import type { StoredReading } from '../../stored.ts';
import type { Database } from '../database.ts';
import type { CommitResultBuilder } from './commit-result.ts';
import type { KnownDevice, NewestReading } from './devices.ts';

/** A reading as it has just been stored. */
export interface Arrival {
  readonly reading: Reading;
  readonly epochId: number;
  readonly seq: number;
  readonly flags: number;
  readonly receivedMs: number;
  /** Came when it was measured, as far as its topic says; a backlog did not. */
  readonly isLive: boolean;
  /** From the quarantine: may be the newest, but is not announced as such. */
  readonly isLate?: boolean;
}

/**
 * The newest reading of each device: noted during a batch, written once per device at its end. What is ahead of this server's clock
 * is ordered by when it came, so that a wrong clock on either side holds nothing up.
 */
export interface LatestWriter {
  note(device: KnownDevice, arrival: Arrival, result: CommitResultBuilder): void;
  /** Something of the device came, whatever became of it. */
  heard(device: KnownDevice, receivedMs: number): void;
  /** @returns what became the newest, with its room */
  write(): readonly StoredReading[];
  forget(): void;
}

/** Two clocks that are set differ by less. */
const AHEAD_MS = 60_000;

export function createLatestWriter(db: Database): LatestWriter {
  const arrived = new Map<KnownDevice, Arrival>();
  const heard = new Map<KnownDevice, number>();
  const upsert = db.prepare<(number | null)[]>(`
    INSERT INTO latest (device_id, ts_ms, epoch_id, seq, temperature, humidity, flags, seen_ms, heard_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (device_id) DO UPDATE SET ts_ms = excluded.ts_ms, epoch_id = excluded.epoch_id, seq = excluded.seq,
      temperature = excluded.temperature, humidity = excluded.humidity, flags = excluded.flags, seen_ms = excluded.seen_ms,
      heard_ms = coalesce(excluded.heard_ms, heard_ms)`);
  const updateHeard = db.prepare<[number, number]>('UPDATE latest SET heard_ms = ? WHERE device_id = ?');
  const selectRoom = db
    .prepare<[number, number, number]>(`
      SELECT r.uid FROM placements p JOIN rooms r ON r.id = p.room_id
      WHERE p.device_id = ? AND p.from_ms <= ? AND (p.to_ms IS NULL OR p.to_ms > ?) ORDER BY p.from_ms DESC LIMIT 1`)
    .pluck();

  const roomAt = (device: KnownDevice, tsMs: number): string | null => {
    if (device.open !== null && tsMs >= device.open.fromMs) return device.open.roomUid;
    return (selectRoom.get(device.id, tsMs, tsMs) as string | undefined) ?? null;
  };
  const storedReading = (device: KnownDevice, { reading }: Arrival): StoredReading => ({
    deviceUid: device.uid,
    roomUid: roomAt(device, reading.tsMs),
    tsMs: reading.tsMs,
    temperatureCelsius: reading.temperatureCelsius,
    humidityPercent: reading.humidityPercent,
    epoch: reading.epoch ?? null,
    seq: reading.seq ?? null,
    isUnsynced: reading.clock === 'unsynced',
    isOnDemand: reading.trigger === 'command',
  });

  return {
    note(device, arrival, result) {
      const { reading, epochId, seq, receivedMs } = arrival;
      const before = device.newest;
      const wasAhead = device.isAhead;
      if (arrival.isLive) device.isAhead = isAhead(reading.tsMs, receivedMs);
      if (before !== null && !isNewer(arrival, before, wasAhead)) {
        result.history(device.uid, reading.tsMs);
        return;
      }
      const overtaken = arrived.get(device);
      const isSame = overtaken?.reading.tsMs === reading.tsMs && overtaken.epochId === epochId && overtaken.seq === seq;
      if (overtaken !== undefined && !isSame) result.history(device.uid, overtaken.reading.tsMs);
      if (arrival.isLate === true) result.history(device.uid, reading.tsMs);
      arrived.set(device, arrival);
      const seenMs = Math.min(reading.tsMs, receivedMs);
      // Never goes back, unless this server's clock was set back.
      const isBack = before !== null && before.seenMs > receivedMs + AHEAD_MS;
      device.newest = {
        tsMs: reading.tsMs,
        epochId,
        seq,
        seenMs: isBack ? seenMs : Math.max(before?.seenMs ?? 0, seenMs),
      };
    },
    heard(device, receivedMs) {
      heard.set(device, receivedMs);
    },
    write() {
      const newest: StoredReading[] = [];
      for (const [device, arrival] of arrived) {
        const { reading, epochId, seq, flags, isLate } = arrival;
        const { tsMs, temperatureCelsius, humidityPercent } = reading;
        const seenMs = device.newest?.seenMs ?? tsMs;
        const heardMs = heard.get(device) ?? null;
        upsert.run(device.id, tsMs, epochId, seq, temperatureCelsius, humidityPercent, flags, seenMs, heardMs);
        heard.delete(device);
        if (isLate !== true) newest.push(storedReading(device, arrival));
      }
      for (const [device, receivedMs] of heard) updateHeard.run(receivedMs, device.id);
      return newest;
    },
    forget() {
      arrived.clear();
      heard.clear();
    },
  };
}

function isAhead(tsMs: number, atMs: number): boolean {
  return tsMs > atMs + AHEAD_MS;
}

function isNewer(arrival: Arrival, before: NewestReading, wasAhead: boolean): boolean {
  const { reading, epochId, seq, receivedMs, isLive } = arrival;
  // The newest lies ahead of this clock: the clock has been set back since it came.
  if (before.seenMs > receivedMs + AHEAD_MS && isLive) return true;
  const isBeforeAhead = isAhead(before.tsMs, before.seenMs);
  if (isAhead(reading.tsMs, receivedMs)) {
    // One that is ahead among others that are not is a slip; the next one shows whether the clock of the device is wrong.
    if (!isBeforeAhead && !(wasAhead && isLive)) return false;
    if (isLive) return receivedMs > before.seenMs || reading.tsMs >= before.tsMs;
    return isBeforeAhead && reading.tsMs >= before.tsMs;
  }
  if (isBeforeAhead) return isLive ? receivedMs >= before.seenMs : reading.tsMs > before.seenMs;
  if (reading.tsMs !== before.tsMs) return reading.tsMs > before.tsMs;
  return epochId !== before.epochId ? epochId > before.epochId : seq >= before.seq;
}
