import { ID_RULE, isId } from '../../../../contract/topics.ts';
import { type CatalogueStore, type NewRoom, type RoomChange, StoreError } from '../../store.ts';
import type { Room } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import type { Database } from '../database.ts';

/** Letters that do not come apart into an ASCII letter and a mark. */
const ASCII_OF: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};
const MAX_LENGTH = 50;

/** A room's uid of its name: lower case, accents stripped, hyphens; empty where no ASCII letter or digit is left (`書斎`). */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]/gu, (letter) => ASCII_OF[letter] ?? ' ')
    .trim()
    .replace(/ +/gu, '-')
    .slice(0, MAX_LENGTH)
    .replace(/-+$/u, '');
}

/** The first of `slug`, `slug-2`, …; or `room-1`, `room-2`, … where the slug is empty. */
export function freeUid(slug: string, isTaken: (uid: string) => boolean): string {
  if (slug !== '' && !isTaken(slug)) return slug;
  const [stem, first] = slug === '' ? ['room', 1] : [slug.slice(0, MAX_LENGTH - 8), 2];
  for (let number = first; ; number += 1) {
    const uid = `${stem}-${number}`;
    if (!isTaken(uid)) return uid;
  }
}

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
