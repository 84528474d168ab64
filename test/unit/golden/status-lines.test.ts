import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { DeviceConfig } from '../../../src/device/config.ts';
import type { ReadingEntry } from '../../../src/device/journal/journal.ts';
import { statusLine as deviceLine, type StatusSources } from '../../../src/device/status.ts';
import { createNotifier } from '../../../src/platform/systemd.ts';
import type { IngestState } from '../../../src/server/ingest/ingest.ts';
import { type StatusLineParts, statusLine as serverLine } from '../../../src/server/status-line.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { expectGolden } from '../../support/golden.ts';

const READING = { temperatureCelsius: -21.042, humidityPercent: 45.5 } as ReadingEntry;
const WELL: StatusSources = {
  config: () => ({ mqtt: { brokerHost: 'broker.lan', brokerPort: 1883 } }) as DeviceConfig,
  configProblem: () => undefined,
  sampler: () => ({ state: 'ok', failures: 0, missed: 0, lastReading: READING }),
  sensor: () => ({ description: 'AHT20', crcErrors: 0 }),
  journal: () => ({ unreleased: 0, pending: 0, dropped: 0, bytesOnDisk: 0, durable: true, epoch: 'e1' }),
  clock: () => ({ state: 'synced' }),
  publisher: () => ({ connected: true, delivery: 'receipt', taken: 3 }),
  nowMs: () => 0,
  version: '1.2.3',
};
const buffered = (unreleased: number, durable = true) => ({ ...WELL.journal(), unreleased, durable });

const DEVICE: Readonly<Record<string, Partial<StatusSources>>> = {
  'all is well': {},
  'no reading yet, nothing taken yet': {
    sampler: () => ({ state: 'starting', failures: 0, missed: 0 }),
    publisher: () => ({ connected: true, delivery: 'broker', taken: 0 }),
  },
  'the broker is away': { publisher: () => ({ connected: false, delivery: 'broker', taken: 3 }) },
  'the broker is away, with the reason': {
    publisher: () => ({ connected: false, delivery: 'broker', taken: 3, lastError: 'nothing listens there' }),
  },
  'the broker takes readings, and none leaves the journal': {
    publisher: () => ({ connected: true, delivery: 'receipt', taken: 7 }),
    journal: () => buffered(9),
  },
  'nobody is subscribed': {
    publisher: () => ({ connected: true, delivery: 'broker', taken: 2, nobodySubscribed: true }),
    journal: () => buffered(2),
  },
  'the journal is in memory': { journal: () => buffered(4, false) },
  'the sensor has a fault': {
    sampler: () => ({ state: 'fault', error: 'nothing answers at 0x38', failures: 5, missed: 0, lastReading: READING }),
  },
  'the machine was too busy to measure': {
    sampler: () => ({ state: 'ok', error: 'too busy', failures: 0, missed: 2, lastReading: READING }),
  },
  'readings wait for the clock': { clock: () => ({ state: 'waiting' }), journal: () => buffered(12) },
  'the clock was never set': { clock: () => ({ state: 'unsynced' }) },
  'the config has an error': { configProblem: () => 'device.conf:3: broker_port must be a whole number' },
};

const INGEST: IngestState = {
  link: 'connected',
  linkSinceMs: 0,
  broker: 'localhost:1883',
  waiting: 0,
  isHeldBack: false,
  lastCommitMs: Date.UTC(2026, 5, 15, 12, 0, 7),
  brokerDropped: null,
  leftOut: [],
};
type ServerCase = Partial<Omit<StatusLineParts, 'ingest'>> & { readonly ingest?: Partial<IngestState> };
const SERVER: Readonly<Record<string, ServerCase>> = {
  'all is well': { soFar: { stored: 120, duplicates: 0, rejected: 0 } },
  'nothing stored yet': { ingest: { lastCommitMs: null } },
  'readings came again': { soFar: { stored: 0, duplicates: 4, rejected: 1 } },
  'the broker is away': { ingest: { link: 'connecting', linkProblem: 'nothing listens there' }, monotonicMs: 300_000 },
  'it stops': { ingest: { link: 'stopped' } },
  'it cannot store': { ingest: { storeProblem: 'the disk is full', waiting: 2_000, isHeldBack: true } },
  'the disk is nearly full': { storeProblem: 'only 3 MB are free' },
  'the config has an error': { configProblem: 'server.conf:3: port must be a whole number' },
};

/** Exactly what systemd is sent. */
async function lines(texts: readonly string[]): Promise<readonly string[]> {
  const sent: string[] = [];
  const notifier = await createNotifier({
    env: { NOTIFY_SOCKET: '/run/notify' },
    pid: 1,
    clock: new FakeClock(),
    load: () => Promise.resolve((state) => void sent.push(state)),
  });
  for (const text of texts) notifier.status(text);
  expect(sent.length).toBe(texts.length);
  return sent;
}

const deviceTexts = Object.values(DEVICE).map((changes) => deviceLine({ ...WELL, ...changes }));
const serverTexts = Object.values(SERVER).map(({ ingest = {}, ...changes }) =>
  serverLine({
    soFar: { stored: 0, duplicates: 0, rejected: 0 },
    url: 'http://127.0.0.1:3000',
    monotonicMs: 0,
    ...changes,
    ingest: { ...INGEST, ...ingest },
  }),
);

describe('the status lines that the installer reads', () => {
  it('are what they were, and mean to the installer what they meant', async () => {
    const understood = asInstallerReads(deviceTexts);
    const device = await lines(deviceTexts);
    const server = await lines(serverTexts);
    const block = (sent: readonly string[], names: readonly string[], read?: readonly string[]): string =>
      names
        .map((name, index) => [`# ${name}`, sent[index], ...(read ? [`  ${read[index] ?? ''}`] : [])].join('\n'))
        .join('\n');
    expectGolden(
      'status-lines.txt',
      [
        'What techtemp-device sends, and what baseline_of in scripts/install/switch.sh reads in it',
        block(device, Object.keys(DEVICE), understood),
        '',
        'What techtemp-server sends',
        block(server, Object.keys(SERVER)),
        '',
      ].join('\n'),
    );
  });
});

/** `running BROKER SENSOR` for each line, by the installer's own function; one shell for all. */
function asInstallerReads(texts: readonly string[]): readonly string[] {
  const script = [
    '. scripts/install/switch.sh',
    'unit_fact() { case $2 in ActiveState) echo active ;; StatusText) printf "%s" "$TEXT" ;; InvocationID) echo id ;; esac; }',
    'probe_broker() { echo unknown; }',
    'for TEXT in "$@"; do baseline_of techtemp-device.service; echo; done',
  ].join('\n');
  const output = execFileSync('bash', ['-c', script, 'bash', ...texts], { encoding: 'utf8' });
  return output.trimEnd().split('\n');
}
