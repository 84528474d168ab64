import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { createSystemClock } from '../../src/platform/clock.ts';
import type { CommitResult, IngestBatch } from '../../src/server/store/ingest-store.ts';
import { createPlacing, createRoomBook } from '../../src/server/store/sqlite/catalogue/rooms.ts';
import { connectWriter, prepareForWriting } from '../../src/server/store/sqlite/database.ts';
import { openSqliteStore, type StoreEngine } from '../../src/server/store/sqlite/open-store.ts';
import { makeDatabase } from '../../src/server/store/sqlite/place/database-file.ts';
import { createKnownDevices } from '../../src/server/store/sqlite/write/devices.ts';
import { createRollups, type Rollups } from '../../src/server/store/sqlite/write/rollups.ts';
import { createRecordWrites } from '../../src/server/store/sqlite/writer.ts';
import { type Database, Sqlite } from '../support/sqlite.ts';
import { storeWorkerUrl } from '../support/sqlite-store.ts';
import { batchOf, itemsOf } from '../support/store-messages.ts';
import { ratio, row } from './report.ts';

const READINGS = 40_000;
const BATCH = 200;
const ROUNDS = 5;
const START_MS = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 30_000;

const NO_ROLLUPS: Rollups = {
  add: nothing,
  recompute: nothing,
  write: nothing,
  forget: nothing,
  forgetStored: nothing,
};

/** So many readings of so many devices, in messages of so many, in batches of 200 readings. */
interface Load {
  readonly name: string;
  readonly devices: number;
  readonly perMessage: number;
}

const LOADS: readonly Load[] = [
  { name: '1,000 devices, single readings', devices: 1_000, perMessage: 1 },
  { name: '20 devices, single readings', devices: 20, perMessage: 1 },
  { name: '20 devices, arrays of 50', devices: 20, perMessage: 50 },
];

describe('readings/s into the store, each batch of 200 on the disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-bench-'));
  let files = 0;
  let workerUrl: URL;
  beforeAll(async () => {
    workerUrl = await storeWorkerUrl();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const newPath = (): string => {
    files += 1;
    return join(folder, `${files}.db`);
  };

  const alone = async (batches: readonly IngestBatch[], rollupsOf: (db: Database) => Rollups): Promise<number> => {
    const path = newPath();
    makeDatabase(Sqlite, path);
    const db = connectWriter(Sqlite, path);
    prepareForWriting(db);
    const shared = { known: createKnownDevices(db), rooms: createRoomBook(db), placing: createPlacing(db) };
    const { commit } = createRecordWrites(db, { ...shared, rollups: rollupsOf(db) });
    try {
      return await rate(batches, (batch) => commit(batch));
    } finally {
      db.close();
    }
  };
  const through = async (batches: readonly IngestBatch[], engine: StoreEngine): Promise<number> => {
    const store = await openSqliteStore({ path: newPath(), engine, clock: createSystemClock(), workerUrl });
    try {
      return await rate(batches, (batch) => store.commit(batch));
    } finally {
      await store.close();
    }
  };

  test.each(LOADS)('$name', async (load) => {
    const batches = batchesOf(load);
    const rates = { plain: [], rollups: [], here: [], threads: [] } as Record<string, number[]>;
    for (let round = 0; round < ROUNDS; round += 1) {
      rates['plain']?.push(await alone(batches, () => NO_ROLLUPS));
      rates['rollups']?.push(await alone(batches, createRollups));
      rates['here']?.push(await through(batches, 'in-process'));
      rates['threads']?.push(await through(batches, 'threads'));
    }
    const [plain, rollups, here, threads] = ['plain', 'rollups', 'here', 'threads'].map((name) =>
      median(rates[name] ?? []),
    );
    const perSecond = (figure = 0): string => `${Math.round(figure).toLocaleString('en')}/s`;
    row(
      `${load.name}: with roll-ups`,
      perSecond(rollups),
      `without ${perSecond(plain)}`,
      ratio(rollups ?? 0, plain ?? 1),
      '>= 0.85',
    );
    row(
      `${load.name}: on a thread`,
      perSecond(threads),
      `in the process ${perSecond(here)}`,
      ratio(threads ?? 0, here ?? 1),
      '',
    );
  });
});

function batchesOf({ devices, perMessage }: Load): readonly IngestBatch[] {
  const batches: IngestBatch[] = [];
  const seqs = new Map<number, number>();
  let device = 0;
  for (let readings = 0; readings < READINGS; readings += BATCH) {
    const messages = Array.from({ length: BATCH / perMessage }, () => {
      device = (device + 1) % devices;
      const items = Array.from({ length: perMessage }, () => {
        const seq = (seqs.get(device) ?? 0) + 1;
        seqs.set(device, seq);
        const tsMs = START_MS + seq * INTERVAL_MS + device;
        return {
          temperatureCelsius: 20 + (seq % 700) / 100,
          humidityPercent: 40 + (seq % 900) / 100,
          tsMs,
          epoch: 'k3v9x2',
          seq,
        };
      });
      return itemsOf(`device-${device}`, items, { receivedMs: START_MS + readings });
    });
    batches.push(batchOf(messages));
  }
  return batches;
}

async function rate(
  batches: readonly IngestBatch[],
  commit: (batch: IngestBatch) => CommitResult | Promise<CommitResult>,
): Promise<number> {
  const startMs = performance.now();
  let stored = 0;
  // As ingest does it: the next batch is at the store while one is being written.
  let before: Promise<CommitResult> | undefined;
  for (const batch of batches) {
    const result = Promise.resolve(commit(batch));
    stored += (await before)?.counts.stored ?? 0;
    before = result;
  }
  stored += (await before)?.counts.stored ?? 0;
  if (stored !== READINGS) throw new Error(`${stored} of ${READINGS} readings were stored`);
  return (stored / (performance.now() - startMs)) * 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function nothing(): void {
  // Takes the place of the roll-ups.
}
