/** Bench child: the least that the promises cost: the record's three tables in bare SQLite, each commit on disk, ready rows. */

// As src/server/store/sqlite/database.ts chooses.
const name = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi' : 'better-sqlite3';
const { default: Database } = await import(name);
const [, , path, readingsText] = process.argv;
const readings = Number(readingsText);
const DEVICES = 1_000;
const GROUP = 200;
const HOUR_MS = 3_600_000;
const db = new Database(path);
db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -65536;
  CREATE TABLE readings (device_id INTEGER, ts_ms INTEGER, epoch_id INTEGER, seq INTEGER, temperature REAL, humidity REAL,
    flags INTEGER, PRIMARY KEY (device_id, ts_ms, epoch_id, seq)) WITHOUT ROWID;
  CREATE TABLE rollups_hourly (device_id INTEGER, hour_ms INTEGER, count INTEGER, temperature_sum REAL, temperature_min REAL,
    temperature_max REAL, humidity_sum REAL, humidity_min REAL, humidity_max REAL, PRIMARY KEY (device_id, hour_ms)) WITHOUT ROWID;
  CREATE TABLE latest (device_id INTEGER PRIMARY KEY, ts_ms INTEGER, epoch_id INTEGER, seq INTEGER, temperature REAL, humidity REAL,
    flags INTEGER, seen_ms INTEGER)`);
const begin = db.prepare('BEGIN IMMEDIATE');
const commit = db.prepare('COMMIT');
const reading = db.prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
const rollup = db.prepare(`INSERT INTO rollups_hourly VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (device_id, hour_ms) DO UPDATE SET count = count + 1,
    temperature_sum = temperature_sum + excluded.temperature_sum, humidity_sum = humidity_sum + excluded.humidity_sum,
    temperature_min = min(temperature_min, excluded.temperature_min), temperature_max = max(temperature_max, excluded.temperature_max),
    humidity_min = min(humidity_min, excluded.humidity_min), humidity_max = max(humidity_max, excluded.humidity_max)`);
const latest = db.prepare('INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
const beganMs = performance.now();
const began = process.cpuUsage();
for (let index = 0; index < readings; ) {
  begin.run();
  for (const end = Math.min(index + GROUP, readings); index < end; index += 1) {
    const device = (index % DEVICES) + 1;
    const seq = Math.floor(index / DEVICES) + 1;
    const tsMs = 1_757_537_685_793 + seq * 30_000 + device;
    const t = 18 + ((device + seq) % 800) / 100;
    const h = 35 + ((device * 7 + seq) % 3_000) / 100;
    reading.run(device, tsMs, device, seq, t, h, 0);
    rollup.run(device, Math.floor(tsMs / HOUR_MS) * HOUR_MS, t, t, t, h, h, h);
    latest.run(device, tsMs, device, seq, t, h, 0, tsMs);
  }
  commit.run();
}
const { user, system } = process.cpuUsage(began);
process.send({ perSecond: (readings / (performance.now() - beganMs)) * 1000, cpuSecondsPer100k: ((user + system) / 1e6 / readings) * 1e5 });
db.close();
process.disconnect();
