import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { autoBucket, bucketEdges } from '../../src/calendar/buckets.ts';
import { createSqliteReader, type SqliteReader } from '../../src/server/store/sqlite/reader.ts';
import { createRollups } from '../../src/server/store/sqlite/write/rollups.ts';
import type { ReadingScope } from '../../src/server/store/store.ts';
import type { Database } from '../support/sqlite.ts';
import { emptyDatabase, StoreRows } from '../support/store-rows.ts';
import { ratio, row } from './report.ts';

/** Rows in all; half of them of one device over a year, the rest of 999 devices at 30 s. Less for a quick look. */
const ROWS = Number(process.env['BENCH_STORE_ROWS'] ?? 10_000_000);
const DEVICES = 1_000;
const YEAR_MS = 365 * 86_400_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const END_MS = Date.parse('2026-11-21T00:00:00Z');
const START_MS = END_MS - YEAR_MS;
const ROUNDS = 5;
const INGESTED = Math.min(200_000, ROWS);
const TIME_ZONE = 'Europe/Brussels';

const folder = mkdtempSync(join(tmpdir(), 'techtemp-bench-'));
const [path, plainPath] = [join(folder, 'techtemp.db'), join(folder, 'plain.db')];
let db: Database;
let plain: Database;
let reader: SqliteReader;

beforeAll(() => {
  db = emptyDatabase(path);
  plain = emptyDatabase(plainPath);
  for (const each of [db, plain])
    each.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536');
  fill();
  fillPlain();
  for (const each of [db, plain]) each.exec('ANALYZE; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = -16384');
  reader = createSqliteReader(db);
}, 3_600_000);

afterAll(() => {
  db.close();
  plain.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('questions to ten million readings, beside a table with an index on device and time', () => {
  test('the newest reading of every device', () => {
    const seek = plain
      .prepare('SELECT ts_ms, temperature, humidity FROM plain WHERE device_id = ? ORDER BY ts_ms DESC LIMIT 1')
      .raw();
    const seeks = (): void => {
      for (let id = 1; id <= DEVICES; id += 1) seek.get(id);
    };
    compare(`latest of ${DEVICES} devices`, () => reader.latest(), `${DEVICES} seeks`, seeks, '<= 0.25', 15);
  });

  test('a day of one device, raw', () => {
    const columns = 'ts_ms, epoch_id, seq, temperature, humidity, flags';
    const ofDay = plain
      .prepare(`SELECT ${columns} FROM plain WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ? ORDER BY ts_ms`)
      .raw();
    const range = { fromMs: END_MS - DAY_MS, toMs: END_MS, order: 'oldest-first', limit: 100_000 } as const;
    const day = (id: number): number => reader.readings({ ...range, scope: { deviceUid: uidOf(id) } }).readings.length;
    const besides = (id: number): unknown => ofDay.all(id, END_MS - DAY_MS, END_MS);
    // Another device each time, as people ask: what the last one left in memory does not help.
    const typical = (round: number): number => 100 + round * 7;
    const what = `a day raw of a typical device, ${day(2)} readings`;
    compare(
      what,
      (round) => day(typical(round)),
      'plain index',
      (round) => besides(typical(round)),
      '<= 0.35',
      25,
    );
    compare(
      `the same of the big device, ${day(1)}`,
      () => day(1),
      'plain index',
      () => besides(1),
      '',
    );
  });

  const allSteps = (scope: ReadingScope, edgesMs: readonly number[]): void => {
    for (let step = reader.bucketStep(scope, edgesMs); step.next !== undefined; ) {
      step = reader.bucketStep(scope, edgesMs, step.next);
    }
  };

  test('any range to about 500 points', () => {
    for (const [what, lengthMs, goal] of [
      ['a day', DAY_MS, ''],
      ['30 days', 30 * DAY_MS, '<= 0.02'],
      ['a year', YEAR_MS, '<= 0.01'],
    ] as const) {
      const range = { fromMs: END_MS - lengthMs, toMs: END_MS };
      const edges = bucketEdges({ ...range, bucket: autoBucket(range.fromMs, range.toMs, 500), timeZone: TIME_ZONE });
      const ours = (): unknown => allSteps({ deviceUid: uidOf(1) }, edges);
      const besides = (): unknown => groupBy(range.fromMs, lengthMs / 500);
      compare(`${what} to ${edges.length - 1} points`, ours, 'GROUP BY of all rows', besides, goal);
    }
  });

  test('what else is asked for, beside a year by GROUP BY', () => {
    const whole = { fromMs: START_MS, toMs: END_MS };
    const hours = bucketEdges({ ...whole, bucket: '1h', timeZone: TIME_ZONE });
    const days = bucketEdges({ ...whole, bucket: '1d', timeZone: 'Asia/Kolkata' });
    const device = { deviceUid: uidOf(1) };
    const day = { fromMs: END_MS - DAY_MS, toMs: END_MS, order: 'newest-first' } as const;
    const besides = (): unknown => groupBy(START_MS, YEAR_MS / 500);
    const beside = (what: string, ours: () => unknown): void => compare(what, ours, 'GROUP BY', besides, '', 3);
    beside('a year by hour, 8,760 buckets', () => allSteps(device, hours));
    beside('a year by day, half an hour off UTC', () => allSteps(device, days));
    beside('a page of 1,000 readings of all devices', () => reader.readings({ ...day, scope: 'all', limit: 1000 }));
    compare(
      'numbers of the big device, for verify',
      () => reader.numbers(uidOf(1)),
      'reading its rows',
      readRows,
      '',
      1,
    );
  });

  test('the size of the file', () => {
    const [ours, theirs] = [statSync(path).size, statSync(plainPath).size];
    row(
      'file, roll-ups included',
      megabytes(ours),
      `plain index: ${megabytes(theirs)}`,
      ratio(ours, theirs),
      '<= 0.75',
    );
  });
});

test('what roll-ups cost while readings come in, 200 a commit', () => {
  for (const [what, inARow] of [
    ['all devices in turn', 1],
    ['a backlog, 50 of a device', 50],
  ] as const) {
    const rates = { kept: [] as number[], bare: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      rates.kept.push(ingestRate(true, inARow));
      rates.bare.push(ingestRate(false, inARow));
    }
    const [kept, bare] = [middle(rates.kept), middle(rates.bare)];
    row(`roll-ups: ${what}`, `${kept.toFixed(0)} /s`, `without: ${bare.toFixed(0)} /s`, ratio(kept, bare), '>= 0.85');
  }
});

/** In turns, so that what disturbs one disturbs the other; the ratio is the median of those of each round. */
function compare(
  what: string,
  ours: (round: number) => unknown,
  name: string,
  besides: (round: number) => unknown,
  goal: string,
  rounds = ROUNDS,
): void {
  // One more to warm up.
  const all = Array.from({ length: rounds + 1 }, (_, round) => ({
    oursMs: timed(() => ours(round)),
    besidesMs: timed(() => besides(round)),
  })).slice(rounds > 1 ? 1 : 0);
  const [oursMs, besidesMs] = [middle(all.map((each) => each.oursMs)), middle(all.map((each) => each.besidesMs))];
  const ratios = middle(all.map((each) => each.oursMs / each.besidesMs));
  row(what, `${oursMs.toFixed(2)} ms`, `${name}: ${besidesMs.toFixed(1)} ms`, ratios.toFixed(3), goal);
}

function timed(run: () => unknown): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

function middle(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[figures.length >>> 1] ?? Number.NaN;
}

function groupBy(fromMs: number, bucketMs: number): unknown[] {
  return plain
    .prepare(
      `SELECT (ts_ms - CAST(? AS INTEGER)) / CAST(? AS INTEGER) AS bucket, count(*), min(temperature), avg(temperature),
         max(temperature), min(humidity), avg(humidity), max(humidity)
       FROM plain WHERE device_id = 1 AND ts_ms >= ? GROUP BY bucket`,
    )
    .raw()
    .all(fromMs, bucketMs, fromMs);
}

function readRows(): number {
  let count = 0;
  const rows = db.prepare('SELECT epoch_id, seq, ts_ms FROM readings WHERE device_id = 1').raw();
  for (const each of rows.iterate()) count += (each as readonly unknown[]).length;
  return count;
}

function uidOf(id: number): string {
  return `device-${String(id).padStart(4, '0')}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

/** Made inside SQLite, device by device in order of the key: minutes instead of hours. */
function fill(): void {
  const store = new StoreRows(db);
  db.transaction(() => {
    for (let id = 1; id <= DEVICES; id += 1) {
      store.placement(uidOf(id), `room-${id % 100}`, 0);
      store.epoch(uidOf(id), `epoch${id}`);
    }
  })();
  const insert = db.prepare(`
    WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < CAST(@count AS INTEGER))
    INSERT INTO readings
    SELECT CAST(@id AS INTEGER), CAST(@end AS INTEGER) - (CAST(@count AS INTEGER) - seq + 1) * CAST(@every AS INTEGER),
      CAST(@id AS INTEGER), seq, round(20 + 5 * sin(seq / 5000.0) + (seq * 7919 % 100) / 100.0, 2), 40 + seq % 2000 / 100.0, 0
    FROM n`);
  const big = Math.floor(ROWS / 2);
  const each = Math.floor((ROWS - big) / (DEVICES - 1));
  db.transaction(() => {
    insert.run({ id: 1, count: big, every: Math.floor(YEAR_MS / big), end: END_MS });
    for (let id = 2; id <= DEVICES; id += 1) insert.run({ id, count: each, every: 30_000, end: END_MS });
    db.exec(`
      INSERT INTO rollups_hourly
      SELECT device_id, ts_ms / ${HOUR_MS} * ${HOUR_MS}, count(*), sum(temperature), min(temperature), max(temperature),
        sum(humidity), min(humidity), max(humidity) FROM readings GROUP BY 1, 2;
      INSERT INTO latest SELECT device_id, max(ts_ms), epoch_id, seq, temperature, humidity, flags, ts_ms FROM readings GROUP BY 1`);
  })();
}

function fillPlain(): void {
  plain.exec(`
    CREATE TABLE plain (device_id INTEGER NOT NULL, ts_ms INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
      temperature REAL NOT NULL, humidity REAL NOT NULL, flags INTEGER NOT NULL) STRICT;
    ATTACH '${path}' AS ours;
    INSERT INTO plain SELECT * FROM ours.readings ORDER BY ts_ms;
    CREATE INDEX plain_device_time ON plain (device_id, ts_ms);
    DETACH ours`);
}

/** Rows a second of a new database, 200 a transaction: so many of a device, then the next device. */
function ingestRate(withRollups: boolean, inARow: number): number {
  const target = emptyDatabase(join(folder, 'ingest.db'));
  target.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -65536',
  );
  const insert = target.prepare('INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, 0)');
  const rollups = createRollups(target);
  const commit = target.transaction((from: number) => {
    for (let index = from; index < from + 200; index += 1) {
      const turn = Math.floor(index / inARow);
      const [id, seq] = [(turn % DEVICES) + 1, Math.floor(turn / DEVICES) * inARow + (index % inARow) + 1];
      const [tsMs, t, h] = [START_MS + seq * 30_000, 20 + (index % 500) / 100, 40 + (index % 700) / 100];
      insert.run(id, tsMs, id, seq, t, h);
      if (withRollups) rollups.add(id, tsMs, t, h);
    }
    rollups.write();
    rollups.forget();
  });
  const began = performance.now();
  for (let from = 0; from < INGESTED; from += 200) commit(from);
  const rate = (INGESTED / (performance.now() - began)) * 1000;
  target.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `ingest.db${suffix}`), { force: true });
  return rate;
}
