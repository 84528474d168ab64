import { ID_RULE, isId } from '../../../../contract/ids.ts';
import type { CatalogueStore, RoomChange } from '../../catalogue-store.ts';
import { StoreError } from '../../store.ts';
import type { Room } from '../../stored.ts';
import type { Database } from '../database.ts';
import type { Sync } from '../sync.ts';
import { isSameName, type RoomBook, roomName } from './room-book.ts';

interface Row extends Omit<Room, 'isOutdoors'> {
  readonly isOutdoors: number;
}

const SELECT = `
  SELECT r.uid, r.name, h.uid AS homeUid, r.floor, r.side, r.is_outdoors AS isOutdoors
  FROM rooms r LEFT JOIN homes h ON h.id = r.home_id`;

/** Rooms, for reading; sorted by uid. */
export function createRoomRows(db: Database): Sync<Pick<CatalogueStore, 'rooms' | 'room'>> {
  const selectAll = db.prepare<[], Row>(`${SELECT} ORDER BY r.uid`);
  const selectOne = db.prepare<[string], Row>(`${SELECT} WHERE r.uid = ?`);
  return {
    rooms: () => selectAll.all().map(roomOf),
    room(uid) {
      const row = selectOne.get(uid);
      return row === undefined ? undefined : roomOf(row);
    },
  };
}

/** What people do with rooms. Each inside the caller's transaction. @throws StoreError NOT_FOUND, EXISTS, IN_USE, INVALID */
export function createRoomWrites(
  db: Database,
  { book, homeIdOf }: { readonly book: RoomBook; readonly homeIdOf: (uid: string) => number },
): Sync<Pick<CatalogueStore, 'addRoom' | 'updateRoom' | 'removeRoom'>> {
  const rows = createRoomRows(db);
  const update = db.prepare<[string, string | null, string | null, number, string]>(
    'UPDATE rooms SET name = ?, floor = ?, side = ?, is_outdoors = ? WHERE uid = ?',
  );
  const remove = db.prepare<[string]>('DELETE FROM rooms WHERE uid = ?');
  const selectDevices = db
    .prepare<[string]>(`
      SELECT DISTINCT d.uid FROM placements p JOIN rooms r ON r.id = p.room_id JOIN devices d ON d.id = p.device_id
      WHERE r.uid = ? ORDER BY d.uid`)
    .pluck();
  const roomOfUid = (uid: string): Room => {
    const room = rows.room(uid);
    if (room === undefined) throw new StoreError('NOT_FOUND', `There is no room ${uid}`);
    return room;
  };

  return {
    addRoom(room) {
      if (room.homeUid !== undefined && !isId(room.homeUid)) {
        throw new StoreError('INVALID', `A home's uid must be ${ID_RULE}, found ${JSON.stringify(room.homeUid)}`);
      }
      const homeId = room.homeUid === undefined ? null : homeIdOf(room.homeUid);
      // Without a uid of its own, a room of the same name is the same room.
      const same = room.uid === undefined ? book.byName(roomName(room.name), homeId) : undefined;
      if (same !== undefined) {
        throw new StoreError('EXISTS', `There is a room ${JSON.stringify(same.name)} already, its uid is ${same.uid}`);
      }
      return roomOfUid(book.make(room, homeId).uid);
    },
    updateRoom(uid, change: RoomChange) {
      const before = roomOfUid(uid);
      const name = change.name === undefined ? before.name : roomName(change.name);
      if (!isSameName(name, before.name)) refuseTakenName(uid, before.homeUid, name);
      const { floor = before.floor, side = before.side, isOutdoors = before.isOutdoors } = change;
      update.run(name, floor, side, isOutdoors ? 1 : 0, uid);
      return roomOfUid(uid);
    },
    removeRoom(uid) {
      roomOfUid(uid);
      const devices = selectDevices.all(uid) as readonly string[];
      if (devices.length > 0) {
        const shown = `${devices.slice(0, 3).join(', ')}${devices.length > 3 ? ', …' : ''}`;
        throw new StoreError(
          'IN_USE',
          `The room ${uid} is part of the record: ${shown} stood there. Give it another name instead`,
        );
      }
      remove.run(uid);
    },
  };

  function refuseTakenName(uid: string, homeUid: string | null, name: string): void {
    const taken = rows
      .rooms()
      .find((room) => room.uid !== uid && room.homeUid === homeUid && isSameName(room.name, name));
    if (taken !== undefined)
      throw new StoreError('EXISTS', `The room ${taken.uid} has the name ${JSON.stringify(name)}`);
  }
}

function roomOf(row: Row): Room {
  return { ...row, isOutdoors: row.isOutdoors === 1 };
}
