import type { RecordBounds, Registration } from '../../ingest-store.ts';
import type { DeviceState, RejectReason } from '../../stored.ts';
import type { Placing, RoomBook, RoomRow } from '../catalogue/rooms.ts';
import type { Database } from '../database.ts';
import type { CommitResultBuilder } from './commit-result.ts';

/** Beyond these the memory starts again; a house has some dozens of devices, each with a handful of epochs. */
const MAX_DEVICES = 20_000;
const MAX_EPOCHS_OF_A_DEVICE = 100;

/** A device as the writing end remembers it from commit to commit. Changed together with its rows; forgotten after a rollback. */
export interface KnownDevice {
  readonly id: number;
  readonly uid: string;
  homeUid: string | null;
  state: DeviceState;
  newest: NewestReading | null;
  /** Its clock was ahead at its last live reading, which is not its newest because the one before was not. */
  isAhead: boolean;
  /** Where it stands now. */
  open: OpenPlacement | null;
  readonly epochIds: Map<string, number>;
}

export interface OpenPlacement {
  readonly roomUid: string;
  readonly fromMs: number;
}

/** The row of `latest`. */
export interface NewestReading {
  readonly tsMs: number;
  readonly epochId: number;
  readonly seq: number;
  /** Its time, at most the time at which it came. */
  readonly seenMs: number;
}

export interface KnownDevices {
  find(uid: string): KnownDevice | undefined;
  /** Makes it known where it is not; `heardMs`: when it was heard of, for that case. */
  epochId(device: KnownDevice, epoch: string, heardMs?: number): number;
  hasHome(uid: string): boolean;
  /** The home's id; made where it is missing. */
  homeId(uid: string): number;
  /** Call first in a transaction: other processes (the commands) may have written since the last one. */
  refresh(): 'kept' | 'forgotten';
  forget(): void;
}

interface DeviceRow {
  readonly id: number;
  readonly uid: string;
  readonly state: DeviceState;
  readonly homeUid: string | null;
  readonly roomUid: string | null;
  readonly roomFromMs: number | null;
  readonly tsMs: number | null;
  readonly epochId: number;
  readonly seq: number;
  readonly seenMs: number;
}

export function createKnownDevices(db: Database): KnownDevices {
  const devices = new Map<string, KnownDevice>();
  const homes = new Map<string, number>();
  let seenVersion: unknown;
  const dataVersion = db.prepare('PRAGMA data_version').pluck();
  const selectDevice = db.prepare<[string], DeviceRow>(`
    SELECT d.id, d.uid, d.state, h.uid AS homeUid, r.uid AS roomUid, p.from_ms AS roomFromMs,
      l.ts_ms AS tsMs, l.epoch_id AS epochId, l.seq, l.seen_ms AS seenMs
    FROM devices d LEFT JOIN homes h ON h.id = d.home_id LEFT JOIN latest l ON l.device_id = d.id
      LEFT JOIN placements p ON p.device_id = d.id AND p.to_ms IS NULL LEFT JOIN rooms r ON r.id = p.room_id
    WHERE d.uid = ?`);
  const selectEpoch = db.prepare<[number, string]>('SELECT id FROM epochs WHERE device_id = ? AND epoch = ?').pluck();
  const insertEpoch = db.prepare<[number, string, number | null]>(
    'INSERT INTO epochs (device_id, epoch, heard_ms) VALUES (?, ?, ?)',
  );
  const selectHome = db.prepare<[string]>('SELECT id FROM homes WHERE uid = ?').pluck();
  const insertHome = db.prepare<[string]>('INSERT INTO homes (uid) VALUES (?)');

  const forget = (): void => {
    devices.clear();
    homes.clear();
    seenVersion = undefined;
  };
  return {
    find(uid) {
      const known = devices.get(uid);
      if (known !== undefined) return known;
      const row = selectDevice.get(uid);
      if (row === undefined) return undefined;
      const device = knownDeviceOf(row);
      devices.set(uid, device);
      return device;
    },
    epochId(device, epoch, heardMs) {
      const known = device.epochIds.get(epoch);
      if (known !== undefined) return known;
      const id = (selectEpoch.get(device.id, epoch) ??
        insertEpoch.run(device.id, epoch, heardMs ?? null).lastInsertRowid) as number;
      if (device.epochIds.size >= MAX_EPOCHS_OF_A_DEVICE) device.epochIds.clear();
      device.epochIds.set(epoch, id);
      return id;
    },
    hasHome: (uid) => homes.has(uid) || selectHome.get(uid) !== undefined,
    homeId(uid) {
      const id = homes.get(uid) ?? ((selectHome.get(uid) ?? insertHome.run(uid).lastInsertRowid) as number);
      homes.set(uid, id);
      return id;
    },
    refresh() {
      const version = dataVersion.get();
      if (version === seenVersion && devices.size <= MAX_DEVICES) return 'kept';
      forget();
      seenVersion = version;
      return 'forgotten';
    },
    forget,
  };
}

function knownDeviceOf(row: DeviceRow): KnownDevice {
  const { id, uid, state, homeUid, roomUid, roomFromMs, tsMs, epochId, seq, seenMs } = row;
  return {
    id,
    uid,
    state,
    homeUid,
    newest: tsMs === null ? null : { tsMs, epochId, seq, seenMs },
    isAhead: false,
    open: roomUid === null || roomFromMs === null ? null : { roomUid, fromMs: roomFromMs },
    epochIds: new Map(),
  };
}

/** Who speaks: finds the device, or registers it. */
export interface Registry {
  /** For the messages that follow. */
  bound(atMost: RecordBounds | undefined): void;
  admit(
    speaker: Speaker,
    registration: Registration,
    result: CommitResultBuilder,
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
    admit(speaker, registration, result) {
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
        result.deviceChanged(device.uid);
      }
      if (isNew) {
        result.counts.registered += 1;
        result.deviceChanged(device.uid);
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
