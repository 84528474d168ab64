import { describe, expect, it } from 'vitest';
import {
  decodeAnnouncement,
  decodeCommand,
  decodeReceipt,
  encodeAnnouncement,
  encodeReceipt,
} from '../../../src/contract/messages.ts';
import { decodeItem, encodeReading, GAP_REASONS, type GapRecord, type Reading } from '../../../src/contract/reading.ts';
import { decodeStatus, encodeStatus, OFFLINE_STATUS } from '../../../src/contract/status.ts';
import { SERVER_TOPIC_FILTER, sensorTopic, serverTopic } from '../../../src/contract/topics.ts';
import type { DeviceConfig, DeviceSection } from '../../../src/device/config.ts';
import type { Journal, JournalEntry, ReadingEntry } from '../../../src/device/journal/journal.ts';
import type { LinkMessage } from '../../../src/device/mqtt/session.ts';
import { discoveryMessages, homeAssistantStatusTopic } from '../../../src/device/publisher/discovery.ts';
import { entryMessage, fittingBacklog, wireItem } from '../../../src/device/publisher/entry-message.ts';
import type { KnownServer } from '../../../src/device/publisher/known-servers.ts';
import { statusMessage } from '../../../src/device/publisher/retained.ts';
import { encodeState } from '../../../src/device/publisher/state-file.ts';
import { deviceStatus, type StatusSources } from '../../../src/device/status.ts';
import { eventText, openEventStream } from '../../../src/server/http/routes/events.ts';
import { decodeMessage } from '../../../src/server/ingest/decode-message.ts';
import { createLiveFeed, type LiveEvent } from '../../../src/server/live-feed.ts';
import type { StoredReading } from '../../../src/server/store/stored.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { expectGolden, expectGoldenJson } from '../../support/golden.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const TS_MS = Date.UTC(2026, 5, 15, 12, 0, 0, 250);
const HOME = 'home-001';
const UID = 'aht20-0a1b2c';
const BOOT = '11111111-1111-4111-8111-111111111111';
const journal = { epoch: 'k3v9x2aa', deviceUid: UID } as Journal;
const device: DeviceSection = { deviceUid: UID, homeId: HOME, label: 'Window sill', room: 'Living room' };

const SERVER: KnownServer = {
  name: 'main',
  accepts: ['batch', 'receipt'],
  seenMs: TS_MS,
  gaveReceipts: true,
  record: '0f8c-1',
};

/** What each message is called here, with everything that a broker gets of it. */
const messages = new Map<string, LinkMessage>();
const always = (): boolean => true;

function reading(seq: number, changes: Partial<ReadingEntry> = {}): ReadingEntry {
  return {
    kind: 'reading',
    seq,
    temperatureCelsius: 21.02,
    humidityPercent: 63.33,
    stamp: { state: 'synced', tsMs: TS_MS },
    bootId: BOOT,
    monotonicMs: 1_000.5,
    ...changes,
  };
}

const ENTRIES: Readonly<Record<string, JournalEntry>> = {
  'reading, time sure': reading(1042),
  'reading, time not sure': reading(1043, { stamp: { state: 'unsynced', tsMs: TS_MS } }),
  'reading, asked for': reading(1044, { trigger: 'command', temperatureCelsius: -5, humidityPercent: 0 }),
  'reading, asked for, time not sure': reading(1045, {
    trigger: 'command',
    stamp: { state: 'unsynced', tsMs: TS_MS },
  }),
  ...Object.fromEntries(
    GAP_REASONS.map((reason, index) => [
      `gap record, ${reason}`,
      {
        kind: 'gap',
        seq: 1046 + index,
        tsMs: TS_MS,
        gap: { ofEpoch: 'k3v9x2aa', from: 10, to: 19, count: 5, reason, fromTsMs: TS_MS - 600_000, toTsMs: TS_MS - 1 },
      } as const,
    ]),
  ),
  'gap record, end and times not known': {
    kind: 'gap',
    seq: 1,
    tsMs: TS_MS,
    gap: { ofEpoch: 'b7c1d0ff', from: 77, reason: 'damaged' },
  },
};

for (const [name, entry] of Object.entries(ENTRIES)) messages.set(name, entryMessage(HOME, journal, entry));
messages.set('backlog', fittingBacklog(HOME, journal, Object.values(ENTRIES).slice(0, 5), always).message);
messages.set('backlog, one entry', fittingBacklog(HOME, journal, [reading(7)], always).message);

// As agents from before journals send it, and as the server still takes it.
const olderReading: Reading = { temperatureCelsius: 21.02, humidityPercent: 63.33, tsMs: TS_MS };
messages.set('reading without a number (older agents)', {
  topic: sensorTopic(HOME, UID, 'reading'),
  payload: encodeReading(olderReading),
  retain: false,
});

const sources: StatusSources = {
  config: () => ({ device, sensor: { readIntervalMs: 30_000 }, mqtt: { brokerHost: 'broker.lan' } }) as DeviceConfig,
  configProblem: () => undefined,
  sampler: () => ({ state: 'ok', failures: 0, missed: 0 }),
  sensor: () => ({ description: 'AHT20 at 0x38 on /dev/i2c-1', crcErrors: 0 }),
  journal: () => ({ unreleased: 0, pending: 0, dropped: 0, bytesOnDisk: 8192, durable: true, epoch: 'k3v9x2aa' }),
  clock: () => ({ state: 'synced' }),
  publisher: () => ({ connected: true, delivery: 'receipt', taken: 12 }),
  nowMs: () => TS_MS,
  version: '1.2.3',
};
const troubled: StatusSources = {
  ...sources,
  configProblem: () => 'device.conf:3: broker_port must be a whole number',
  sampler: () => ({ state: 'fault', error: 'the checksum is wrong', failures: 4, missed: 2 }),
  sensor: () => ({ description: 'AHT20 at 0x38 on /dev/i2c-1', crcErrors: 3 }),
  journal: () => ({
    unreleased: 17,
    pending: 3,
    dropped: 5,
    bytesOnDisk: 0,
    durable: false,
    fault: 'the disk is full',
    epoch: 'k3v9x2aa',
    oldest: { epoch: 'j2u8w1zz', seq: 1031 },
  }),
  clock: () => ({ state: 'unsynced', lastStepMs: -2_500 }),
  publisher: () => ({
    connected: true,
    delivery: 'broker',
    taken: 0,
    lastError: 'the broker refused a message',
    protocolVersion: 5,
    ignoredMessages: 2,
    problems: [{ code: 'LINK_PUBLISH_REFUSED', message: 'the broker refused a message' }],
    nobodySubscribed: true,
    waitingForServer: true,
    leftOut: ['status'],
    setAside: 1,
    servers: [{ ...SERVER, presence: 'online' }],
  }),
};
const statusTopic = sensorTopic(HOME, UID, 'status');
messages.set('status, all is well', statusMessage(statusTopic, deviceStatus(sources), always));
messages.set('status, everything that can be said', statusMessage(statusTopic, deviceStatus(troubled), always));
messages.set('status, as much as fits into 150 characters', {
  ...statusMessage(statusTopic, deviceStatus(troubled), ({ payload }) => payload.length <= 150),
});
messages.set('status, will and last word', { topic: statusTopic, payload: encodeStatus(OFFLINE_STATUS), retain: true });

const receipt = { epoch: 'k3v9x2aa', stored: [[1, 1042] as const, [1044, 1044] as const] };
messages.set('receipt', { topic: sensorTopic(HOME, UID, 'receipt'), payload: encodeReceipt(receipt), retain: false });

const online = { state: 'online', accepts: ['batch', 'receipt'], record: '0f8c-1' } as const;
const offline = { state: 'offline', accepts: [] } as const;
messages.set('server announcement', { topic: serverTopic('main'), payload: encodeAnnouncement(online), retain: true });
messages.set('server announcement, gone', {
  topic: serverTopic('main'),
  payload: encodeAnnouncement(offline),
  retain: true,
});

const command = '{"action":"measure"}';
messages.set('command', { topic: sensorTopic(HOME, UID, 'command'), payload: command, retain: false });

for (const latest of [true, false]) {
  const facts = { device, prefix: 'homeassistant', latest, intervalSeconds: 30, version: '1.2.3' };
  for (const message of discoveryMessages(facts)) {
    const leaf = message.topic.split('/').at(-2) ?? '';
    messages.set(`discovery of ${leaf}${latest ? '' : ', nothing retained on latest'}`, message);
  }
}

describe('the messages of the wire', () => {
  it('are what they were', () => {
    expectGoldenJson('wire-messages.json', {
      subscriptions: { servers: SERVER_TOPIC_FILTER, 'home assistant': homeAssistantStatusTopic('homeassistant') },
      // Payloads as they go out, byte for byte.
      messages: Object.fromEntries(
        [...messages].map(([name, { topic, retain, payload }]) => [name, { topic, retain, payload }]),
      ),
    });
  });

  it.each(Object.keys(ENTRIES))('%s: is read as it was meant', (name) => {
    const { payload } = messages.get(name)!;
    expect(decodeItem(JSON.parse(payload))).toEqual(wireItem(journal.epoch, ENTRIES[name]!));
    expect(ingested(name)).toMatchObject({ kind: 'items', items: [wireItem(journal.epoch, ENTRIES[name]!)] });
  });

  it('backlogs and older readings are read as they were meant', () => {
    const items: readonly (Reading | GapRecord)[] = Object.values(ENTRIES)
      .slice(0, 5)
      .map((entry) => wireItem(journal.epoch, entry));
    expect(ingested('backlog')).toMatchObject({ kind: 'items', items });
    expect(ingested('reading without a number (older agents)')).toMatchObject({ kind: 'items', items: [olderReading] });
  });

  it('statuses are read as they were meant', () => {
    for (const [name, status] of [
      ['status, all is well', deviceStatus(sources)],
      ['status, everything that can be said', deviceStatus(troubled)],
      ['status, will and last word', OFFLINE_STATUS],
    ] as const) {
      expect(decodeStatus(messages.get(name)!.payload)).toEqual(status);
      expect(ingested(name)).toMatchObject({ kind: 'status', homeId: HOME, deviceUid: UID, status });
    }
  });

  it('receipts, announcements and commands are read as they were meant', () => {
    expect(decodeReceipt(messages.get('receipt')!.payload)).toEqual(receipt);
    expect(decodeAnnouncement(messages.get('server announcement')!.payload)).toEqual(online);
    expect(decodeAnnouncement(messages.get('server announcement, gone')!.payload)).toEqual(offline);
    expect(decodeCommand(command)).toEqual({ action: 'measure' });
  });

  it('of the agent lie in its state file in a form that older and newer ones read', () => {
    expectGolden(
      'publisher-state.json',
      `${encodeState({
        servers: [SERVER],
        retained: [statusTopic],
        acknowledged: { k3v9x2aa: [[1, 1042]] },
        waitedForServer: true,
        nobodySubscribed: false,
      })}\n`,
    );
  });
});

describe('the events of the live stream', () => {
  it('are what they were', async () => {
    const stored: StoredReading = {
      deviceUid: UID,
      roomUid: 'salon',
      tsMs: TS_MS,
      temperatureCelsius: 21.02,
      humidityPercent: 63.33,
      epoch: 'k3v9x2aa',
      seq: 1042,
      isUnsynced: false,
      isOnDemand: false,
    };
    const older = { ...stored, roomUid: null, epoch: null, seq: null, isUnsynced: true, isOnDemand: true };
    const changes: readonly LiveEvent['change'][] = [
      { kind: 'reading', reading: stored },
      { kind: 'reading', reading: older },
      { kind: 'history', deviceUid: UID, fromMs: TS_MS - 1_000, toMs: TS_MS, count: 2 },
      { kind: 'device', deviceUid: UID },
      { kind: 'gap', deviceUid: UID },
      { kind: 'rejected', count: 3 },
      { kind: 'resync' },
    ];
    const events = changes.map((change, index) => eventText({ id: `k-${index}`, atMs: TS_MS + 40, change }));
    expectGolden('live-events.txt', `${await beginning()}${events.join('')}`);
  });
});

/** What a page that connects for the first time is told before anything happens. */
async function beginning(): Promise<string> {
  const clock = new FakeClock({ nowMs: TS_MS });
  const feed = createLiveFeed({ capacity: 10, random: seededRandom(7), clock });
  const stream = openEventStream({ feed, clock, lastEventId: undefined });
  const chunks: string[] = [];
  stream.text.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  await settle();
  stream.end();
  return chunks.join('').replace(feed.lastId, 'ID');
}

/** What the server makes of one of the messages. */
function ingested(name: string): unknown {
  const { topic, payload, retain } = messages.get(name)!;
  const bytes = Buffer.from(payload);
  return decodeMessage(
    { topic, payload: bytes, payloadBytes: bytes.length, isRetained: retain },
    { nowMs: TS_MS + 10, judgedByMs: TS_MS + 10, maxPayloadBytes: 1_000_000 },
  );
}
