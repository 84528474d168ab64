import { MIGRATIONS } from '../../src/server/store/sqlite/migrate.ts';
import type { StoredGap } from '../../src/server/store/stored.ts';
import { type Database, Sqlite } from './sqlite.ts';

/** The newest schema, in memory or in a file, with nothing in it. */
export function emptyDatabase(path = ':memory:'): Database {
  const db = new Sqlite(path);
  for (const sql of MIGRATIONS) db.exec(sql);
  return db;
}

/** Writes rows as they lie in the tables, by names; for tests of the reading end alone. */
export class StoreRows {
  readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  room(uid: string): number {
    this.db.prepare('INSERT INTO rooms (uid, name) VALUES (?, ?) ON CONFLICT DO NOTHING').run(uid, uid);
    return this.#id('SELECT id FROM rooms WHERE uid = ?', uid);
  }

  device(uid: string, state = 'active'): number {
    this.db
      .prepare('INSERT INTO devices (uid, state, created_ms) VALUES (?, ?, 0) ON CONFLICT DO NOTHING')
      .run(uid, state);
    return this.#id('SELECT id FROM devices WHERE uid = ?', uid);
  }

  epoch(deviceUid: string, epoch: string): number {
    const device = this.device(deviceUid);
    this.db.prepare('INSERT INTO epochs (device_id, epoch) VALUES (?, ?) ON CONFLICT DO NOTHING').run(device, epoch);
    return this.db
      .prepare<[number, string], number>('SELECT id FROM epochs WHERE device_id = ? AND epoch = ?')
      .pluck()
      .get(device, epoch)!;
  }

  quarantined({
    deviceUid,
    epoch,
    seq,
  }: {
    readonly deviceUid: string;
    readonly epoch: string;
    readonly seq: number;
  }): void {
    this.db
      .prepare(
        `INSERT INTO quarantine (device_id, epoch_id, seq, digest, reason, detail, topic, item, received_ms, boot, monotonic_ms, was_confirmed)
         VALUES (?, ?, ?, ?, 'bad-time', '', '', '{}', 0, '', 0, 0)`,
      )
      .run(this.device(deviceUid), this.epoch(deviceUid, epoch), seq, String(seq));
  }

  placement(deviceUid: string, roomUid: string, fromMs: number, toMs: number | null = null): void {
    this.db
      .prepare('INSERT INTO placements (device_id, room_id, from_ms, to_ms) VALUES (?, ?, ?, ?)')
      .run(this.device(deviceUid), this.room(roomUid), fromMs, toMs);
  }

  /** With its roll-up and, where it is the newest, as `latest`. */
  reading(row: TestReading): void {
    const device = this.device(row.deviceUid);
    const epoch = row.epoch === undefined ? 0 : this.epoch(row.deviceUid, row.epoch);
    const [temperature, humidity] = [row.temperature ?? 20, row.humidity ?? 50];
    const values = [device, row.tsMs, epoch, row.seq ?? 0, temperature, humidity, row.flags ?? 0] as const;
    this.db.prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)').run(...values);
    this.db
      .prepare(
        `INSERT INTO latest (device_id, ts_ms, epoch_id, seq, temperature, humidity, flags, seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET ts_ms = excluded.ts_ms,
         epoch_id = excluded.epoch_id, seq = excluded.seq, temperature = excluded.temperature, humidity = excluded.humidity,
         flags = excluded.flags WHERE excluded.ts_ms >= ts_ms`,
      )
      .run(...values);
    this.db
      .prepare(
        `INSERT INTO rollups_hourly VALUES (@device, @hour, 1, @t, @t, @t, @h, @h, @h) ON CONFLICT DO UPDATE SET
         count = count + 1, temperature_sum = temperature_sum + @t, temperature_min = min(temperature_min, @t),
         temperature_max = max(temperature_max, @t), humidity_sum = humidity_sum + @h,
         humidity_min = min(humidity_min, @h), humidity_max = max(humidity_max, @h)`,
      )
      .run({ device, hour: Math.floor(row.tsMs / 3_600_000) * 3_600_000, t: temperature, h: humidity });
  }

  gap(gap: StoredGap): void {
    const { deviceUid, epoch, seq, tsMs, ofEpoch, fromSeq, toSeq, count, reason, fromTsMs, toTsMs } = gap;
    this.db
      .prepare(
        `INSERT INTO gaps (device_id, epoch_id, seq, ts_ms, of_epoch, from_seq, to_seq, count, reason, from_ts_ms, to_ts_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[this.device(deviceUid), this.epoch(deviceUid, epoch), seq, tsMs],
        ...[ofEpoch, fromSeq, toSeq, count, reason, fromTsMs, toTsMs],
      );
  }

  #id(sql: string, uid: string): number {
    return this.db.prepare<[string], number>(sql).pluck().get(uid)!;
  }
}

export interface TestReading {
  readonly deviceUid: string;
  readonly tsMs: number;
  readonly epoch?: string;
  readonly seq?: number;
  readonly temperature?: number;
  readonly humidity?: number;
  readonly flags?: number;
}
