import type { DeviceIntegrity, RecordIntegrity } from '../../audit-store.ts';
import type { Database } from '../database.ts';

const HOUR_MS = 3_600_000;
/** Sums are added up in the order of arrival, and here in the order of time: floating point differs in its last digits. */
const SUM_TOLERANCE = 1e-6;

/** The tables that are made from the readings, held against the readings; and ids that lead nowhere. Changes nothing. */
export function createIntegrity(db: Database): {
  readonly integrity: (deviceUid: string) => DeviceIntegrity;
  readonly recordIntegrity: () => RecordIntegrity;
} {
  const selectId = db.prepare<[string], number>('SELECT id FROM devices WHERE uid = ?').pluck();
  const selectNewest = db
    .prepare<[number], number>(`
      SELECT EXISTS (SELECT 1 FROM readings r WHERE r.device_id = l.device_id AND r.ts_ms = l.ts_ms
        AND r.epoch_id = l.epoch_id AND r.seq = l.seq)
      FROM latest l WHERE l.device_id = ?`)
    .pluck();
  const hasReadings = db
    .prepare<[number], number>('SELECT EXISTS (SELECT 1 FROM readings WHERE device_id = ?)')
    .pluck();
  const strayEpochs = db
    .prepare<[{ readonly id: number }], number>(`
      SELECT count(*) FROM (SELECT DISTINCT epoch_id FROM readings WHERE device_id = @id AND epoch_id <> 0) r
      WHERE NOT EXISTS (SELECT 1 FROM epochs e WHERE e.id = r.epoch_id AND e.device_id = @id)`)
    .pluck();
  const compareHours = db.prepare<
    [object],
    { readonly hours: number; readonly wrong: number; readonly firstMs: number | null }
  >(`
    WITH made AS (
      SELECT ts_ms - ((ts_ms % ${HOUR_MS}) + ${HOUR_MS}) % ${HOUR_MS} AS hour_ms, count(*) AS count,
        sum(temperature) AS ts, min(temperature) AS tn, max(temperature) AS tx,
        sum(humidity) AS hs, min(humidity) AS hn, max(humidity) AS hx
      FROM readings WHERE device_id = @id GROUP BY 1
    ), held AS (
      SELECT hour_ms, count, temperature_sum AS ts, temperature_min AS tn, temperature_max AS tx,
        humidity_sum AS hs, humidity_min AS hn, humidity_max AS hx
      FROM rollups_hourly WHERE device_id = @id AND count > 0
    ), compared AS (
      SELECT hour_ms, made.count IS NOT held.count OR made.tn IS NOT held.tn OR made.tx IS NOT held.tx
        OR made.hn IS NOT held.hn OR made.hx IS NOT held.hx
        OR abs(made.ts - held.ts) > ${SUM_TOLERANCE} * (1 + abs(made.ts))
        OR abs(made.hs - held.hs) > ${SUM_TOLERANCE} * (1 + abs(made.hs)) AS is_wrong
      FROM made FULL JOIN held USING (hour_ms)
    )
    SELECT count(*) AS hours, coalesce(sum(is_wrong), 0) AS wrong, min(CASE WHEN is_wrong THEN hour_ms END) AS firstMs
    FROM compared`);
  // Step by step through the key: all readings are not read for it.
  const readingsOfNobody = db
    .prepare<[], number>(`
      WITH RECURSIVE owner (id) AS (
        SELECT min(device_id) FROM readings
        UNION ALL
        SELECT (SELECT min(device_id) FROM readings WHERE device_id > owner.id) FROM owner WHERE owner.id IS NOT NULL
      )
      SELECT count(*) FROM owner WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM devices)`)
    .pluck();
  const selectRecord = db.prepare<[], { id: string; createdMs: number; generation: number; formerIds: string }>(`
    SELECT id, created_ms AS createdMs, CAST(generation AS INTEGER) AS generation, former_ids AS formerIds FROM record`);

  return {
    integrity(deviceUid) {
      const id = selectId.get(deviceUid);
      if (id === undefined) return { newest: 'none', hours: 0, wrongHours: 0, firstWrongHourMs: null, strayEpochs: 0 };
      const isThere = selectNewest.get(id);
      const isNone = isThere === undefined && hasReadings.get(id) === 0;
      const found = compareHours.get({ id });
      return {
        newest: isThere === 1 ? 'ok' : isNone ? 'none' : isThere === undefined ? 'missing' : 'without-reading',
        hours: found?.hours ?? 0,
        wrongHours: found?.wrong ?? 0,
        firstWrongHourMs: found?.firstMs ?? null,
        strayEpochs: strayEpochs.get({ id }) ?? 0,
      };
    },
    recordIntegrity() {
      const record = selectRecord.get();
      if (record === undefined) throw new Error('The table record has no row');
      const { id, createdMs, generation } = record;
      const formerIds = JSON.parse(record.formerIds) as readonly string[];
      return { id, createdMs, generation, formerIds, strayDevices: readingsOfNobody.get() ?? 0 };
    },
  };
}
