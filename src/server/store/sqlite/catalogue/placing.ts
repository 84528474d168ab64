import type { Database } from '../database.ts';

export interface PlacementRow {
  readonly fromMs: number;
  readonly roomId: number;
}

/** Where devices stand. Inside the caller's transaction; keeps that placements never overlap and that one at most is open. */
export interface Placing {
  open(deviceId: number): PlacementRow | undefined;
  /** End of the last placement that is over; undefined where there is none. */
  lastEndMs(deviceId: number): number | undefined;
  /**
   * From `atMs` on it stands in this room (null: nowhere). Where the present placement begins then or later, it is replaced.
   * @param atMs at or after `lastEndMs`
   */
  move(deviceId: number, roomId: number | null, atMs: number): void;
}

export function createPlacing(db: Database): Placing {
  const selectOpen = db.prepare<[number], PlacementRow>(
    'SELECT from_ms AS fromMs, room_id AS roomId FROM placements WHERE device_id = ? AND to_ms IS NULL',
  );
  const selectLastEnd = db.prepare<[number]>('SELECT max(to_ms) FROM placements WHERE device_id = ?').pluck();
  const close = db.prepare<[number, number]>('UPDATE placements SET to_ms = ? WHERE device_id = ? AND to_ms IS NULL');
  const removeOpen = db.prepare<[number]>('DELETE FROM placements WHERE device_id = ? AND to_ms IS NULL');
  const insert = db.prepare<[number, number, number]>(
    'INSERT INTO placements (device_id, from_ms, to_ms, room_id) VALUES (?, ?, NULL, ?)',
  );

  return {
    open: (deviceId) => selectOpen.get(deviceId),
    lastEndMs: (deviceId) => (selectLastEnd.get(deviceId) as number | null) ?? undefined,
    move(deviceId, roomId, atMs) {
      const open = selectOpen.get(deviceId);
      const fromMs = open === undefined ? atMs : Math.max(atMs, open.fromMs);
      if (open !== undefined && atMs <= open.fromMs) removeOpen.run(deviceId);
      else if (open !== undefined) close.run(atMs, deviceId);
      if (roomId !== null) insert.run(deviceId, fromMs, roomId);
    },
  };
}
