import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FINDINGS as DEVICE_FINDINGS } from '../../../src/device/doctor/findings/catalogue.ts';
import { FINDINGS as SERVER_FINDINGS } from '../../../src/server/doctor/findings/catalogue.ts';
import { createServerMetrics } from '../../../src/server/metrics.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';
import type { Device } from '../../../src/server/store/stored.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { expectGolden, expectGoldenJson } from '../../support/golden.ts';
import { openHttpRig } from '../../support/http-rig.ts';
import { Sqlite } from '../../support/sqlite.ts';

describe('what the server shows to programs', () => {
  // test/integration/server/openapi.test.ts proves that it is valid and that the answers follow it.
  it('is described by the same OpenAPI document', async () => {
    await using rig = await openHttpRig();
    const { status, body } = await rig.ask('GET', '/docs/json');
    expect(status).toBe(200);
    expectGoldenJson('openapi.json', body);
  });

  it('has metrics of the same names, types, labels and help', async () => {
    const clock = new FakeClock();
    const metrics = createServerMetrics({ version: '1.2.3', clock });
    metrics.answered('GET', '/api/v1/devices', 200, 12);
    metrics.observer.commitFailed('STORE_FULL');
    const text = await metrics.exposition({
      ingest: {
        link: 'connected',
        linkSinceMs: 0,
        broker: 'localhost:1883',
        waiting: 3,
        isHeldBack: true,
        lastCommitMs: clock.nowMs(),
        brokerDropped: 0,
        leftOut: [],
      },
      storeHealth: { isOk: true, schemaVersion: 2, sizeBytes: 4096, freeBytes: 8192, logBytes: 1024 },
      devices: [{ state: 'active', presence: 'online' } as Device],
      quarantine: { waiting: 0, waitingForTime: 0, newestForTimeMs: null, devices: [] },
      clockState: { kind: 'ok' },
      watchers: 2,
      record: { outcome: 'whole', holes: 0, doubled: 0, unnumbered: 0, ageMs: 1_000 },
    });
    // Every series, without its value.
    const series = text.split('\n').map((line) => (line.startsWith('#') ? line : line.replace(/ [^ ]+$/, '')));
    expectGolden('metrics.txt', `Content-Type: ${metrics.contentType}\n\n${series.join('\n')}`);
  });

  it('is stored in the same tables', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'techtemp-golden-'));
    try {
      const path = join(folder, 'techtemp.db');
      const store = await openSqliteStore({ path, engine: 'in-process', clock: new FakeClock() });
      await store.close();
      const db = new Sqlite(path, { readonly: true });
      const objects = db
        .prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name')
        .all() as readonly { type: string; name: string; tbl_name: string; sql: string | null }[];
      const pragmas = ['application_id', 'user_version'].map(
        (name) => `PRAGMA ${name} = ${String(db.pragma(name, { simple: true }))};`,
      );
      db.close();
      const statements = objects.map(({ type, name, tbl_name: table, sql }) =>
        sql === null ? `-- ${type} ${name} on ${table}, made by SQLite` : `-- ${type} ${name} on ${table}\n${sql};`,
      );
      expectGolden('database-schema.sql', `${[...pragmas, ...statements].join('\n\n')}\n`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('what the doctors find', () => {
  // FINDINGS.md of each program has the texts; ids and verdicts are what scripts look for.
  it('has the same ids and verdicts', () => {
    const verdicts = (catalogue: Readonly<Record<string, { readonly verdict: string }>>): Record<string, string> =>
      Object.fromEntries(
        Object.entries(catalogue)
          .map(([id, { verdict }]) => [id, verdict] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    expectGoldenJson('finding-ids.json', {
      'techtemp-device check': verdicts(DEVICE_FINDINGS),
      'techtemp-server check': verdicts(SERVER_FINDINGS),
    });
  });
});
