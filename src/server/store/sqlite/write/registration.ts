import type { RecordBounds, Registration } from '../../ingest-store.ts';
import type { RejectReason } from '../../stored.ts';
import type { Placing } from '../catalogue/placing.ts';
import type { RoomBook, RoomRow } from '../catalogue/room-book.ts';
import type { Database } from '../database.ts';
import type { KnownDevice, KnownDevices } from './known-devices.ts';
import type { Outcome } from './outcome.ts';

/** Who speaks: finds the device, or registers it. */
export interface Registry {
  /** For the messages that follow. */
  bound(atMost: RecordBounds | undefined): void;
  admit(
    speaker: Speaker,
    registration: Registration,
    outcome: Outcome,
  ): Admitted | Extract<RejectReason, 'unknown-device' | 'refused-device' | 'too-many'>;
  /** The room of this name; made where it is missing, unless there are as many as devices may make. */
  roomNamed(name: string, homeId: number | null): RoomRow | undefined;
  /** Puts a device that stands nowhere into the room that it names itself, from then on; from the beginning if it never stood. */
  standWhereItSays(device: KnownDevice, atMs: number): void;
}

export interface Speaker {
  readonly uid: string;
  readonly homeId: string;
  readonly receivedMs: number;
}

export interface Admitted {
  readonly device: KnownDevice;
  readonly isNew: boolean;
}

export function createRegistry(db: Database, known: KnownDevices, rooms: RoomBook, placing: Placing): Registry {
  const insert = db.prepare<[string, number, string, number, number | null]>(
    'INSERT INTO devices (uid, home_id, state, created_ms, pending_from_ms) VALUES (?, ?, ?, ?, ?)',
  );
  const revive = db.prepare<[string, number | null, number]>(
    'UPDATE devices SET state = ?, pending_from_ms = ? WHERE id = ?',
  );
  const setHome = db.prepare<[number, number]>('UPDATE devices SET home_id = ? WHERE id = ?');
  const selectReportedRoom = db.prepare<[number]>('SELECT reported_room FROM devices WHERE id = ?').pluck();

  const countOf = (table: 'devices' | 'homes' | 'rooms'): (() => number) => {
    const count = db.prepare(`SELECT COUNT(*) FROM ${table}`).pluck();
    return () => count.get() as number;
  };
  const count = { devices: countOf('devices'), homes: countOf('homes'), rooms: countOf('rooms') };
  let atMost: RecordBounds | undefined;
  /** Counted only when something new would be made. */
  const isFull = (table: keyof RecordBounds): boolean => atMost !== undefined && count[table]() >= atMost[table];

  const register = (found: KnownDevice | undefined, speaker: Speaker, state: 'active' | 'pending'): KnownDevice => {
    if (found !== undefined) {
      // What it measured before it was removed stays, even if somebody refuses it now.
      revive.run(state, state === 'pending' ? speaker.receivedMs : null, found.id);
      found.state = state;
      return found;
    }
    const homeId = known.homeId(speaker.homeId);
    insert.run(speaker.uid, homeId, state, speaker.receivedMs, state === 'pending' ? 0 : null);
    const device = known.find(speaker.uid);
    if (device === undefined) throw new Error(`The device ${speaker.uid} was not inserted`);
    return device;
  };

  const roomNamed: Registry['roomNamed'] = (name, homeId) =>
    rooms.byName(name, homeId) ?? (isFull('rooms') ? undefined : rooms.make({ name }, homeId));

  return {
    bound(bounds) {
      atMost = bounds;
    },
    roomNamed,
    admit(speaker, registration, outcome) {
      const found = known.find(speaker.uid);
      if (found?.state === 'refused') return 'refused-device';
      const isNew = found === undefined || found.state === 'removed';
      if (isNew && registration === 'reject') return 'unknown-device';
      if (found === undefined && isFull('devices')) return 'too-many';
      if (found?.homeUid !== speaker.homeId && !known.hasHome(speaker.homeId) && isFull('homes')) return 'too-many';
      const device = isNew ? register(found, speaker, registration === 'auto' ? 'active' : 'pending') : found;
      if (device.homeUid !== speaker.homeId) {
        setHome.run(known.homeId(speaker.homeId), device.id);
        device.homeUid = speaker.homeId;
        outcome.deviceChanged(device.uid);
      }
      if (isNew) {
        outcome.counts.registered += 1;
        outcome.deviceChanged(device.uid);
      }
      return { device, isNew };
    },
    standWhereItSays(device, atMs) {
      if (device.open !== null) return;
      const name = selectReportedRoom.get(device.id) as string | null;
      if (name === null) return;
      const homeId = device.homeUid === null ? null : known.homeId(device.homeUid);
      const room = roomNamed(name, homeId);
      if (room === undefined) return;
      const lastEndMs = placing.lastEndMs(device.id);
      const fromMs = lastEndMs === undefined ? 0 : Math.max(lastEndMs, atMs);
      placing.move(device.id, room.id, fromMs);
      device.open = { roomUid: room.uid, fromMs };
    },
  };
}
