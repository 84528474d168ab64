import { ID_RULE, isId } from '../../../../contract/topics.ts';
import { type CatalogueStore, type DeviceChange, type NewDevice, type RoomChoice, StoreError } from '../../store.ts';
import type { Device } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import type { Database } from '../database.ts';
import { createDeviceRemoval, type DeviceRows } from './devices.ts';
import { MAX_NAME, type Placing, type RoomBook, type RoomRow, roomName } from './rooms.ts';

interface Row {
  readonly id: number;
  readonly uid: string;
  readonly state: Device['state'];
  readonly homeId: number | null;
  readonly pendingFromMs: number | null;
}

export type DeviceWrites = Sync<Pick<CatalogueStore, 'addDevices' | 'updateDevice' | 'removeDevice'>>;

/** What people do with devices. Each inside the caller's transaction. @throws StoreError NOT_FOUND, EXISTS, INVALID */
export function createDeviceWrites(
  db: Database,
  { rows, rooms, placing }: { readonly rows: DeviceRows; readonly rooms: RoomBook; readonly placing: Placing },
): DeviceWrites {
  const removal = createDeviceRemoval(db);
  const select = db.prepare<[string], Row>(
    'SELECT id, uid, state, home_id AS homeId, pending_from_ms AS pendingFromMs FROM devices WHERE uid = ?',
  );
  const insert = db.prepare<[string, string | null, string | null, number]>(
    `INSERT INTO devices (uid, state, label, model, created_ms) VALUES (?, 'active', ?, ?, ?)`,
  );
  const revive = db.prepare<[string | null, string | null, number]>(
    `UPDATE devices SET state = 'active', pending_from_ms = NULL, label = coalesce(?, label), model = coalesce(?, model) WHERE id = ?`,
  );
  const setState = db.prepare<[string, number]>('UPDATE devices SET state = ?, pending_from_ms = NULL WHERE id = ?');
  const setLabel = db.prepare<[string | null, number]>('UPDATE devices SET label = ? WHERE id = ?');

  const rowOf = (uid: string): Row => {
    const row = select.get(uid);
    if (row === undefined) throw new StoreError('NOT_FOUND', `There is no device ${uid}`);
    return row;
  };
  const deviceOf = (uid: string): Device => {
    const device = rows.one(uid);
    if (device === undefined) throw new StoreError('NOT_FOUND', `There is no device ${uid}`);
    return device;
  };

  const chosenRoom = (choice: RoomChoice, homeId: number | null): RoomRow => {
    const { uid, name } = choice;
    const found = uid !== undefined ? rooms.byUid(uid) : name !== undefined ? rooms.byName(name, homeId) : undefined;
    if (found !== undefined) return found;
    if (name === undefined) {
      throw uid === undefined
        ? new StoreError('INVALID', 'A room is chosen by its uid or its name; neither was given')
        : new StoreError('NOT_FOUND', `There is no room ${uid}; with a name as well it would be made`);
    }
    return rooms.make({ name: roomName(name), ...(uid !== undefined && { uid }) }, homeId);
  };

  const add = ({ uid, room, label, model }: NewDevice, nowMs: number): void => {
    if (!isId(uid)) throw new StoreError('INVALID', `A device's uid must be ${ID_RULE}, found ${JSON.stringify(uid)}`);
    const found = select.get(uid);
    if (found !== undefined && found.state !== 'removed') {
      throw new StoreError('EXISTS', `There is a device ${uid} already (${found.state})`);
    }
    const clean = label === undefined ? null : labelOf(label);
    if (found === undefined) insert.run(uid, clean, model ?? null, nowMs);
    else revive.run(clean, model ?? null, found.id);
    if (room !== undefined) move(rowOf(uid), room, undefined, nowMs);
  };

  const move = (device: Row, choice: RoomChoice | null, movedAtMs: number | undefined, nowMs: number): void => {
    if (movedAtMs !== undefined) requireMoveTime(device, movedAtMs, nowMs);
    const room = choice === null ? null : chosenRoom(choice, device.homeId);
    const open = placing.open(device.id);
    if (open?.roomId === room?.id) return;
    const lastEndMs = placing.lastEndMs(device.id);
    const firstMs = open === undefined && lastEndMs === undefined ? 0 : nowMs;
    placing.move(device.id, room?.id ?? null, Math.max(movedAtMs ?? firstMs, lastEndMs ?? 0));
  };

  const requireMoveTime = (device: Row, movedAtMs: number, nowMs: number): void => {
    const refuse = (why: string): never => {
      throw new StoreError('INVALID', `${device.uid} can't have been moved at ${isoOf(movedAtMs)}: ${why}`);
    };
    if (!Number.isSafeInteger(movedAtMs) || movedAtMs < 0) refuse('that is no time');
    if (movedAtMs > nowMs) refuse('that is in the future');
    const open = placing.open(device.id);
    if (open !== undefined && movedAtMs <= open.fromMs) refuse(`it stands where it is since ${isoOf(open.fromMs)}`);
    const lastEndMs = placing.lastEndMs(device.id);
    if (lastEndMs !== undefined && movedAtMs < lastEndMs) refuse(`it stood in a room until ${isoOf(lastEndMs)}`);
  };

  const changeState = (device: Row, state: 'active' | 'refused'): void => {
    if (device.state === state) return;
    if (state === 'refused' && device.pendingFromMs !== null) removal.removeSince(device.id, device.pendingFromMs);
    setState.run(state, device.id);
  };

  return {
    addDevices(devices, nowMs) {
      for (const device of devices) add(device, nowMs);
      return devices.map(({ uid }) => deviceOf(uid));
    },
    updateDevice(uid, change: DeviceChange, nowMs) {
      const device = rowOf(uid);
      if (device.state === 'removed') {
        throw new StoreError(
          'NOT_FOUND',
          `The device ${uid} was removed; it is there again once it speaks, or is added`,
        );
      }
      if (change.movedAtMs !== undefined && change.room === undefined) {
        throw new StoreError('INVALID', 'A time of moving needs the room to which it was moved');
      }
      if (change.state !== undefined) changeState(device, change.state);
      if (change.label !== undefined) setLabel.run(change.label === null ? null : labelOf(change.label), device.id);
      if (change.room !== undefined) move(device, change.room, change.movedAtMs, nowMs);
      return deviceOf(uid);
    },
    removeDevice(uid, readings, nowMs) {
      const device = rowOf(uid);
      const count = removal.readingsOf(device.id);
      if (readings === 'delete') {
        removal.removeAll(device.id, uid);
        return { readings: count };
      }
      if (device.state === 'removed') throw new StoreError('NOT_FOUND', `The device ${uid} was removed already`);
      placing.move(device.id, null, nowMs);
      setState.run('removed', device.id);
      return { readings: count };
    },
  };
}

/** @throws StoreError INVALID */
function labelOf(label: string): string {
  const clean = label.normalize('NFC').trim();
  if (clean !== '' && clean.length <= MAX_NAME && !/\p{Cc}/u.test(clean)) return clean;
  throw new StoreError('INVALID', `A label must have 1 to ${MAX_NAME} printable characters`);
}

function isoOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
