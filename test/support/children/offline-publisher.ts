import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as macrotask } from 'node:timers/promises';
import type { Journal, JournalEntry, ReadingEntry } from '../../../src/device/journal/journal.ts';
import { createOpenLink } from '../../../src/device/mqtt/client.ts';
import type { OpenLink } from '../../../src/device/mqtt/session.ts';
import { createPublisher } from '../../../src/device/publisher/publisher.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import type { Live } from '../../../src/platform/live.ts';
import { deviceSection, homeAssistantSection, mqttSection } from '../device-sections.ts';
import { until } from '../until.ts';

// A publisher in a process of its own (with --expose-gc), whose journal needs no memory: it makes its entries when they are
// read. Arguments: port, readings, attempts. Prints the heap in use after a collection: at the start, after so many readings,
// after so many more failed attempts or broken sessions.
const [port = 0, readings = 0, attempts = 0] = process.argv.slice(2).map(Number);
const clock = createSystemClock();
let lastSeq = 0;
let tried = 0;

function entry(seq: number): ReadingEntry {
  return {
    kind: 'reading',
    seq,
    temperatureCelsius: 21 + (seq % 100) / 100,
    humidityPercent: 50,
    stamp: { state: 'synced', tsMs: 1_790_000_000_000 + seq },
    bootId: clock.bootId,
    monotonicMs: clock.monotonicMs(),
  };
}

const journal: Journal = {
  deviceUid: 'aht20-0a1b2c',
  epoch: 'epoch1',
  durable: true,
  append: async () => Promise.reject(new Error('not here')),
  appendGap: async () => Promise.reject(new Error('not here')),
  settle: async () => Promise.resolve(0),
  pendingBootIds: () => [],
  read: async (afterSeq, limit): Promise<readonly JournalEntry[]> =>
    Promise.resolve(
      Array.from({ length: Math.min(limit, lastSeq - afterSeq) }, (_, index) => entry(afterSeq + index + 1)),
    ),
  release: () => undefined,
  recall: async () => Promise.resolve(0),
  oldest: () => 1,
  get stats() {
    return { unreleased: lastSeq, pending: 0, lastSeq, dropped: 0, bytesOnDisk: 0 };
  },
  close: async () => Promise.resolve(),
};

/** A section that never changes, and keeps nothing of who waits for that. */
function constant<T>(current: T): Live<T> {
  return { current, version: 0, changed: async (_, signal) => clock.sleep(Number.POSITIVE_INFINITY, signal) };
}

const openLink = createOpenLink({ clock });
const countingLink: OpenLink = async (options, signal) => {
  tried += 1;
  return await openLink(options, signal);
};
const stop = new AbortController();
const silent = (): void => undefined;
const publisher = createPublisher({
  journals: {
    journals: () => [journal],
    recall: async () => Promise.resolve({ count: 0, durable: true }),
  },
  openLink: countingLink,
  device: constant(deviceSection()),
  mqtt: constant(mqttSection(port, { delivery: 'receipt', reconnectMinMs: 1, reconnectMaxMs: 2 })),
  homeassistant: constant(homeAssistantSection({ discovery: true })),
  clock,
  random: Math.random,
  log: { debug: silent, info: silent, warn: silent, error: silent },
  progress: { beat: silent, end: silent },
  maxIdleMs: 1_000,
  statePath: join(tmpdir(), `techtemp-heap-${process.pid}`, 'delivery.json'),
  env: {},
  status: () => ({ state: 'online', interval_s: 1 }),
  onCommand: silent,
  onChange: silent,
  version: '1',
});
const running = publisher.run(stop.signal);

async function heapUsed(): Promise<number> {
  for (let round = 0; round < 4; round += 1) {
    await macrotask();
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

async function moreReadings(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    lastSeq += 1;
    publisher.live({ journal, entry: entry(lastSeq) });
    if (n % 500 === 0) await macrotask();
  }
}

async function moreAttempts(count: number): Promise<void> {
  const goal = tried + count;
  await until(`${count} attempts`, () => tried >= goal, 120_000);
}

// Everything is loaded and compiled, and every cache is as large as it gets.
await moreAttempts(attempts / 2);
await moreReadings(readings / 4);
const before = await heapUsed();
await moreReadings(readings);
const afterReadings = await heapUsed();
await moreAttempts(attempts);
const afterAttempts = await heapUsed();
process.stdout.write(JSON.stringify({ before, afterReadings, afterAttempts, tried }));
stop.abort(new Error('measured'));
await running;
