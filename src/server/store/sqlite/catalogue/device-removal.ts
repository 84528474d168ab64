import type { Database } from '../database.ts';

/** Takes readings and whole devices out of the record. Inside the caller's transaction. */
export interface DeviceRemoval {
  readingsOf(deviceId: number): number;
  /** Everything of it, with the device itself. */
  removeAll(deviceId: number, uid: string): void;
  /** Readings and gap records from an instant on; roll-ups and the newest reading follow. */
  removeSince(deviceId: number, fromMs: number): void;
}

const HOUR_MS = 3_600_000;

export function createDeviceRemoval(db: Database): DeviceRemoval {
  const count = db.prepare<[number]>('SELECT coalesce(sum(count), 0) FROM rollups_hourly WHERE device_id = ?').pluck();
  const ofDevice = [
    'DELETE FROM readings WHERE device_id = ?',
    'DELETE FROM rollups_hourly WHERE device_id = ?',
    'DELETE FROM latest WHERE device_id = ?',
    'DELETE FROM intervals WHERE device_id = ?',
    'DELETE FROM gaps WHERE device_id = ?',
    'DELETE FROM quarantine WHERE device_id = ?',
    'DELETE FROM rejected_ranges WHERE epoch_id IN (SELECT id FROM epochs WHERE device_id = ?)',
    'DELETE FROM gap_dismissals WHERE epoch_id IN (SELECT id FROM epochs WHERE device_id = ?)',
    'DELETE FROM epochs WHERE device_id = ?',
    'DELETE FROM placements WHERE device_id = ?',
    'DELETE FROM devices WHERE id = ?',
  ].map((sql) => db.prepare<[number]>(sql));
  const removeRejected = db.prepare<[string]>('DELETE FROM rejected WHERE device_uid = ?');
  const removeReadings = db.prepare<[number, number]>('DELETE FROM readings WHERE device_id = ? AND ts_ms >= ?');
  const removeGaps = db.prepare<[number, number]>('DELETE FROM gaps WHERE device_id = ? AND ts_ms >= ?');
  const removeQuarantine = db.prepare<[number, number]>(
    'DELETE FROM quarantine WHERE device_id = ? AND received_ms >= ?',
  );
  const removeHours = db.prepare<[number, number]>('DELETE FROM rollups_hourly WHERE device_id = ? AND hour_ms >= ?');
  const sumHour = db.prepare<number[]>(`
    INSERT INTO rollups_hourly (device_id, hour_ms, count, temperature_sum, temperature_min, temperature_max,
      humidity_sum, humidity_min, humidity_max)
    SELECT ?, ?, count(*), sum(temperature), min(temperature), max(temperature), sum(humidity), min(humidity), max(humidity)
    FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ? HAVING count(*) > 0`);
  const removeLatest = db.prepare<[number, number]>('DELETE FROM latest WHERE device_id = ? AND ts_ms >= ?');
  const restoreLatest = db.prepare<[number]>(`
    INSERT INTO latest (device_id, ts_ms, epoch_id, seq, temperature, humidity, flags, seen_ms)
    SELECT device_id, ts_ms, epoch_id, seq, temperature, humidity, flags, ts_ms FROM readings
    WHERE device_id = ? ORDER BY ts_ms DESC, epoch_id DESC, seq DESC LIMIT 1`);

  return {
    readingsOf: (deviceId) => count.get(deviceId) as number,
    removeAll(deviceId, uid) {
      for (const statement of ofDevice) statement.run(deviceId);
      removeRejected.run(uid);
    },
    removeSince(deviceId, fromMs) {
      const hourMs = Math.floor(fromMs / HOUR_MS) * HOUR_MS;
      removeReadings.run(deviceId, fromMs);
      removeGaps.run(deviceId, fromMs);
      removeQuarantine.run(deviceId, fromMs);
      removeHours.run(deviceId, hourMs);
      sumHour.run(deviceId, hourMs, deviceId, hourMs, hourMs + HOUR_MS);
      if (removeLatest.run(deviceId, fromMs).changes > 0) restoreLatest.run(deviceId);
    },
  };
}
