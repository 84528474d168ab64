/** Bench child: ingest and the store as the server has them, on the broker's port given; stops at SIGTERM. */
import { pathToFileURL } from 'node:url';
import { createSystemClock, systemRandom } from '../../../src/platform/clock.ts';
import { createLiveValue } from '../../../src/platform/live.ts';
import { createIngest } from '../../../src/server/ingest/create-ingest.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';
import { SERVER_DEFAULTS } from '../../support/default-configs.ts';

const [, , port = '', path = '', worker = ''] = process.argv;
const clock = createSystemClock();
const say = (fields: object, message: string): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const log = { debug: () => undefined, info: () => undefined, warn: say, error: say };
const store = await openSqliteStore({ path, engine: 'threads', clock, log, workerUrl: pathToFileURL(worker) });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort(new Error('stopped')));
let stored = 0;
const ingest = createIngest({
  store,
  mqtt: createLiveValue({
    ...SERVER_DEFAULTS.mqtt,
    brokerHost: '127.0.0.1',
    brokerPort: Number(port),
    clientId: 'bench',
    protocol: '5' as const,
    reconnectMinMs: 100,
    reconnectMaxMs: 1_000,
    instance: 'bench',
    receipts: process.env['RECEIPTS'] !== 'no',
  }),
  ingest: createLiveValue({
    ...SERVER_DEFAULTS.ingest,
    batchMessages: Number(process.env['BATCH'] ?? 200),
    maxWaiting: 10_000,
    maxRejected: 100_000,
    maxDevices: 1e6,
    maxHomes: 1e6,
    maxRooms: 1e6,
    maxEpochsPerMinute: 1e6,
    maxGapRecordsPerMinute: 1e6,
    maxRejectedPerMinute: 1e6,
    maxRoomsPerMinute: 1e6,
    maxStatusesPerMinute: 1e6,
  }),
  clock,
  random: systemRandom,
  log,
  progress: { beat: () => undefined, end: () => undefined },
  maxIdleMs: 10_000,
  changes: { publish: () => undefined },
  observer: {
    received: () => undefined,
    committed: (counts) => {
      stored += counts.stored;
      process.send?.({ stored });
    },
    commitFailed: (code) => say({ code }, 'commit failed'),
    receipted: () => undefined,
    limited: () => undefined,
  },
  env: {},
  serverClock: {
    judgedByMs: clock.nowMs,
    time: () => ({ nowMs: clock.nowMs(), bootId: clock.bootId, wallMinusMonotonicMs: 0, isConfirmed: true }),
    heard: () => undefined,
  },
});
await ingest.run(stop.signal);
await store.close();
process.disconnect();
