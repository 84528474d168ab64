import type { Database } from 'better-sqlite3';
import type { ReadingStore } from '../../reading-store.ts';
import type { StoredReading } from '../../stored.ts';
import type { Sync } from '../sync.ts';
import { FLAG_ON_DEMAND, FLAG_UNSYNCED } from './reading-flags.ts';

type LatestRow = readonly [
  deviceUid: string,
  roomUid: string | null,
  tsMs: number,
  temperature: number,
  humidity: number,
  epoch: string | null,
  seq: number,
  flags: number,
];

// The room is the one in which the reading was taken, also when the device has been moved since. At most one placement holds
// at a time, so the join gives one row a device.
const LATEST = `
  SELECT d.uid, r.uid, l.ts_ms, l.temperature, l.humidity, e.epoch, l.seq, l.flags
  FROM devices d
  CROSS JOIN latest l ON l.device_id = d.id
  LEFT JOIN placements p ON p.device_id = d.id AND p.from_ms <= l.ts_ms AND (p.to_ms IS NULL OR p.to_ms > l.ts_ms)
  LEFT JOIN rooms r ON r.id = p.room_id
  LEFT JOIN epochs e ON e.id = l.epoch_id
  WHERE d.state IN ('active', 'pending')`;

export function createLatest(db: Database): Sync<ReadingStore>['latest'] {
  const all = db.prepare<[], LatestRow>(`${LATEST} ORDER BY d.uid`).raw();
  const ofDevice = db.prepare<[string], LatestRow>(`${LATEST} AND d.uid = ?`).raw();
  const ofRoom = db.prepare<[string], LatestRow>(`${LATEST} AND r.uid = ? ORDER BY d.uid`).raw();
  const ofBoth = db.prepare<[string, string], LatestRow>(`${LATEST} AND d.uid = ? AND r.uid = ?`).raw();
  return ({ deviceUid, roomUid } = {}) => {
    if (deviceUid === undefined) return (roomUid === undefined ? all.all() : ofRoom.all(roomUid)).map(toLatestReading);
    return (roomUid === undefined ? ofDevice.all(deviceUid) : ofBoth.all(deviceUid, roomUid)).map(toLatestReading);
  };
}

function toLatestReading(row: LatestRow): StoredReading {
  const [deviceUid, roomUid, tsMs, temperatureCelsius, humidityPercent, epoch, seq, flags] = row;
  return {
    deviceUid,
    roomUid,
    tsMs,
    temperatureCelsius,
    humidityPercent,
    epoch,
    seq: epoch === null ? null : seq,
    isUnsynced: (flags & FLAG_UNSYNCED) !== 0,
    isOnDemand: (flags & FLAG_ON_DEMAND) !== 0,
  };
}
