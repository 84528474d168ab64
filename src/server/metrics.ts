import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../platform/clock.ts';
import type { BackupReport } from './backup/backup-schedule.ts';
import { CONTACT_STATES, contactOf } from './contact.ts';
import { type IngestObserver, type IngestState, LIMITED_KINDS } from './ingest/ingest.ts';
import { addProcessMetrics } from './process-metrics.ts';
import type { QuarantineSummary } from './store/audit-store.ts';
import type { StoreHealth } from './store/store.ts';
import { DEVICE_STATES, type Device, REJECT_REASONS } from './store/stored.ts';
import type { ClockState } from './trusted-clock.ts';

/** The figures for Prometheus (https://prometheus.io/docs/practices/naming/): base units, counters end in `_total`. */
export interface ServerMetrics {
  /** For ingest. */
  readonly observer: IngestObserver;
  /** An HTTP answer. `route` is the pattern, never the path: the number of series must not grow with what people ask for. */
  answered(method: string, route: string, status: number, tookMs: number): void;
  /** The text exposition, with what is asked at this moment beside what was counted. */
  exposition(now: MetricsNow): Promise<string>;
  /** Content-Type of the exposition. */
  readonly contentType: string;
}

/** What is not counted but asked when it is read; `undefined` where it could not be found out. */
export interface MetricsNow {
  readonly ingest: IngestState;
  readonly storeHealth: StoreHealth | undefined;
  readonly devices: readonly Device[] | undefined;
  readonly quarantine?: QuarantineSummary | undefined;
  readonly clockState?: ClockState | undefined;
  readonly watchers: number;
  /** The newest verdict about the record, and how old it is. */
  readonly record?: RecordFigures | undefined;
  readonly backups?: BackupReport | undefined;
}

interface RecordFigures {
  readonly outcome: 'whole' | 'unknown' | 'faulty';
  readonly holes: number;
  readonly doubled: number;
  readonly unnumbered: number;
  readonly ageMs: number;
}

/** From a commit on a fast disk to an SD card that is busy; seconds. */
const COMMIT_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const API_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);
const PRESENCES = ['online', 'offline', 'unknown'] as const;

/** A registry of its own for each server: two in one process do not mix. Starts no timer. */
export function createServerMetrics(options: { readonly version: string; readonly clock: Clock }): ServerMetrics {
  const { version, clock } = options;
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry, clock);
  new Gauge({ name: 'techtemp_info', help: 'The version that runs.', labelNames: ['version'], registers }).set(
    { version },
    1,
  );
  const answers = new Histogram({
    name: 'techtemp_http_request_duration_seconds',
    help: 'Time from a request to its answer, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: API_BUCKETS_S,
    registers,
  });
  const setNow = createGauges(registry, clock);

  return {
    observer: createIngestObserver(registry),
    contentType: registry.contentType,
    answered(method, route, status, tookMs) {
      answers.observe({ method: KNOWN_METHODS.has(method) ? method : 'other', route, status }, tookMs / 1000);
    },
    async exposition(now) {
      setNow(now);
      return await registry.metrics();
    },
  };
}

function createIngestObserver(registry: Registry): IngestObserver {
  const registers = [registry];
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `techtemp_ingest_${name}_total`, help, registers });
  const messages = counter('messages', 'MQTT messages received.');
  const bytes = counter('received_bytes', 'Bytes of their payloads.');
  const stored = counter('readings_stored', 'Readings that were new and are on disk.');
  const duplicates = counter('readings_duplicate', 'Readings that were stored already.');
  const corrected = counter(
    'readings_corrected',
    'Readings without numbers that replaced other values of the same time.',
  );
  const quarantined = counter('quarantined', 'Items that came and had to wait in quarantine.');
  const gaps = counter('gap_records', 'Records of readings that are missing, from devices.');
  const statuses = counter('statuses', 'Status messages of devices.');
  const registered = counter('devices_registered', 'Devices that spoke for the first time.');
  const receipted = counter('receipted', 'Numbers confirmed to devices by receipts.');
  const rejected = new Counter({
    name: 'techtemp_ingest_rejected_total',
    help: 'Messages, or items of one, that could not be stored as readings.',
    labelNames: ['reason'],
    registers,
  });
  // A series that appears with its first event hides that event from rate(); the reasons are known, so all begin at 0.
  for (const reason of REJECT_REASONS) rejected.inc({ reason }, 0);
  const limited = new Counter({
    name: 'techtemp_ingest_limited_total',
    help: 'What was left out because one device brought too much of it in a minute.',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of LIMITED_KINDS) limited.inc({ kind }, 0);
  const failures = new Counter({
    name: 'techtemp_ingest_commit_failures_total',
    help: 'Commits that failed; what they held waits and is tried again.',
    labelNames: ['code'],
    registers,
  });
  const commits = new Histogram({
    name: 'techtemp_ingest_commit_duration_seconds',
    help: 'Time of a commit, with its flush to disk.',
    buckets: COMMIT_BUCKETS_S,
    registers,
  });
  const latency = new Histogram({
    name: 'techtemp_ingest_receipt_latency_seconds',
    help: 'Time from the reading of a message to the sending of its receipt.',
    buckets: COMMIT_BUCKETS_S,
    registers,
  });
  return {
    received(count, size) {
      messages.inc(count);
      bytes.inc(size);
    },
    committed(counts, tookMs) {
      commits.observe(tookMs / 1000);
      stored.inc(counts.stored);
      duplicates.inc(counts.duplicates);
      corrected.inc(counts.corrected);
      quarantined.inc(counts.quarantined ?? 0);
      gaps.inc(counts.gaps);
      statuses.inc(counts.statuses);
      registered.inc(counts.registered);
      for (const reason of REJECT_REASONS) rejected.inc({ reason }, counts.rejected[reason] ?? 0);
    },
    commitFailed: (code) => failures.inc({ code }),
    receipted(numbers, latencyMs) {
      receipted.inc(numbers);
      latency.observe(latencyMs / 1000);
    },
    limited: (kind) => limited.inc({ kind }),
  };
}

/** Gauges are set when they are read; one whose value is not known is left out rather than left at its last value. */
function createGauges(registry: Registry, clock: Pick<Clock, 'nowMs'>): (now: MetricsNow) => void {
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> =>
    new Gauge<L>({ name: `techtemp_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const connected = gauge('broker_connected', 'Whether there is a connection to the broker.');
  const dropped = gauge(
    'broker_dropped_messages',
    'Messages the broker says it dropped for subscribers, since its start.',
  );
  const waiting = gauge('ingest_waiting_messages', 'Messages received and not yet on disk.');
  const heldBack = gauge('ingest_held_back', 'Whether the broker is made to wait because too much waits for the disk.');
  const lastCommit = gauge('ingest_last_commit_timestamp_seconds', 'The last commit that succeeded.');
  const up = gauge('store_up', 'Whether the store works.');
  const size = gauge('store_size_bytes', 'Size of the store.');
  const logSize = gauge(
    'store_log_bytes',
    'Size of its write-ahead log; it is cut back to 40 MB once nothing reads for longer.',
  );
  const free = gauge('store_free_bytes', 'What is free on its disk.');
  const schema = gauge('store_schema_version', 'Version of its tables.');
  const watchers = gauge('live_watchers', 'Pages that watch the live stream.');
  const devices = gauge('devices', 'Devices by state and presence.', ['state', 'presence']);
  const contacts = gauge('device_contacts', 'Active devices by whether their readings come when they should.', [
    'state',
  ]);
  const inQuarantine = gauge('quarantine_items', 'What waits in quarantine, on disk and not among the readings.');
  const isDoubted = gauge('clock_doubted', 'Whether something speaks against the clock of this server.');
  const missing = gauge('record_missing_numbers', 'Numbers missing from the record without explanation.');
  const doubled = gauge('record_doubled_numbers', 'Numbers stored more than once, with different times.');
  const unnumbered = gauge(
    'record_unnumbered_readings',
    'Readings without numbers: what is missing between them is unknown.',
  );
  const proved = gauge(
    'record_whole',
    'Whether every number heard of is there or explained, and nothing was left open.',
  );
  const verdictAge = gauge(
    'record_verdict_age_seconds',
    'How old the verdict is that the other figures of the record are from.',
  );
  const backupAge = gauge('backup_age_seconds', 'How old the newest backup of the record is.');
  const backupSize = gauge('backup_size_bytes', 'Size of the newest backup.');
  const backupFailed = gauge('backup_failed', 'Whether something is wrong with the backups; /ready says what.');
  const set = (target: Gauge, value: number | null | undefined): void => {
    if (value === null || value === undefined) target.remove();
    else target.set(value);
  };

  return ({ ingest, storeHealth, devices: known, watchers: watching, quarantine, clockState, record, backups }) => {
    set(connected, ingest.link === 'connected' ? 1 : 0);
    set(dropped, ingest.brokerDropped);
    set(waiting, ingest.waiting);
    set(heldBack, ingest.isHeldBack ? 1 : 0);
    set(lastCommit, ingest.lastCommitMs === null ? null : ingest.lastCommitMs / 1000);
    set(up, storeHealth?.isOk === true ? 1 : 0);
    set(size, storeHealth?.sizeBytes);
    set(logSize, storeHealth?.logBytes);
    set(free, storeHealth?.freeBytes);
    set(schema, storeHealth?.schemaVersion);
    set(watchers, watching);
    set(inQuarantine, quarantine?.waiting);
    set(isDoubted, clockState === undefined ? undefined : Number(clockState.kind !== 'ok'));
    set(missing, record?.holes);
    set(doubled, record?.doubled);
    set(unnumbered, record?.unnumbered);
    set(proved, record && (record.outcome === 'whole' ? 1 : 0));
    set(verdictAge, record && record.ageMs / 1000);
    const { newestMs = null, bytes, problem } = backups ?? {};
    set(backupAge, newestMs === null ? null : (clock.nowMs() - newestMs) / 1000);
    set(backupSize, bytes);
    set(backupFailed, backups && Number(problem !== undefined));
    contacts.reset();
    devices.reset();
    if (known === undefined) return;
    const states = known
      .filter(({ state }) => state === 'active')
      .map((device) => contactOf(device, clock.nowMs()).state);
    for (const state of CONTACT_STATES) {
      contacts.set({ state }, states.filter((one) => one === state).length);
    }
    for (const state of DEVICE_STATES) {
      for (const presence of PRESENCES) {
        const count = known.filter((device) => device.state === state && device.presence === presence).length;
        devices.set({ state, presence }, count);
      }
    }
  };
}
