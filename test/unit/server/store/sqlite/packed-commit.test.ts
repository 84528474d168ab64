import { describe, expect, it } from 'vitest';
import type { CommitResult, IngestBatch } from '../../../../../src/server/store/ingest-store.ts';
import {
  packBatch,
  packResult,
  unpackBatch,
  unpackResult,
} from '../../../../../src/server/store/sqlite/packed-commit.ts';

const base = { topic: 'home/h/sensors/d/reading', receivedMs: 1_757_537_685_793, homeId: 'h', deviceUid: 'd' };
const plain = { temperatureCelsius: 0, humidityPercent: 0, tsMs: 1_757_537_685_793 };
const gap = { gap: { ofEpoch: 'e', from: 1, reason: 'dropped' as const }, tsMs: 5, epoch: 'e', seq: 9 };

/** What the other thread gets. */
function cloned<T>(value: T): T {
  return structuredClone(value);
}

describe('a commit on its way between threads', () => {
  it('says the same on the other side, in the same order', () => {
    const batch: IngestBatch = {
      messages: [
        { ...base, kind: 'items', items: [plain, { ...plain, epoch: 'e', seq: 2 ** 48 - 1 }], bad: [] },
        { ...base, kind: 'status', status: { state: 'online' }, isRetained: true },
        {
          ...base,
          kind: 'items',
          items: [
            { ...plain, clock: 'unsynced' },
            { ...plain, trigger: 'command' },
          ],
          bad: [],
        },
        { ...base, kind: 'items', items: [plain, gap], bad: [] },
        { ...base, kind: 'items', items: [], bad: [] },
        {
          ...base,
          kind: 'items',
          items: [plain],
          bad: [{ reason: 'bad-shape', detail: 'a\nb', payload: '', payloadBytes: 0 }],
        },
        {
          kind: 'rejected',
          topic: 'x\ny',
          receivedMs: 1,
          reason: 'bad-topic',
          detail: '',
          payload: '',
          payloadBytes: 0,
        },
        {
          ...base,
          kind: 'items',
          items: Array.from({ length: 3_000 }, (_, index) => ({ ...plain, epoch: `e${index}`, seq: index + 1 })),
          bad: [],
        },
      ],
      registration: 'approve',
      maxRejected: 7,
    };
    expect(unpackBatch(cloned(packBatch(batch)))).toEqual(batch);
  });

  it('leaves to the store what is no reading by the rules', () => {
    const odd = { ...base, kind: 'items' as const, items: [{ ...plain, epoch: 'e' }], bad: [] };
    const batch: IngestBatch = { messages: [odd], registration: 'auto', maxRejected: 1 };
    expect(unpackBatch(cloned(packBatch(batch))).messages[0]).toStrictEqual(odd);
  });

  it('comes back with counts, receipts and changes', () => {
    const reading = {
      deviceUid: 'd',
      roomUid: null,
      tsMs: 5,
      temperatureCelsius: -1.25,
      humidityPercent: 100,
      epoch: null,
      seq: null,
      isUnsynced: false,
      isOnDemand: true,
    };
    const result: CommitResult = {
      counts: {
        stored: 2,
        duplicates: 1,
        corrected: 0,
        gaps: 0,
        statuses: 0,
        rejected: { conflict: 1 },
        registered: 1,
      },
      receipts: [
        {
          homeId: 'h',
          deviceUid: 'd',
          epoch: 'e',
          stored: [
            [1, 4],
            [6, 6],
          ],
        },
        { homeId: 'h', deviceUid: 'd2', epoch: 'e', stored: [[1, 1]] },
      ],
      changes: [
        { kind: 'device', deviceUid: 'd' },
        { kind: 'history', deviceUid: 'd', fromMs: 1, toMs: 2, count: 3 },
        { kind: 'reading', reading },
        {
          kind: 'reading',
          reading: { ...reading, roomUid: 'r', epoch: 'e', seq: 3, isUnsynced: true, isOnDemand: false },
        },
        { kind: 'rejected', count: 1 },
      ],
    };
    expect(unpackResult(cloned(packResult(result)))).toEqual(result);
    const nothing: CommitResult = { ...result, receipts: [], changes: [] };
    expect(unpackResult(cloned(packResult(nothing)))).toEqual(nothing);
  });
});
