import { encodeStatus } from '../../../../contract/status.ts';
import type { Registration, StatusMessage } from '../../ingest-store.ts';
import type { Device } from '../../stored.ts';
import { MAX_NAME, type Placing } from '../catalogue/rooms.ts';
import type { Database } from '../database.ts';
import type { CommitResultBuilder } from './commit-result.ts';
import type { KnownDevice, KnownDevices, Registry } from './devices.ts';
import { type Rejects, rejectionOf } from './rejects.ts';

/** 2000-01-01: before it, a clock had not been set. */
const EARLIEST_MS = 946_684_800_000;
const MAX_INTERVAL_MS = 7 * 24 * 3_600_000;

interface StatusRow {
  readonly presence: Device['presence'];
  readonly presenceMs: number | null;
  readonly json: string | null;
  readonly statusMs: number | null;
  readonly reportedLabel: string | null;
  readonly reportedRoom: string | null;
}

/** A device's word about itself: registration, presence, room, label, interval. */
export type StatusWriter = (message: StatusMessage, registration: Registration, result: CommitResultBuilder) => void;

export function createStatusWriter(
  db: Database,
  {
    known,
    registry,
    placing,
    rejects,
  }: {
    readonly known: KnownDevices;
    readonly registry: Registry;
    readonly placing: Placing;
    readonly rejects: Rejects;
  },
): StatusWriter {
  const select = db.prepare<[number], StatusRow>(`
    SELECT presence, presence_ms AS presenceMs, status_json AS json, status_ms AS statusMs,
      reported_label AS reportedLabel, reported_room AS reportedRoom FROM devices WHERE id = ?`);
  const update = db.prepare<
    [string, number | null, string | null, number | null, string | null, string | null, number]
  >(`
    UPDATE devices SET presence = ?, presence_ms = ?, status_json = ?, status_ms = ?, reported_label = ?, reported_room = ?
    WHERE id = ?`);
  const lastInterval = db.prepare<[number], { readonly fromMs: number; readonly intervalMs: number }>(`
    SELECT from_ms AS fromMs, interval_ms AS intervalMs FROM intervals WHERE device_id = ? ORDER BY from_ms DESC LIMIT 1`);
  const setInterval_ = db.prepare<[number, number, number]>(
    'INSERT OR REPLACE INTO intervals (device_id, from_ms, interval_ms) VALUES (?, ?, ?)',
  );

  /** The room of its words: a first one where it never stood, or a changed one. A later move is right. */
  const followRoom = (device: KnownDevice, before: StatusRow, name: string, saidMs: number): void => {
    const hasChanged = before.reportedRoom !== null && before.reportedRoom !== name;
    if (device.open === null) {
      if (hasChanged || placing.lastEndMs(device.id) === undefined) registry.standWhereItSays(device, saidMs);
      return;
    }
    if (!hasChanged || saidMs <= device.open.fromMs) return;
    const homeId = device.homeUid === null ? null : known.homeId(device.homeUid);
    const room = registry.roomNamed(name, homeId);
    if (room === undefined || room.uid === device.open.roomUid) return;
    placing.move(device.id, room.id, saidMs);
    device.open = { roomUid: room.uid, fromMs: saidMs };
  };

  const followInterval = (device: KnownDevice, seconds: number | undefined, saidMs: number): void => {
    if (typeof seconds !== 'number' || !(seconds > 0)) return;
    const intervalMs = Math.min(Math.max(1, Math.round(seconds * 1000)), MAX_INTERVAL_MS);
    const last = lastInterval.get(device.id);
    if (last?.intervalMs === intervalMs) return;
    setInterval_.run(device.id, Math.max(saidMs, last?.fromMs ?? saidMs), intervalMs);
  };

  return (message, registration, result) => {
    const { status, isRetained, receivedMs, deviceUid, homeId } = message;
    // A will says only this; it is the broker's word, not the device's.
    const isWill = status.state === 'offline' && Object.keys(status).length === 1;
    const found = known.find(deviceUid);
    const isGone = found === undefined || found.state === 'removed';
    // Somebody who is away does not register, and what the broker held back does not undo a removal.
    const speaks = status.state === 'online' && !(isRetained && found !== undefined);
    if (isGone && !speaks && found === undefined) {
      result.counts.statuses += 1;
      return;
    }
    const admitted =
      isGone && !speaks && found !== undefined
        ? { device: found, isNew: false }
        : registry.admit({ uid: deviceUid, homeId, receivedMs }, registration, result);
    if (typeof admitted === 'string') {
      rejects.keep(message, deviceUid, rejectionOf(admitted, `a status of device ${deviceUid}`, encodeStatus(status)));
      result.rejected(admitted);
      return;
    }
    const { device, isNew } = admitted;
    const before = select.get(device.id);
    if (before === undefined) throw new Error(`The device ${deviceUid} has no row`);
    result.counts.statuses += 1;
    const saidMs = saidAt(message);
    const json = isWill ? before.json : encodeStatus(status);
    const isOther = status.state !== before.presence;
    update.run(
      status.state,
      isOther ? presenceSince(message) : before.presenceMs,
      json,
      isWill || (isRetained && json === before.json) ? before.statusMs : isRetained ? saidMs : receivedMs,
      textOf(status.label) ?? before.reportedLabel,
      textOf(status.room) ?? before.reportedRoom,
      device.id,
    );
    if (isOther || json !== before.json) result.deviceChanged(deviceUid);
    if (isWill || device.state === 'removed') return;
    const room = textOf(status.room);
    if (isNew) registry.standWhereItSays(device, saidMs);
    else if (room !== undefined) followRoom(device, before, room, saidMs);
    followInterval(device, status.interval_s, saidMs);
  };
}

/** When it was said: by its own clock where that can be right, else when it came. */
function saidAt({ status: { ts, clock }, receivedMs }: StatusMessage): number {
  if (typeof ts !== 'number' || !Number.isInteger(ts) || clock?.state === 'unsynced') return receivedMs;
  return ts >= EARLIEST_MS && ts <= receivedMs ? ts : receivedMs;
}

/** Of a message that the broker held, only its own time says since when. */
function presenceSince(message: StatusMessage): number | null {
  return message.isRetained && typeof message.status.ts !== 'number' ? null : saidAt(message);
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value
    .normalize('NFC')
    .replace(/\p{Cc}/gu, ' ')
    .trim()
    .slice(0, MAX_NAME)
    .trim();
  return text === '' ? undefined : text;
}
