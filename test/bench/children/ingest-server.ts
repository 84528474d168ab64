/** Bench child: ingest and the store as the server has them, on the broker's port given; stops at SIGTERM. */
import { pathToFileURL } from 'node:url';
import { createSystemClock, systemRandom } from '../../../src/platform/clock.ts';
import { createLiveValue } from '../../../src/platform/live.ts';
import { createIngest } from '../../../src/server/ingest/create-ingest.ts';
import { openSqliteStore } from '../../../src/server/store/sqlite/open-store.ts';

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
    brokerHost: '127.0.0.1',
    brokerPort: Number(port),
    username: '',
    password: '',
    passwordFile: '',
    clientId: 'bench',
    keepaliveMs: 60_000,
    protocol: '5' as const,
    tls: false,
    tlsCaFile: '',
    tlsCertFile: '',
    tlsKeyFile: '',
    tlsServerName: '',
    reconnectMinMs: 100,
    reconnectMaxMs: 1_000,
    instance: 'bench',
    receipts: process.env['RECEIPTS'] !== 'no',
    homeId: '+',
  }),
  ingest: createLiveValue({
    registration: 'auto' as const,
    batchMessages: Number(process.env['BATCH'] ?? 200),
    maxWaiting: 10_000,
    maxPayloadBytes: 262_144,
    maxRejected: 100_000,
    perMinute: { epoch: 1e6, gap: 1e6, rejected: 1e6, room: 1e6, status: 1e6 },
    atMost: { devices: 1e6, homes: 1e6, rooms: 1e6 },
    maxQuarantine: 1_000_000,
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
