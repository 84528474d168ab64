import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import type { LiveConfig } from '../config/live.ts';
import type { Clock, Random } from '../platform/clock.ts';
import { givenStateDirectory } from '../platform/files.ts';
import { followLive } from '../platform/live.ts';
import type { ProgramLog } from '../platform/pino-log.ts';
import { createWatchdogFeeder, type Notifier, type Progress, type WatchdogFeeder } from '../platform/systemd.ts';
import { supervise } from '../platform/tasks.ts';
import type { ProbeTimeSync } from '../platform/time-sync.ts';
import type { RunCommand } from './backup/backup-process.ts';
import { createBackupSchedule, lookAtBackups } from './backup/backup-schedule.ts';
import { type LoggingSection, type ServerConfig, storePath } from './config.ts';
import { createHttpApp, type HttpAddress, type HttpApp } from './http/app.ts';
import type { HttpParts } from './http/parts.ts';
import { createIngest } from './ingest/create-ingest.ts';
import { createLiveFeed, LIVE_FEED_CAPACITY } from './live-feed.ts';
import { createServerMetrics } from './metrics.ts';
import { createQuarantineReview } from './quarantine-review.ts';
import { httpStartError, listenStartError, StartError, storeStartError } from './start-error.ts';
import { countStored, statusLine } from './status-line.ts';
import { openSqliteStore } from './store/sqlite/open-store.ts';
import { lookBeforeOpening } from './store/sqlite/place/look.ts';
import { lockRecord, type RecordLock } from './store/sqlite/place/record-lock.ts';
import type { Store } from './store/store.ts';
import { createStoreMonitor } from './store-monitor.ts';
import { createTrustedClock } from './trusted-clock.ts';
import { createCurrentVerdict } from './verify/current-verdict.ts';

/** People look at `systemctl status` now and then; a line that has not changed is not sent. */
const STATUS_LINE_EVERY_MS = 5_000;

export interface ServerParts {
  readonly config: LiveConfig<ServerConfig>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ProgramLog;
  readonly notifier: Notifier;
  readonly probeTimeSync: ProbeTimeSync;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Runs a command of this program, for backups. Absent: none are made by schedule. */
  readonly runCommand?: RunCommand;
  /** Told where the API answers, once it does. Must not throw. */
  readonly onListening?: (address: HttpAddress) => void;
}

/**
 * The composition root: makes every part, hands each what it needs, and runs the loops until the signal is aborted. Opened in
 * the order sink before source (store, HTTP, broker), closed in reverse. Ready once the store is open and HTTP answers: a broker
 * that is away is normal. @throws StartError when it cannot start; else the first error that a loop may not handle
 */
export async function runServer(parts: ServerParts, stop: AbortSignal): Promise<void> {
  const { notifier } = parts;
  const stopping = (): void => notifier.stopping();
  stop.addEventListener('abort', stopping, { once: true });
  try {
    const path = resolve(storePath(parts.config.current.store, parts.env));
    mustHaveFolder(parts.config.current.store.path, path);
    const lock = await lockStore(parts, path);
    try {
      const store = await openStore(parts, path, lock);
      try {
        if (!stop.aborted) await runWithStore(parts, store, path, stop);
      } finally {
        await store.close();
      }
    } finally {
      lock.release();
    }
  } finally {
    stop.removeEventListener('abort', stopping);
  }
}

/**
 * A folder that the config names is not made: a wrong path, or a volume that is not mounted, would get a record that no person looks
 * for. @throws StartError
 */
function mustHaveFolder(named: string, path: string): void {
  const folder = dirname(path);
  if (named === '' || existsSync(folder)) return;
  throw new StartError(
    'config',
    `the folder ${folder} does not exist, in which the record ${path} is to be ([store] path, TECHTEMP_STORE_PATH or DB_PATH). Correct ` +
      `the path, mount the disk or volume, or make the folder: mkdir -p "${folder}"`,
  );
}

async function lockStore({ env, log }: ServerParts, path: string): Promise<RecordLock> {
  try {
    // First of all: beside a file that is none of ours not even a lock is made.
    const { state } = lookBeforeOpening(path, givenStateDirectory(env));
    return await lockRecord(path, { isThere: state === 'present', log });
  } catch (error) {
    throw storeStartError(error);
  }
}

async function openStore(
  { config, clock, env, log, notifier }: ServerParts,
  path: string,
  lock: RecordLock,
): Promise<Store> {
  notifier.status(`opens the record ${path}`);
  try {
    const stateFolder = givenStateDirectory(env);
    const store = await openSqliteStore({
      path,
      engine: 'threads',
      clock,
      log,
      lock,
      ...(stateFolder !== undefined && { stateFolder }),
    });
    const { id, createdMs, note } = store.record;
    if (note !== undefined) log.info({ path, record: id }, note);
    log.info({ path, record: id, ...(await extentOf(store)) }, `the record is ${path}, made ${dateOf(createdMs)}`);
    // Where it came from matters: a variable of a container's settings is easily taken for a path in the volume.
    if (!isAbsolute(config.current.store.path) && config.current.store.path !== '') {
      log.warn(
        { path: config.current.store.path },
        `the path of the record is relative to the folder in which the server was started; it is ${path} now`,
      );
    }
    return store;
  } catch (error) {
    throw storeStartError(error);
  }
}

/** What a person sees at once when it is another record than the one that was meant. */
async function extentOf(store: Store): Promise<{ readonly devices: number; readonly newest?: string }> {
  const devices = await store.devices();
  const newestMs = devices.reduce((newest, { lastSeenMs }) => Math.max(newest, lastSeenMs ?? 0), 0);
  return { devices: devices.length, ...(newestMs > 0 && { newest: dateOf(newestMs) }) };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

async function runWithStore(parts: ServerParts, store: Store, recordPath: string, stop: AbortSignal): Promise<void> {
  const { config, clock, random, log, notifier, env, version } = parts;
  const watchdog = createWatchdog(parts);
  const metrics = createServerMetrics({ version, clock });
  const feed = createLiveFeed({ capacity: LIVE_FEED_CAPACITY, random, clock });
  const trusted = createTrustedClock({ ...parts, ...loopParts(watchdog, 'clock'), probe: parts.probeTimeSync });
  const storeMonitor = createStoreMonitor({
    ...parts,
    ...loopParts(watchdog, 'store monitor'),
    store,
    settings: config.section('store'),
  });
  const quarantine = createQuarantineReview({
    ...parts,
    ...loopParts(watchdog, 'quarantine'),
    store,
    trusted,
    changes: feed,
  });
  const counted = countStored(metrics.observer);
  const ingest = createIngest({
    store,
    mqtt: config.section('mqtt'),
    ingest: config.section('ingest'),
    clock,
    random,
    log,
    ...loopParts(watchdog, 'ingest'),
    changes: feed,
    observer: counted.observer,
    env,
    serverClock: trusted,
    record: store.record.id,
  });
  const verdicts = createCurrentVerdict({ store, clock, log });
  const backups =
    parts.runCommand &&
    createBackupSchedule({
      ...parts,
      ...loopParts(watchdog, 'backup'),
      runCommand: parts.runCommand,
      settings: config.section('backup'),
      house: config.section('house'),
      look: async () => await lookAtBackups(config.current.backup, recordPath),
    });
  const app = await openHttp({
    store,
    feed,
    ingest: () => ingest.state(),
    metrics,
    http: config.section('http'),
    house: config.section('house'),
    storeSettings: config.section('store'),
    times: {
      clockState: () => trusted.state(),
      now: () => trusted.time(),
      maxQuarantine: () => config.current.ingest.maxQuarantine,
    },
    clock,
    random,
    log,
    version,
    verdicts,
    ...(backups !== undefined && { backups: () => backups.report() }),
  });
  try {
    await trusted.begin();
    const { url } = await listen(app, parts);
    const writeStatusLine = (): void =>
      notifier.status(
        statusLine({
          ingest: ingest.state(),
          soFar: counted.soFar(),
          url,
          configProblem: config.state().error,
          storeProblem: storeMonitor.problem(),
          monotonicMs: clock.monotonicMs(),
        }),
      );
    writeStatusLine();
    notifier.ready();
    await supervise(
      {
        ingest: (signal) => ingest.run(signal),
        'store monitor': (signal) => storeMonitor.run(signal),
        verdict: (signal) => verdicts.run(signal),
        clock: (signal) => trusted.run(signal),
        quarantine: (signal) => quarantine.run(signal),
        ...(backups !== undefined && { backup: (signal: AbortSignal) => backups.run(signal) }),
        'config watcher': (signal) => config.watch(signal),
        'status reporter': (signal) => every(STATUS_LINE_EVERY_MS, clock, signal, writeStatusLine),
        log: (signal) =>
          followLive(config.section('logging'), signal, (settings) => log.configure(logSettings(settings))),
      },
      stop,
      (name, error) => log.fatal({ err: error, loop: name }, `the ${name} failed`),
    );
  } finally {
    await app.close();
  }
}

export function logSettings({ logLevel, logFormat }: LoggingSection): Parameters<ProgramLog['configure']>[0] {
  return { level: logLevel, format: logFormat };
}

function createWatchdog({ clock, log, notifier }: ServerParts): WatchdogFeeder {
  return createWatchdogFeeder({
    clock,
    watchdogMs: notifier.watchdogMs,
    feed: () => notifier.watchdog(),
    onOverdue: (name, overdueMs) =>
      log.error({ loop: name, overdueMs }, `the ${name} does not move; the watchdog is not fed`),
    onRecovered: (name, overdueMs) => log.info({ loop: name, overdueMs }, `the ${name} moves again`),
  });
}

function loopParts(
  watchdog: WatchdogFeeder,
  name: string,
): { readonly progress: Progress; readonly maxIdleMs: number } {
  return { progress: watchdog.loop(name), maxIdleMs: watchdog.maxIdleMs };
}

async function openHttp(parts: HttpParts): Promise<HttpApp> {
  try {
    return await createHttpApp(parts);
  } catch (error) {
    throw httpStartError(error);
  }
}

async function listen(app: HttpApp, { config, log, onListening }: ServerParts): Promise<HttpAddress> {
  try {
    const address = await app.listen();
    log.info(
      { host: address.host, port: address.port },
      `the API answers at ${address.url} (documentation: ${address.url}/docs)`,
    );
    onListening?.(address);
    return address;
  } catch (error) {
    throw listenStartError(error, config.current.http);
  }
}

async function every(ms: number, clock: Clock, signal: AbortSignal, act: () => void): Promise<void> {
  for (;;) {
    await clock.sleep(ms, signal);
    act();
  }
}
