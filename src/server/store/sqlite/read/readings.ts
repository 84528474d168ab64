import type { Database } from 'better-sqlite3';
import type { ReadingPage, ReadingQuery, ReadingStore } from '../../store.ts';
import type { StoredReading } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import {
  decodeCursor,
  encodeCursor,
  isReadingCursor,
  mergeStretches,
  type Place,
  type ReadingCursor,
} from './pages.ts';
import type { RoomStretch, Scopes } from './scopes.ts';

/** Epochs by name and by internal number. 0 stands for the readings without numbers, whose epoch is null. */
export interface EpochNames {
  /** Remembers what it has looked up: one per question. */
  lookup(): (epochId: number) => string | null;
  idOf(deviceUid: string, epoch: string | null): number | undefined;
}

export function createEpochNames(db: Database): EpochNames {
  const name = db.prepare<[number], string>('SELECT epoch FROM epochs WHERE id = ?').pluck();
  const id = db
    .prepare<[string, string], number>(
      'SELECT e.id FROM epochs e JOIN devices d ON d.id = e.device_id WHERE d.uid = ? AND e.epoch = ?',
    )
    .pluck();
  return {
    lookup() {
      const known = new Map<number, string | null>([[0, null]]);
      return (epochId) => {
        const found = known.get(epochId);
        if (found !== undefined) return found;
        const epoch = name.get(epochId) ?? null;
        known.set(epochId, epoch);
        return epoch;
      };
    },
    idOf: (deviceUid, epoch) => (epoch === null ? 0 : id.get(deviceUid, epoch)),
  };
}

/** The bits of the column `flags` of readings. */
export const FLAG_UNSYNCED = 1;
export const FLAG_ON_DEMAND = 2;

/** As selected; an array is a third cheaper than an object. */
export type ReadingRow = readonly [
  tsMs: number,
  epochId: number,
  seq: number,
  temperature: number,
  humidity: number,
  flags: number,
];

const COLUMNS = 'ts_ms, epoch_id, seq, temperature, humidity, flags';
const OLDEST_FIRST = `
  SELECT ${COLUMNS} FROM readings WHERE device_id = ? AND (ts_ms, epoch_id, seq) > (?, ?, ?) AND ts_ms < ?
  ORDER BY ts_ms, epoch_id, seq LIMIT ?`;
const NEWEST_FIRST = `
  SELECT ${COLUMNS} FROM readings WHERE device_id = ? AND (ts_ms, epoch_id, seq) < (?, ?, ?) AND ts_ms >= ?
  ORDER BY ts_ms DESC, epoch_id DESC, seq DESC LIMIT ?`;

/**
 * Pages by place, not by offset: what is added before the place does not shift what comes behind it. Several devices are merged
 * by time, each read along its own range of the clustered key.
 */
export function createReadingPages(db: Database, scopes: Scopes): (query: ReadingQuery) => ReadingPage {
  type Arguments = [number, number, number, number, number, number];
  const oldestFirst = db.prepare<Arguments, ReadingRow>(OLDEST_FIRST).raw();
  const newestFirst = db.prepare<Arguments, ReadingRow>(NEWEST_FIRST).raw();
  const epochs = createEpochNames(db);

  return ({ scope, fromMs, toMs, order, limit, after }) => {
    const cursor = after === undefined ? undefined : decodeCursor(after, isReadingCursor);
    const isNewestFirst = order === 'newest-first';
    const read = (stretch: RoomStretch, [tsMs, epochId, seq]: Place, count: number): ReadingRow[] =>
      isNewestFirst
        ? newestFirst.all(stretch.deviceId, tsMs, epochId, seq, stretch.fromMs, count)
        : oldestFirst.all(stretch.deviceId, tsMs, epochId, seq, stretch.toMs, count);
    const start = cursor === undefined ? undefined : startOf(cursor, epochs, isNewestFirst);
    const stretches = scopes.roomStretches(scope, fromMs, toMs);
    const epochName = epochs.lookup();
    const readings: StoredReading[] = [];
    for (const { stretch, row } of mergeStretches({ stretches, isNewestFirst, start, read, limit: limit + 1 })) {
      if (readings.length === limit) return { readings, next: cursorOf(readings.at(-1)) };
      readings.push(toReading(stretch, row, epochName));
    }
    return { readings };
  };
}

/** Where to go on in a device's readings, given the place at which the page before ended. */
function startOf(cursor: ReadingCursor, epochs: EpochNames, isNewestFirst: boolean): (deviceUid: string) => Place {
  const [tsMs, uid, epoch, seq] = cursor;
  const before: Place = [tsMs, -1, -1];
  const behind: Place = [tsMs, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  // An epoch that has gone (its device was deleted): rather the same moment twice than a reading left out.
  const epochId = epochs.idOf(uid, epoch);
  const same: Place = epochId === undefined ? (isNewestFirst ? behind : before) : [tsMs, epochId, seq ?? 0];
  return (deviceUid) => (deviceUid === uid ? same : deviceUid < uid ? behind : before);
}

function cursorOf(reading: StoredReading | undefined): string {
  return encodeCursor(reading === undefined ? [] : [reading.tsMs, reading.deviceUid, reading.epoch, reading.seq]);
}

function toReading(
  { deviceUid, roomUid }: RoomStretch,
  [tsMs, epochId, seq, temperatureCelsius, humidityPercent, flags]: ReadingRow,
  epochName: (epochId: number) => string | null,
): StoredReading {
  return {
    deviceUid,
    roomUid,
    tsMs,
    temperatureCelsius,
    humidityPercent,
    epoch: epochName(epochId),
    seq: epochId === 0 ? null : seq,
    isUnsynced: (flags & FLAG_UNSYNCED) !== 0,
    isOnDemand: (flags & FLAG_ON_DEMAND) !== 0,
  };
}

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

/** Two steps down the clustered key for each stretch. */
export function createExtent(db: Database, scopes: Scopes): Sync<ReadingStore>['extent'] {
  const within = 'FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?';
  const oldest = db.prepare<[number, number, number], number | null>(`SELECT min(ts_ms) ${within}`).pluck();
  const newest = db.prepare<[number, number, number], number | null>(`SELECT max(ts_ms) ${within}`).pluck();
  return (scope) => {
    let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const stretch of scopes.stretches(scope, 0, Number.MAX_SAFE_INTEGER)) {
      const range = [stretch.deviceId, stretch.fromMs, stretch.toMs] as const;
      fromMs = Math.min(fromMs, oldest.get(...range) ?? fromMs);
      toMs = Math.max(toMs, newest.get(...range) ?? toMs);
    }
    return fromMs <= toMs ? { fromMs, toMs } : undefined;
  };
}
