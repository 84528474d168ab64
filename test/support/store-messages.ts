import type { GapRecord, Reading } from '../../src/contract/reading.ts';
import type { DeviceStatus } from '../../src/contract/status.ts';
import type {
  BadItem,
  CommitResult,
  IngestBatch,
  IngestMessage,
  ItemsMessage,
  Registration,
  RejectedMessage,
  StatusMessage,
} from '../../src/server/store/ingest-store.ts';
import type { Store } from '../../src/server/store/store.ts';

export const HOME = 'house';
/** 2026-03-01 00:00 UTC. */
export const START_MS = Date.UTC(2026, 2, 1);
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

/** A numbered reading of epoch `e1`; its values follow from its number. */
export function numbered(seq: number, over: Partial<Reading> = {}): Reading {
  return {
    temperatureCelsius: 20 + (seq % 100) / 100,
    humidityPercent: 50,
    tsMs: START_MS + seq * MINUTE_MS,
    epoch: 'e1',
    seq,
    ...over,
  };
}

/** A reading as older agents send it. */
export function unnumbered(tsMs: number, temperatureCelsius = 20, humidityPercent = 50): Reading {
  return { temperatureCelsius, humidityPercent, tsMs };
}

export function gapRecord(seq: number, over: Partial<GapRecord['gap']> = {}): GapRecord {
  return {
    gap: { ofEpoch: 'e0', from: 10, to: 19, count: 5, reason: 'thinned', ...over },
    tsMs: START_MS + seq * MINUTE_MS,
    epoch: 'e1',
    seq,
  };
}

export function itemsOf(
  deviceUid: string,
  items: ItemsMessage['items'],
  over: Partial<Pick<ItemsMessage, 'bad' | 'homeId' | 'receivedMs' | 'topic'>> = {},
): ItemsMessage {
  return {
    kind: 'items',
    topic: `home/${HOME}/sensors/${deviceUid}/backlog`,
    receivedMs: START_MS + 1000 * HOUR_MS,
    homeId: HOME,
    deviceUid,
    items,
    bad: [],
    ...over,
  };
}

export function statusOf(
  deviceUid: string,
  status: DeviceStatus,
  over: Partial<Pick<StatusMessage, 'homeId' | 'receivedMs' | 'isRetained'>> = {},
): StatusMessage {
  return {
    kind: 'status',
    topic: `home/${HOME}/sensors/${deviceUid}/status`,
    receivedMs: START_MS + 1000 * HOUR_MS,
    homeId: HOME,
    deviceUid,
    status,
    isRetained: false,
    ...over,
  };
}

export function badItem(over: Partial<BadItem> = {}): BadItem {
  return { reason: 'bad-shape', detail: 'humidity_pct is missing', payload: '{"x":1}', payloadBytes: 7, ...over };
}

export function rejectedOf(payload: string, over: Partial<RejectedMessage> = {}): RejectedMessage {
  return {
    kind: 'rejected',
    topic: `home/${HOME}/sensors/kitchen/reading`,
    receivedMs: START_MS,
    deviceUid: 'kitchen',
    reason: 'not-json',
    detail: 'not JSON',
    payload,
    payloadBytes: payload.length,
    ...over,
  };
}

export function batchOf(
  messages: readonly IngestMessage[],
  over: Partial<Omit<IngestBatch, 'messages'>> = {},
): IngestBatch {
  return { messages, registration: 'auto', maxRejected: 1000, ...over };
}

export function commit(
  store: Store,
  messages: readonly IngestMessage[],
  registration: Registration = 'auto',
): Promise<CommitResult> {
  return store.commit(batchOf(messages, { registration }));
}

/** Readings of the device `d` with these numbers. */
export async function commitNumbers(store: Store, ...seqs: readonly number[]): Promise<void> {
  await commit(store, [
    itemsOf(
      'd',
      seqs.map((seq) => numbered(seq)),
    ),
  ]);
}

/** Every reading of a device in the record, oldest first, page by page. */
export async function allReadings(store: Store, deviceUid: string): ReturnType<Store['readings']> {
  const readings = [];
  let after: string | undefined;
  do {
    const page = await store.readings({
      scope: { deviceUid },
      fromMs: 0,
      toMs: Number.MAX_SAFE_INTEGER,
      order: 'oldest-first',
      limit: 500,
      ...(after !== undefined && { after }),
    });
    readings.push(...page.readings);
    after = page.next;
  } while (after !== undefined);
  return { readings };
}
