import type { DeviceStatus } from '../../../../contract/status.ts';
import type { Device, DeviceState, Placement } from '../../stored.ts';
import type { Database } from '../database.ts';
import { FLAG_ON_DEMAND, FLAG_UNSYNCED } from '../read/readings.ts';

interface DeviceRow {
  readonly uid: string;
  readonly homeUid: string | null;
  readonly label: string | null;
  readonly model: string | null;
  readonly state: DeviceState;
  readonly createdMs: number;
  readonly presence: Device['presence'];
  readonly presenceMs: number | null;
  readonly statusJson: string | null;
  readonly statusMs: number | null;
  readonly roomUid: string | null;
  readonly roomName: string;
  readonly tsMs: number | null;
  readonly seenMs: number | null;
  readonly heardMs: number | null;
  readonly temperature: number;
  readonly humidity: number;
  readonly flags: number;
  readonly epoch: string | null;
  readonly seq: number;
  readonly latestRoomUid: string | null;
}

/** Devices and where they stood, for reading. */
export interface DeviceRows {
  all(filter?: { readonly withRemoved?: boolean }): readonly Device[];
  one(uid: string): Device | undefined;
  placements(deviceUid: string): readonly Placement[];
}

export function createDeviceRows(db: Database): DeviceRows {
  const select = `
    SELECT d.uid, h.uid AS homeUid, coalesce(d.label, d.reported_label) AS label, d.model, d.state, d.created_ms AS createdMs,
      d.presence, d.presence_ms AS presenceMs, d.status_json AS statusJson, d.status_ms AS statusMs,
      r.uid AS roomUid, r.name AS roomName,
      l.ts_ms AS tsMs, l.seen_ms AS seenMs,
      coalesce(l.heard_ms, l.seen_ms, (SELECT max(q.received_ms) FROM quarantine q WHERE q.device_id = d.id)) AS heardMs, l.temperature, l.humidity, l.flags, e.epoch, l.seq,
      (SELECT lr.uid FROM placements lp JOIN rooms lr ON lr.id = lp.room_id
        WHERE lp.device_id = d.id AND lp.from_ms <= l.ts_ms AND (lp.to_ms IS NULL OR lp.to_ms > l.ts_ms)) AS latestRoomUid
    FROM devices d LEFT JOIN homes h ON h.id = d.home_id LEFT JOIN latest l ON l.device_id = d.id
      LEFT JOIN epochs e ON e.id = l.epoch_id
      LEFT JOIN placements p ON p.device_id = d.id AND p.to_ms IS NULL LEFT JOIN rooms r ON r.id = p.room_id`;
  const selectAll = db.prepare<[number], DeviceRow>(`${select} WHERE ? OR d.state <> 'removed' ORDER BY d.uid`);
  const selectOne = db.prepare<[string], DeviceRow>(`${select} WHERE d.uid = ?`);
  const selectPlacements = db.prepare<
    [string],
    { readonly uid: string; readonly name: string; readonly fromMs: number; readonly toMs: number | null }
  >(`
    SELECT r.uid, r.name, p.from_ms AS fromMs, p.to_ms AS toMs
    FROM placements p JOIN devices d ON d.id = p.device_id JOIN rooms r ON r.id = p.room_id
    WHERE d.uid = ? ORDER BY p.from_ms`);

  return {
    all: (filter) => selectAll.all(filter?.withRemoved === true ? 1 : 0).map(deviceOf),
    one(uid) {
      const row = selectOne.get(uid);
      return row === undefined ? undefined : deviceOf(row);
    },
    placements: (deviceUid) =>
      selectPlacements
        .all(deviceUid)
        .map(({ uid, name, fromMs, toMs }) => ({ deviceUid, room: { uid, name }, fromMs, toMs })),
  };
}

function deviceOf(row: DeviceRow): Device {
  return {
    uid: row.uid,
    homeUid: row.homeUid,
    label: row.label,
    model: row.model,
    state: row.state,
    room: row.roomUid === null ? null : { uid: row.roomUid, name: row.roomName },
    createdMs: row.createdMs,
    lastSeenMs: row.seenMs,
    heardMs: row.heardMs,
    presence: row.presence,
    presenceMs: row.presenceMs,
    // Written by ourselves, of a status that had been understood.
    status: row.statusJson === null ? null : (JSON.parse(row.statusJson) as DeviceStatus),
    statusMs: row.statusMs,
    latest: row.tsMs === null ? null : latestOf(row, row.tsMs),
  };
}

function latestOf(row: DeviceRow, tsMs: number): Device['latest'] {
  return {
    deviceUid: row.uid,
    roomUid: row.latestRoomUid,
    tsMs,
    temperatureCelsius: row.temperature,
    humidityPercent: row.humidity,
    epoch: row.epoch,
    seq: row.epoch === null ? null : row.seq,
    isUnsynced: (row.flags & FLAG_UNSYNCED) !== 0,
    isOnDemand: (row.flags & FLAG_ON_DEMAND) !== 0,
  };
}

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
    'DELETE FROM takeovers WHERE epoch_id IN (SELECT id FROM epochs WHERE device_id = ?)',
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
