import { describe, expect, it } from 'vitest';
import type { IngestState } from '../../../src/server/ingest/ingest.ts';
import { createServerMetrics } from '../../../src/server/metrics.ts';
import type { Device } from '../../../src/server/store/stored.ts';
import { parseExposition } from '../../support/exposition.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const ingest: IngestState = {
  link: 'connected',
  linkSinceMs: 0,
  broker: 'localhost:1883',
  waiting: 3,
  isHeldBack: true,
  lastCommitMs: 1_700_000_000_500,
  brokerDropped: null,
  leftOut: [],
};
const storeHealth = { isOk: true, schemaVersion: 2, sizeBytes: 4096, freeBytes: 8192 };
const now = { ingest, storeHealth, devices: [], watchers: 2 };

function metrics() {
  return createServerMetrics({ version: '1.2.3', clock: new FakeClock() });
}

describe('the figures of the server', () => {
  it('are an exposition that follows the rules of Prometheus', async () => {
    const server = metrics();
    server.answered('GET', '/api/v1/devices', 200, 12);
    const { problems, families } = parseExposition(await server.exposition(now));
    expect(problems).toEqual([]);
    expect(families.get('techtemp_http_request_duration_seconds')?.type).toBe('histogram');
    for (const [name, { type }] of families) {
      expect(name, 'names').toMatch(/^(techtemp|process|nodejs)_[a-z_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  it('count what ingest does', async () => {
    const server = metrics();
    server.observer.received(3, 300);
    server.observer.committed(
      { stored: 2, duplicates: 1, corrected: 4, gaps: 5, statuses: 6, rejected: { 'bad-shape': 7 }, registered: 8 },
      20,
    );
    server.observer.commitFailed('STORE_FULL');
    server.observer.receipted(9, 40);
    const { value } = parseExposition(await server.exposition(now));
    expect(value('techtemp_ingest_messages_total')).toBe(3);
    expect(value('techtemp_ingest_received_bytes_total')).toBe(300);
    expect(value('techtemp_ingest_readings_stored_total')).toBe(2);
    expect(value('techtemp_ingest_readings_duplicate_total')).toBe(1);
    expect(value('techtemp_ingest_readings_corrected_total')).toBe(4);
    expect(value('techtemp_ingest_gap_records_total')).toBe(5);
    expect(value('techtemp_ingest_statuses_total')).toBe(6);
    expect(value('techtemp_ingest_rejected_total{reason="bad-shape"}')).toBe(7);
    expect(value('techtemp_ingest_rejected_total{reason="conflict"}')).toBe(0);
    expect(value('techtemp_ingest_devices_registered_total')).toBe(8);
    expect(value('techtemp_ingest_commit_failures_total{code="STORE_FULL"}')).toBe(1);
    expect(value('techtemp_ingest_receipted_total')).toBe(9);
    expect(value('techtemp_ingest_receipt_latency_seconds_sum')).toBeCloseTo(0.04);
    expect(value('techtemp_ingest_commit_duration_seconds_bucket{le="0.025"}')).toBe(1);
    expect(value('techtemp_ingest_commit_duration_seconds_bucket{le="0.01"}')).toBe(0);
  });

  it('tell how it stands at this moment', async () => {
    const device = (state: Device['state'], presence: Device['presence']): Device => ({ state, presence }) as Device;
    const devices = [device('active', 'online'), device('active', 'online'), device('pending', 'unknown')];
    const { value } = parseExposition(await metrics().exposition({ ...now, devices }));
    expect(value('techtemp_info{version="1.2.3"}')).toBe(1);
    expect(value('techtemp_broker_connected')).toBe(1);
    expect(value('techtemp_ingest_waiting_messages')).toBe(3);
    expect(value('techtemp_ingest_held_back')).toBe(1);
    expect(value('techtemp_ingest_last_commit_timestamp_seconds')).toBe(1_700_000_000.5);
    expect(value('techtemp_store_size_bytes')).toBe(4096);
    expect(value('techtemp_store_free_bytes')).toBe(8192);
    expect(value('techtemp_live_watchers')).toBe(2);
    expect(value('techtemp_devices{state="active",presence="online"}')).toBe(2);
    expect(value('techtemp_devices{state="pending",presence="unknown"}')).toBe(1);
    expect(value('techtemp_devices{state="removed",presence="online"}')).toBe(0);
  });

  it('leave out what nobody knows instead of repeating what was', async () => {
    const server = metrics();
    await server.exposition(now);
    const later = {
      ...now,
      ingest: { ...ingest, link: 'connecting' as const, lastCommitMs: null },
      storeHealth: undefined,
      devices: undefined,
    };
    const { value } = parseExposition(await server.exposition(later));
    expect(value('techtemp_store_up')).toBe(0);
    expect(value('techtemp_broker_connected')).toBe(0);
    expect(value('techtemp_store_size_bytes')).toBeUndefined();
    expect(value('techtemp_ingest_last_commit_timestamp_seconds')).toBeUndefined();
    expect(value('techtemp_devices{state="active",presence="online"}')).toBeUndefined();
  });

  it('do not grow with what people ask for', async () => {
    const server = metrics();
    for (let index = 0; index < 200; index += 1) server.answered(`X${index}`, '(unknown)', 404, 1);
    const lines = (await server.exposition(now))
      .split('\n')
      .filter((line) => line.startsWith('techtemp_http_request_duration_seconds_count'));
    expect(lines).toHaveLength(1);
  });

  it('of two servers in one process do not mix', async () => {
    const [one, two] = [metrics(), metrics()];
    one.observer.received(1, 1);
    expect(parseExposition(await two.exposition(now)).value('techtemp_ingest_messages_total')).toBe(0);
  });
});
