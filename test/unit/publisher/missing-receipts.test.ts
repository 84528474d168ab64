import { expect, test } from 'vitest';
import { encodeAnnouncement } from '../../../src/contract/messages.ts';
import { DeliveryLimits } from '../../../src/device/publisher/delivery-limits.ts';
import { DeliveryTracker } from '../../../src/device/publisher/delivery-tracker.ts';
import type { Faults } from '../../../src/device/publisher/faults.ts';
import { InFlight } from '../../../src/device/publisher/in-flight.ts';
import { Incoming } from '../../../src/device/publisher/incoming.ts';
import { KnownServers } from '../../../src/device/publisher/known-servers.ts';
import { ReceiptWait } from '../../../src/device/publisher/receipt-wait.ts';
import { BacklogSignal } from '../../../src/device/publisher/sender.ts';
import { ServerWatch } from '../../../src/device/publisher/servers.ts';
import { NEW_STATE } from '../../../src/device/publisher/state-file.ts';
import { Subscribers } from '../../../src/device/publisher/subscribers.ts';
import { LoopHeartbeat } from '../../../src/platform/systemd.ts';
import { homeAssistantSection, mqttSection } from '../../support/device-sections.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ArrayJournal, ArrayJournalSet } from '../../support/memory-journal-set.ts';
import { recordingLog, recordingProgress, testLive } from '../../support/recording.ts';

const ONLINE = encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] });
const TOPIC = 'techtemp/server/main';
const RECEIPT_TIMEOUT_MS = 30_000;

/** One reading has been sent and acknowledged by the broker, and no receipt has come for it. */
async function bench(announcement: { readonly isRetained: boolean }) {
  const clock = new FakeClock();
  const said: string[] = [];
  const faults = {
    failed: (_place: string, code: string) => void said.push(code),
    works: () => undefined,
  } as unknown as Faults;
  const journal = new ArrayJournal('aht20-0a1b2c', 'k3v9x2');
  const log = recordingLog();
  const journals = new ArrayJournalSet(journal);
  const mqtt = testLive(mqttSection(1883, { receiptTimeoutMs: RECEIPT_TIMEOUT_MS }));
  const state = { current: { ...NEW_STATE, waitedForServer: true }, note: () => undefined };
  const onDeliveryChange = (): void => undefined;
  const servers = new KnownServers([]);
  const inFlight = new InFlight();
  const backlog = new BacklogSignal();
  const limits = new DeliveryLimits({ clock, log, faults });
  const receipts = new ReceiptWait({ clock, mqtt, faults, inFlight, servers, limits, backlog });
  const heartbeat = new LoopHeartbeat(clock, recordingProgress(), Number.POSITIVE_INFINITY);
  const onRecalled = (): void => undefined;
  const serverWatch = new ServerWatch({ clock, log, journals, faults, heartbeat, state, servers, onRecalled });
  const subscribers = new Subscribers({ clock, log, mqtt, faults, state, onDeliveryChange });
  const tracker = new DeliveryTracker({
    clock,
    mqtt,
    journals,
    state,
    servers,
    serverWatch,
    subscribers,
    inFlight,
    limits,
    receipts,
    backlog,
    onDeliveryChange,
    onTaken: () => undefined,
  });
  const incoming = new Incoming({
    clock,
    log,
    homeassistant: testLive(homeAssistantSection()),
    journals,
    servers,
    serverWatch,
    receipts,
    tracker,
    onCommand: () => undefined,
    onHomeAssistant: () => undefined,
    onIgnored: () => undefined,
  });
  tracker.begin(Promise.resolve(), 5);
  incoming.receive(TOPIC, ONLINE, announcement.isRetained);
  const send = async (): Promise<void> => {
    const outgoing = { epoch: 'k3v9x2', urgency: 'live' as const, seqs: [1], bytes: 90 };
    inFlight.add(outgoing);
    await tracker.acknowledged(outgoing, journal, 'reading', 'taken');
  };
  await send();
  return { clock, tracker, journal, said, send };
}

test('a server that was online before a power cut and is not there yet is not called silent', async () => {
  const { clock, tracker, said, send } = await bench({ isRetained: true });
  await clock.advance(RECEIPT_TIMEOUT_MS + 1_000);
  tracker.lookAtClock(clock.monotonicMs());
  expect(said).toEqual([]);
  await clock.advance(300_000);
  await send();
  // Its patience has doubled since the first time.
  await clock.advance(2 * RECEIPT_TIMEOUT_MS + 500);
  tracker.lookAtClock(clock.monotonicMs());
  expect(said).toEqual(['RECEIPT_MISSING']);
});

test('a server that has spoken and gives no receipts is', async () => {
  const { clock, tracker, said } = await bench({ isRetained: false });
  await clock.advance(RECEIPT_TIMEOUT_MS + 1_000);
  tracker.lookAtClock(clock.monotonicMs());
  expect(said).toEqual(['RECEIPT_MISSING']);
});

test('after the agent was kept from running what has come is read before a receipt is missed', async () => {
  const { clock, tracker, journal, said } = await bench({ isRetained: false });
  await clock.advance(RECEIPT_TIMEOUT_MS + 20_000);
  expect(tracker.lookAtClock(clock.monotonicMs())).toBeGreaterThan(0);
  expect(said).toEqual([]);
  tracker.received(journal, [[1, 1]]);
  expect(tracker.lookAtClock(clock.monotonicMs())).toBe(Number.POSITIVE_INFINITY);
  expect(said).toEqual([]);
});
