import { join } from 'node:path';
import type { LiveConfig } from '../config/live.ts';
import type { Clock, Random } from '../platform/clock.ts';
import { createFaultLog } from '../platform/fault-log.ts';
import { stateDirectory } from '../platform/files.ts';
import { followLive } from '../platform/live.ts';
import type { ProgramLog } from '../platform/pino-log.ts';
import { createWatchdogFeeder, type Notifier } from '../platform/systemd.ts';
import { supervise } from '../platform/tasks.ts';
import type { ProbeTimeSync } from '../platform/time-sync.ts';
import { ClockSync } from './clock-sync.ts';
import type { DeviceConfig, LoggingSection } from './config.ts';
import { JOURNAL_REGISTER_FILE } from './journal/epoch-register.ts';
import type { Placed, ReadingEntry } from './journal/journal.ts';
import { openJournalSet } from './journal/journal-set.ts';
import { createJournalLog } from './journal-log.ts';
import { createOpenLink } from './mqtt/client.ts';
import { createPublisher } from './publisher/publisher.ts';
import { Sampler } from './sampler.ts';
import { ActiveSensor, createSensorOpener, type OpenSensorParts } from './sensor.ts';
import { createStatusLineWriter, deviceStatus, type StatusSources, statusLine } from './status.ts';

export interface AgentParts {
  readonly config: LiveConfig<DeviceConfig>;
  readonly clock: Clock;
  /** The clock of the drivers, where that is not the same. */
  readonly sensorClock?: OpenSensorParts['clock'];
  readonly random: Random;
  readonly log: ProgramLog;
  readonly notifier: Notifier;
  readonly probeTimeSync: ProbeTimeSync;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly whenAbsent: OpenSensorParts['whenAbsent'];
  readonly hasBus: OpenSensorParts['hasBus'];
  /** Told of each reading once it is in the journal; for `npm start`, which shows them. Must not throw. */
  readonly onReading?: (entry: ReadingEntry) => void;
}

/** How the agent ended. */
export interface AgentEnd {
  /** Transfers that still hang in the kernel: the process can't end in the ordinary way while they do. */
  readonly hungTransfers: number;
}

/**
 * The composition root: makes every part, hands each what it needs, and runs the loops until the signal is aborted.
 * Opened in the order sink before source, closed in reverse. Rejects with the first error that a loop may not handle.
 */
export async function runAgent(parts: AgentParts, stop: AbortSignal): Promise<AgentEnd> {
  const { config, clock, random, log, notifier, env, version } = parts;
  const watchdog = createWatchdogFeeder({
    clock,
    watchdogMs: notifier.watchdogMs,
    feed: () => notifier.watchdog(),
    onOverdue: (name, overdueMs) =>
      log.error({ loop: name, overdueMs }, `the ${name} does not move; the watchdog is not fed`),
    onRecovered: (name, overdueMs) => log.info({ loop: name, overdueMs }, `the ${name} moves again`),
  });

  const journals = await openJournalSet({
    settings: config.section('journal'),
    device: config.section('device'),
    defaultPath: join(stateDirectory(env), 'journal'),
    registerPath: join(stateDirectory(env), JOURNAL_REGISTER_FILE),
    clock,
    onEvent: createJournalLog(log, () => {
      const { delivery, nobodySubscribed } = publisher.state();
      return delivery === 'broker' && nobodySubscribed;
    }),
  });
  const { whenAbsent, hasBus } = parts;
  const openSensor = await createSensorOpener({
    clock: parts.sensorClock ?? clock,
    random,
    log,
    signal: stop,
    whenAbsent,
    hasBus,
  });
  const sensors = new ActiveSensor(openSensor, config.section('sensor'));

  const sources: StatusSources = {
    config: () => config.current,
    configProblem: () => config.state().error,
    sampler: () => sampler.state(),
    sensor: () => ({ description: sensors.description(), crcErrors: sensors.health()?.crcErrors ?? 0 }),
    journal: () => ({ ...journals.stats(), epoch: journals.activeEpoch(), oldest: journals.oldest() }),
    clock: () => clockSync.state(),
    publisher: () => publisher.state(),
    nowMs: clock.nowMs,
    version,
  };
  const publisher = createPublisher({
    journals,
    openLink: createOpenLink({ clock }),
    device: config.section('device'),
    mqtt: config.section('mqtt'),
    homeassistant: config.section('homeassistant'),
    clock,
    random,
    log,
    progress: watchdog.loop('publisher'),
    maxIdleMs: watchdog.maxIdleMs,
    statePath: join(stateDirectory(env), 'delivery.json'),
    env,
    status: () => deviceStatus(sources),
    onCommand: () => sampler.measureNow(),
    onChange: (word) => writeStatusLine(word),
    version,
  });
  const clockSync = new ClockSync({
    clock,
    probe: parts.probeTimeSync,
    settings: config.section('clock'),
    journals,
    log,
    progress: watchdog.loop('clock'),
    maxIdleMs: watchdog.maxIdleMs,
    onChange: () => {
      publisher.wake();
      publisher.statusChanged();
    },
  });
  const writeStatusLine = createStatusLineWriter({ notifier, clock, stop, line: () => statusLine(sources) });
  // With the first word of the sampler, a reading or a fault that was understood: both are progress.
  const ready = onlyOnce(() => notifier.ready());
  const sampler = new Sampler({
    sensors,
    settings: config.section('sensor'),
    clock,
    sensorClock: parts.sensorClock ?? clock,
    clockSync,
    journals,
    faults: createFaultLog(log, clock),
    log,
    progress: watchdog.loop('sampler'),
    maxIdleMs: watchdog.maxIdleMs,
    onReading: (placed: Placed<ReadingEntry>) => {
      publisher.live(placed);
      parts.onReading?.(placed.entry);
      writeStatusLine('routine');
      ready();
    },
    onStateChange: () => {
      publisher.statusChanged();
      writeStatusLine('news');
      ready();
    },
  });

  const report = (): void => {
    publisher.statusChanged();
    writeStatusLine('news');
  };

  await clockSync.begin();
  let hungTransfers = 0;
  const stopping = (): void => notifier.stopping();
  stop.addEventListener('abort', stopping, { once: true });
  try {
    await supervise(
      {
        publisher: (signal) => publisher.run(signal),
        clock: (signal) => clockSync.run(signal),
        'config watcher': (signal) => config.watch(signal),
        // What `status` tells of the configuration: whether it is in force, names, the interval.
        'health reporter': (signal) => followLive(config.health, signal, report),
        'device reporter': (signal) => followLive(config.section('device'), signal, report),
        'interval reporter': (signal) => followLive(config.section('sensor'), signal, report),
        log: (signal) =>
          followLive(config.section('logging'), signal, (settings) => log.configure(logSettings(settings))),
        sampler: (signal) => sampler.run(signal),
      },
      stop,
      (name, error) => log.fatal({ err: error, loop: name }, `the ${name} failed`),
    );
  } finally {
    stop.removeEventListener('abort', stopping);
    hungTransfers = sensors.hungTransfers();
    await sensors.close();
    await journals.close();
  }
  return { hungTransfers };
}

export function logSettings({ logLevel, logFormat }: LoggingSection): Parameters<ProgramLog['configure']>[0] {
  return { level: logLevel, format: logFormat };
}

function onlyOnce(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
