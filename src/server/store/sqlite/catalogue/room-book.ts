import { ID_RULE, isId } from '../../../../contract/ids.ts';
import type { NewRoom } from '../../catalogue-store.ts';
import { StoreError } from '../../store.ts';
import type { Database } from '../database.ts';
import { freeUid, slugOf } from './slug.ts';

export const MAX_NAME = 100;

export interface RoomRow {
  readonly id: number;
  readonly uid: string;
  readonly name: string;
  readonly homeId: number | null;
}

/** Rooms by uid and by name; makes those that are missing. Inside the caller's transaction. */
export interface RoomBook {
  byUid(uid: string): RoomRow | undefined;
  /** The room that people would mean: same name, or same uid made of it; in this home, or where one of both has none. */
  byName(name: string, homeId: number | null): RoomRow | undefined;
  /** @throws StoreError EXISTS, INVALID */
  make(room: Omit<NewRoom, 'homeUid'>, homeId: number | null): RoomRow;
}

export function createRoomBook(db: Database): RoomBook {
  const columns = 'SELECT id, uid, name, home_id AS homeId FROM rooms';
  const selectUid = db.prepare<[string], RoomRow>(`${columns} WHERE uid = ?`);
  const selectAll = db.prepare<[], RoomRow>(`${columns} ORDER BY id`);
  const insert = db.prepare<(string | number | null)[], RoomRow>(`
    INSERT INTO rooms (uid, name, home_id, floor, side, is_outdoors) VALUES (?, ?, ?, ?, ?, ?)
    RETURNING id, uid, name, home_id AS homeId`);
  const isTaken = (uid: string): boolean => selectUid.get(uid) !== undefined;

  return {
    byUid: (uid) => selectUid.get(uid),
    byName(name, homeId) {
      const near = selectAll.all().filter((room) => homeId === null || room.homeId === null || room.homeId === homeId);
      const slug = slugOf(name);
      const named = near.filter((room) => isSameName(room.name, name));
      const found = named.length > 0 ? named : near.filter((room) => slug !== '' && room.uid === slug);
      return found.find((room) => room.homeId === homeId) ?? found[0];
    },
    make({ uid, name, floor, side, isOutdoors }, homeId) {
      const cleanName = roomName(name);
      if (uid !== undefined && !isId(uid)) {
        throw new StoreError('INVALID', `A room's uid must be ${ID_RULE}, found ${JSON.stringify(uid)}`);
      }
      if (uid !== undefined && isTaken(uid)) throw new StoreError('EXISTS', `There is a room ${uid} already`);
      const newUid = uid ?? freeUid(slugOf(cleanName), isTaken);
      const row = insert.get(newUid, cleanName, homeId, floor ?? null, side ?? null, isOutdoors === true ? 1 : 0);
      if (row === undefined) throw new Error(`The room ${newUid} was not inserted`);
      return row;
    },
  };
}

/** @throws StoreError INVALID */
export function roomName(name: string): string {
  const clean = name.normalize('NFC').trim();
  if (clean === '' || clean.length > MAX_NAME || /\p{Cc}/u.test(clean)) {
    throw new StoreError(
      'INVALID',
      `A room's name must have 1 to ${MAX_NAME} printable characters, found ${JSON.stringify(name.slice(0, MAX_NAME))}`,
    );
  }
  return clean;
}

export function isSameName(one: string, other: string): boolean {
  return one.normalize('NFC').trim().toLowerCase() === other.normalize('NFC').trim().toLowerCase();
}
