import { expect, test } from 'vitest';
import { encodeAnnouncement } from '../../../src/contract/announcement.ts';
import { Desk } from '../../../src/device/publisher/desk.ts';
import type { Faults } from '../../../src/device/publisher/faults.ts';
import { Incoming } from '../../../src/device/publisher/incoming.ts';
import { NEW_MEMORY } from '../../../src/device/publisher/state-file.ts';
import { mqttSection } from '../../support/device-sections.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ArrayJournal, ArrayJournalSet } from '../../support/memory-journal-set.ts';
import { recordingLog, testLive } from '../../support/recording.ts';

const ONLINE = encodeAnnouncement({ state: 'online', accepts: ['batch', 'receipt'] });
const TOPIC = 'techtemp/server/main';
const RECEIPT_TIMEOUT_MS = 30_000;

/** A desk that has sent one reading, which the broker has acknowledged and nobody has receipted. */
async function bench(announcement: { readonly isRetained: boolean }) {
  const clock = new FakeClock();
  const said: string[] = [];
  const faults = {
    failed: (_place: string, code: string) => void said.push(code),
    works: () => undefined,
  } as unknown as Faults;
  const journal = new ArrayJournal('aht20-0a1b2c', 'k3v9x2');
  const desk = new Desk(
    {
      clock,
      faults,
      log: recordingLog(),
      journals: new ArrayJournalSet(journal),
      remember: () => undefined,
      mqtt: testLive(mqttSection(1883, { receiptTimeoutMs: RECEIPT_TIMEOUT_MS })),
      onDeliveryChange: () => undefined,
      onTaken: () => undefined,
    } as unknown as ConstructorParameters<typeof Desk>[0],
    { ...NEW_MEMORY, waitedForServer: true },
  );
  const incoming = new Incoming({
    desk,
    onCommand: () => undefined,
    onHomeAssistant: () => undefined,
    onIgnored: () => undefined,
  });
  desk.begin(Promise.resolve(), 5);
  incoming.receive(TOPIC, ONLINE, announcement.isRetained);
  const send = async (): Promise<void> => {
    const outgoing = { epoch: 'k3v9x2', urgency: 'live' as const, seqs: [1], bytes: 90 };
    desk.transit.add(outgoing);
    await desk.acknowledged(outgoing, journal, 'reading', 'taken');
  };
  await send();
  return { clock, desk, journal, said, send };
}

test('a server that was online before a power cut and is not there yet is not called silent', async () => {
  const { clock, desk, said, send } = await bench({ isRetained: true });
  await clock.advance(RECEIPT_TIMEOUT_MS + 1_000);
  desk.lookAtClock();
  expect(said).toEqual([]);
  await clock.advance(300_000);
  await send();
  // Its patience has doubled since the first time.
  await clock.advance(2 * RECEIPT_TIMEOUT_MS + 500);
  desk.lookAtClock();
  expect(said).toEqual(['RECEIPT_MISSING']);
});

test('a server that has spoken and gives no receipts is', async () => {
  const { clock, desk, said } = await bench({ isRetained: false });
  await clock.advance(RECEIPT_TIMEOUT_MS + 1_000);
  desk.lookAtClock();
  expect(said).toEqual(['RECEIPT_MISSING']);
});

test('after the agent was kept from running what has come is read before a receipt is missed', async () => {
  const { clock, desk, journal, said } = await bench({ isRetained: false });
  await clock.advance(RECEIPT_TIMEOUT_MS + 20_000);
  expect(desk.lookAtClock()).toBeGreaterThan(0);
  expect(said).toEqual([]);
  desk.received(journal, [[1, 1]]);
  expect(desk.lookAtClock()).toBe(Number.POSITIVE_INFINITY);
  expect(said).toEqual([]);
});
