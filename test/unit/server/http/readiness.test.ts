import { describe, expect, it } from 'vitest';
import { readiness, type Waits } from '../../../../src/server/http/routes/health.ts';
import type { IngestState } from '../../../../src/server/ingest/ingest.ts';
import type { StoreHealth } from '../../../../src/server/store/store.ts';

const NOW = Date.UTC(2026, 0, 31);
const well: IngestState = {
  link: 'connected',
  linkSinceMs: 0,
  broker: 'localhost:1883',
  waiting: 0,
  isHeldBack: false,
  lastCommitMs: NOW - 5_000,
  brokerDropped: null,
  leftOut: [],
};
const store: StoreHealth = { isOk: true, schemaVersion: 2, sizeBytes: 1, freeBytes: 1e9 };
const MIN_FREE = 100 * 1024 * 1024;

describe('readiness', () => {
  it('A2: is not there while readings come that have to wait, or there is no room for them, or devices contradict the clock', () => {
    const waiting = { waiting: 9, waitingForTime: 9, newestForTimeMs: NOW - 60_000, devices: [] };
    const clock = { kind: 'ok' } as const;
    const told = (waits: Waits) => readiness(well, store, MIN_FREE, NOW, waits);
    const grows = told({ summary: waiting, max: 100, clock });
    expect(grows.status).toBe('not-ready');
    expect(grows.parts.quarantine).toMatchObject({ ok: false, waiting: 9 });
    expect(grows.parts.quarantine.problem).toContain('9 readings wait in quarantine');
    const old = told({ summary: { ...waiting, newestForTimeMs: NOW - 3_600_000 }, max: 100, clock });
    expect(old.status).toBe('ready');
    expect(old.parts.quarantine.note).toContain('9 readings wait');
    expect(told({ summary: { ...waiting, newestForTimeMs: 0 }, max: 9, clock }).parts.quarantine.ok).toBe(false);
    const contradicted = { kind: 'contradicted', problem: '3 of 3 devices say' } as const;
    const none = { ...waiting, waiting: 0, waitingForTime: 0, newestForTimeMs: null };
    expect(told({ summary: none, max: 9, clock: contradicted })).toMatchObject({
      status: 'not-ready',
      parts: { clock: { ok: false, problem: '3 of 3 devices say' }, quarantine: { ok: true } },
    });
    expect(told({ summary: none, max: 9, clock: { kind: 'unset', problem: 'not set' } }).parts.clock).toEqual({
      ok: true,
      note: 'not set',
    });
  });

  it('is there when everything is well, however long nothing was measured', () => {
    expect(readiness(well, store, MIN_FREE, NOW)).toEqual({
      status: 'ready',
      parts: {
        database: { ok: true, log_bytes: null },
        broker: { ok: true },
        ingest: { ok: true, last_commit_age_s: 5, waiting: 0, held_back: false },
        quarantine: { ok: true, waiting: null },
        clock: { ok: true },
        disk: { ok: true, free_bytes: 1e9 },
      },
    });
    expect(readiness({ ...well, lastCommitMs: NOW - 86_400_000 }, store, MIN_FREE, NOW).status).toBe('ready');
    expect(readiness({ ...well, lastCommitMs: null }, store, MIN_FREE, NOW).status).toBe('ready');
    expect(readiness(well, { ...store, freeBytes: null }, MIN_FREE, NOW).status).toBe('ready');
  });

  it('is there with a warning when a reader keeps the log long (D5)', () => {
    const { status, parts } = readiness(well, { ...store, logBytes: 55 * 1024 * 1024 }, MIN_FREE, NOW);
    expect(status).toBe('ready');
    expect(parts.database).toMatchObject({ ok: true, warning: expect.stringContaining('has 55 MB') as unknown });
  });

  it.each([
    ['database', well, { ...store, isOk: false, problem: 'not a database' }, 'not a database'],
    [
      'broker',
      { ...well, link: 'connecting', linkProblem: 'connection refused' } as const,
      store,
      'no connection to the broker localhost:1883: connection refused',
    ],
    ['ingest', { ...well, storeProblem: 'disk full' }, store, 'disk full'],
    [
      'ingest',
      { ...well, waiting: 7, lastCommitMs: NOW - 61_000 },
      store,
      '7 messages wait and nothing was stored for 61 s',
    ],
    [
      'disk',
      well,
      { ...store, freeBytes: 5 * 1024 * 1024 },
      "5 MB free on the store's disk, less than store.min_free_mb = 100",
    ],
  ] as const)('is not there when the part %s is not well', (part, ingest, health, problem) => {
    const { status, parts } = readiness(ingest, health, MIN_FREE, NOW);
    expect(status).toBe('not-ready');
    expect(parts[part]).toMatchObject({ ok: false, problem });
    for (const [name, other] of Object.entries(parts)) expect(other.ok, name).toBe(name !== part);
  });
});
