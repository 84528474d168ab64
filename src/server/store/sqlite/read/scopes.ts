import type { Database } from 'better-sqlite3';
import type { ReadingScope } from '../../store.ts';

/** A stretch of one device's readings: one range of the clustered key. */
export interface Stretch {
  readonly deviceId: number;
  readonly deviceUid: string;
  /** Included. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
}

/** All of it was measured in one room, or nowhere that is known. */
export interface RoomStretch extends Stretch {
  readonly roomUid: string | null;
}

/** Where the readings of a scope lie. An unknown device or room has none. */
export interface Scopes {
  /** As few as possible; stretches of one device do not overlap. */
  stretches(scope: ReadingScope, fromMs: number, toMs: number): readonly Stretch[];
  /** The same readings, cut where a device was moved. */
  roomStretches(scope: ReadingScope, fromMs: number, toMs: number): readonly RoomStretch[];
}

interface DeviceRow {
  readonly id: number;
  readonly uid: string;
}

interface PlacementRow {
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly roomUid: string;
}

type RoomRow = DeviceRow & PlacementRow;

const PLACEMENTS_OF_ROOM = `
  SELECT d.id, d.uid, p.from_ms AS fromMs, p.to_ms AS toMs, r.uid AS roomUid
  FROM rooms r JOIN placements p ON p.room_id = r.id JOIN devices d ON d.id = p.device_id
  WHERE r.uid = ? AND p.from_ms < ? AND (p.to_ms IS NULL OR p.to_ms > ?)
  ORDER BY p.from_ms, d.uid`;

const PLACEMENTS_OF_DEVICE = `
  SELECT p.from_ms AS fromMs, p.to_ms AS toMs, r.uid AS roomUid
  FROM placements p JOIN rooms r ON r.id = p.room_id
  WHERE p.device_id = ? AND p.from_ms < ? AND (p.to_ms IS NULL OR p.to_ms > ?)
  ORDER BY p.from_ms`;

export function createScopes(db: Database): Scopes {
  const oneDevice = db.prepare<[string], DeviceRow>('SELECT id, uid FROM devices WHERE uid = ?');
  const allDevices = db.prepare<[], DeviceRow>('SELECT id, uid FROM devices ORDER BY uid');
  const ofRoom = db.prepare<[string, number, number], RoomRow>(PLACEMENTS_OF_ROOM);
  const ofDevice = db.prepare<[number, number, number], PlacementRow>(PLACEMENTS_OF_DEVICE);

  const inRoom = (roomUid: string, fromMs: number, toMs: number): readonly RoomStretch[] =>
    ofRoom.all(roomUid, toMs, fromMs).map((row) => ({
      deviceId: row.id,
      deviceUid: row.uid,
      fromMs: Math.max(row.fromMs, fromMs),
      toMs: Math.min(row.toMs ?? toMs, toMs),
      roomUid: row.roomUid,
    }));
  const devices = (scope: { readonly deviceUid: string } | 'all'): readonly DeviceRow[] =>
    scope === 'all' ? allDevices.all() : oneDevice.all(scope.deviceUid);

  return {
    stretches(scope, fromMs, toMs) {
      if (fromMs >= toMs) return [];
      if (scope !== 'all' && 'roomUid' in scope) return inRoom(scope.roomUid, fromMs, toMs);
      return devices(scope).map(({ id, uid }) => ({ deviceId: id, deviceUid: uid, fromMs, toMs }));
    },
    roomStretches(scope, fromMs, toMs) {
      if (fromMs >= toMs) return [];
      if (scope !== 'all' && 'roomUid' in scope) return inRoom(scope.roomUid, fromMs, toMs);
      return devices(scope).flatMap((device) => cut(device, ofDevice.all(device.id, toMs, fromMs), fromMs, toMs));
    },
  };
}

/** From..to of a device, cut at its placements (sorted, not overlapping). */
function cut(
  { id, uid }: DeviceRow,
  placements: readonly PlacementRow[],
  fromMs: number,
  toMs: number,
): readonly RoomStretch[] {
  const stretches: RoomStretch[] = [];
  let at = fromMs;
  const add = (until: number, roomUid: string | null): void => {
    const end = Math.min(until, toMs);
    if (end > at) stretches.push({ deviceId: id, deviceUid: uid, fromMs: at, toMs: end, roomUid });
    at = Math.max(at, end);
  };
  for (const placement of placements) {
    add(placement.fromMs, null);
    add(placement.toMs ?? toMs, placement.roomUid);
  }
  add(toMs, null);
  return stretches;
}
