/** Bench child: what is usually written: mqtt.js, better-sqlite3, a transaction per 200 messages or second, acknowledged before. */
import mqtt from 'mqtt';

// As src/server/store/sqlite/database.ts chooses.
const name = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi' : 'better-sqlite3';
const { default: Database } = await import(name);
const [, , port, path] = process.argv;
const db = new Database(path);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
db.exec('CREATE TABLE reading (id INTEGER PRIMARY KEY, device TEXT, ts INTEGER, epoch TEXT, seq INTEGER, t REAL, h REAL, UNIQUE (device, epoch, seq))');
const insert = db.prepare('INSERT OR IGNORE INTO reading (device, ts, epoch, seq, t, h) VALUES (?, ?, ?, ?, ?, ?)');
let batch = [];
let stored = 0;
const commit = db.transaction((rows) => {
  for (const row of rows) stored += insert.run(...row).changes;
});
const flush = () => {
  if (batch.length === 0) return;
  commit(batch);
  batch = [];
  process.send({ stored });
};
const timer = setInterval(flush, 1_000);
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
  protocolVersion: 5,
  clientId: 'bench',
  clean: false,
  properties: { sessionExpiryInterval: 3_600, receiveMaximum: 1_000 },
});
client.on('message', (topic, payload) => {
  const device = topic.split('/')[3];
  const value = JSON.parse(payload.toString());
  for (const { ts, epoch, seq, temperature_c: t, humidity_pct: h } of Array.isArray(value) ? value : [value]) {
    batch.push([device, ts, epoch, seq, t, h]);
  }
  if (batch.length >= 200) flush();
});
client.on('connect', () => client.subscribe(['home/+/sensors/+/reading', 'home/+/sensors/+/backlog'], { qos: 1 }));
process.once('SIGTERM', () => {
  clearInterval(timer);
  flush();
  client.end(true);
  db.close();
  process.disconnect();
});
