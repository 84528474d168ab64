import type { Database } from 'better-sqlite3';
import type { ReadingPage, ReadingQuery } from '../../reading-store.ts';
import type { StoredReading } from '../../stored.ts';
import { decodeCursor, encodeCursor, isReadingCursor, type ReadingCursor } from './cursor.ts';
import { createEpochNames, type EpochNames } from './epoch-names.ts';
import { mergeStretches, type Place } from './merge.ts';
import { FLAG_ON_DEMAND, FLAG_UNSYNCED } from './reading-flags.ts';
import type { RoomStretch, Scopes } from './scopes.ts';

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
