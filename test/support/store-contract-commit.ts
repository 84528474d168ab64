import { describe, expect, it } from 'vitest';
import type { Reading } from '../../src/contract/reading.ts';
import { PAYLOAD_KEPT_BYTES } from '../../src/server/store/ingest-store.ts';
import type { WithStore } from './store-at-hand.ts';
import {
  allReadings,
  badItem,
  batchOf,
  commit,
  gapRecord,
  HOME,
  HOUR_MS,
  itemsOf,
  MINUTE_MS,
  numbered,
  rejectedOf,
  START_MS,
  statusOf,
  unnumbered,
} from './store-messages.ts';

/** What commit() promises about readings, gap records, rejections, receipts and changes. */
export function describeCommit(withStore: WithStore): void {
  describe('commit', () => {
    it('S1: 0 °C and 0 % are values', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [numbered(1, { temperatureCelsius: 0, humidityPercent: 0 })])]);
      const { readings } = await allReadings(store, 'kitchen');
      expect(readings).toMatchObject([{ temperatureCelsius: 0, humidityPercent: 0 }]);
      expect((await store.device('kitchen'))?.latest).toMatchObject({ temperatureCelsius: 0, humidityPercent: 0 });
      const [bucket] = await store.buckets({ deviceUid: 'kitchen' }, [START_MS, START_MS + HOUR_MS]);
      expect(bucket).toMatchObject({ count: 1, temperature: { min: 0, avg: 0, max: 0 }, humidity: { min: 0 } });
    });

    it('keeps all of a reading, through closing and opening', async () => {
      const { store, reopen } = await withStore();
      const reading = numbered(7, { temperatureCelsius: -3.25, clock: 'unsynced', trigger: 'command' });
      await commit(store, [itemsOf('kitchen', [reading])]);
      const again = await reopen();
      expect((await allReadings(again, 'kitchen')).readings).toEqual([
        {
          deviceUid: 'kitchen',
          roomUid: null,
          tsMs: reading.tsMs,
          temperatureCelsius: -3.25,
          humidityPercent: 50,
          epoch: 'e1',
          seq: 7,
          isUnsynced: true,
          isOnDemand: true,
        },
      ]);
    });

    it('receipts exact ranges per home, device and epoch, gap records among them', async () => {
      const { store } = await withStore();
      const { receipts, counts } = await commit(store, [
        itemsOf('kitchen', [numbered(3), numbered(1), gapRecord(2), numbered(9, { epoch: 'e2' })]),
        itemsOf('attic', [numbered(4), unnumbered(START_MS)]),
        itemsOf('kitchen', [numbered(5)]),
      ]);
      expect(receipts).toEqual([
        {
          homeId: HOME,
          deviceUid: 'kitchen',
          epoch: 'e1',
          stored: [
            [1, 3],
            [5, 5],
          ],
        },
        { homeId: HOME, deviceUid: 'kitchen', epoch: 'e2', stored: [[9, 9]] },
        { homeId: HOME, deviceUid: 'attic', epoch: 'e1', stored: [[4, 4]] },
      ]);
      expect(counts).toEqual({
        stored: 6,
        duplicates: 0,
        corrected: 0,
        gaps: 1,
        statuses: 0,
        rejected: {},
        registered: 2,
      });
    });

    it('S7: the same again is a duplicate, receipted, and changes nothing', async () => {
      const { store } = await withStore();
      const message = itemsOf('kitchen', [numbered(1), numbered(2), gapRecord(3), unnumbered(START_MS, 21)]);
      await commit(store, [message]);
      const before = [await allReadings(store, 'kitchen'), await store.devices(), await store.gaps({ limit: 9 })];
      const again = await commit(store, [message, message]);
      expect(again.counts).toMatchObject({ stored: 0, duplicates: 8, gaps: 0, corrected: 0, rejected: {} });
      expect(again.receipts).toMatchObject([{ stored: [[1, 3]] }]);
      expect(again.changes).toEqual([]);
      expect([await allReadings(store, 'kitchen'), await store.devices(), await store.gaps({ limit: 9 })]).toEqual(
        before,
      );
      const [bucket] = await store.buckets({ deviceUid: 'kitchen' }, [START_MS, START_MS + HOUR_MS]);
      expect(bucket?.count).toBe(3);
    });

    it('S7: other values for the same time of an older agent correct it, everywhere', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [unnumbered(START_MS, 20), unnumbered(START_MS + 1, 30)])]);
      const { counts, changes } = await commit(store, [itemsOf('kitchen', [unnumbered(START_MS + 1, 10, 40)])]);
      expect(counts).toMatchObject({ stored: 0, corrected: 1, duplicates: 0, rejected: {} });
      expect(changes).toMatchObject([{ kind: 'reading', reading: { temperatureCelsius: 10 } }]);
      expect((await allReadings(store, 'kitchen')).readings).toMatchObject([
        { temperatureCelsius: 20 },
        { temperatureCelsius: 10, humidityPercent: 40 },
      ]);
      expect((await store.latest())[0]).toMatchObject({ temperatureCelsius: 10, humidityPercent: 40 });
      const [bucket] = await store.buckets({ deviceUid: 'kitchen' }, [START_MS, START_MS + HOUR_MS]);
      expect(bucket).toMatchObject({ count: 2, temperature: { min: 10, avg: 15, max: 20 } });
    });

    it('keeps what is stored when the same number and time come with other values, and says so', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [numbered(1), gapRecord(2)])]);
      const { counts, receipts, changes } = await commit(store, [
        itemsOf('kitchen', [numbered(1, { temperatureCelsius: 99 }), gapRecord(2, { count: 6 })]),
      ]);
      expect(counts).toMatchObject({ stored: 0, duplicates: 0, gaps: 0, rejected: { conflict: 2 } });
      expect(receipts).toMatchObject([{ stored: [[1, 2]] }]);
      expect(changes).toEqual([{ kind: 'rejected', count: 2 }]);
      expect((await allReadings(store, 'kitchen')).readings).toMatchObject([{ temperatureCelsius: 20.01 }]);
      const { rejected } = await store.rejected({ limit: 9 });
      expect(rejected.map(({ reason, deviceUid }) => `${reason} ${String(deviceUid)}`)).toEqual([
        'conflict kitchen',
        'conflict kitchen',
      ]);
      expect(rejected[1]?.payload).toContain('"temperature_c":99');
    });

    it('stores a number twice that came with two times, and the audit sees it', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [numbered(1), numbered(1, { tsMs: START_MS + 5 })])]);
      expect((await allReadings(store, 'kitchen')).readings).toHaveLength(2);
      expect((await store.numbers('kitchen')).epochs).toMatchObject([{ doubled: [[1, 1]] }]);
    });

    it('S6: a late reading moves neither the newest value nor the time last seen back', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [numbered(10)])]);
      const { changes } = await commit(store, [itemsOf('kitchen', [numbered(2), numbered(4), unnumbered(1000)])]);
      expect(changes).toEqual([
        { kind: 'history', deviceUid: 'kitchen', fromMs: 1000, toMs: numbered(4).tsMs, count: 3 },
      ]);
      const device = await store.device('kitchen');
      expect(device?.lastSeenMs).toBe(numbered(10).tsMs);
      expect(device?.latest?.seq).toBe(10);
      expect((await store.latest())[0]?.seq).toBe(10);
    });

    it('saw a device at most when its reading came, and never takes that back', async () => {
      const { store } = await withStore();
      const receivedMs = START_MS;
      await commit(store, [itemsOf('kitchen', [numbered(1, { tsMs: START_MS + HOUR_MS })], { receivedMs })]);
      expect((await store.device('kitchen'))?.lastSeenMs).toBe(START_MS);
      const early = itemsOf('kitchen', [numbered(2, { tsMs: START_MS + 2 * HOUR_MS })], { receivedMs: START_MS - 5 });
      await commit(store, [early]);
      expect((await store.device('kitchen'))?.lastSeenMs).toBe(START_MS);
    });

    it('tells of the last of the newest readings of a device, and of the others as history', async () => {
      const { store } = await withStore();
      await commit(store, [statusOf('kitchen', { state: 'online', room: 'Kitchen' })]);
      const { changes } = await commit(store, [
        itemsOf('kitchen', [numbered(1), numbered(2)]),
        itemsOf('attic', [numbered(1)]),
        itemsOf('kitchen', [numbered(3), gapRecord(4)]),
      ]);
      expect(changes).toEqual([
        { kind: 'device', deviceUid: 'attic' },
        { kind: 'history', deviceUid: 'kitchen', fromMs: numbered(1).tsMs, toMs: numbered(2).tsMs, count: 2 },
        {
          kind: 'reading',
          reading: expect.objectContaining({ deviceUid: 'kitchen', seq: 3, roomUid: 'kitchen' }) as unknown,
        },
        { kind: 'reading', reading: expect.objectContaining({ deviceUid: 'attic', roomUid: null }) as unknown },
        { kind: 'gap', deviceUid: 'kitchen' },
      ]);
    });

    it('S5: a late reading belongs to the room in which its device stood at that time', async () => {
      const { store } = await withStore();
      const nowMs = START_MS + 100 * HOUR_MS;
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      await store.updateDevice('d', { room: { name: 'Cellar' }, movedAtMs: START_MS + 5 * MINUTE_MS }, nowMs);
      const { changes } = await commit(store, [itemsOf('d', [numbered(6), numbered(5), numbered(4)])]);
      expect(
        (await allReadings(store, 'd')).readings.map(({ seq, roomUid }) => `${String(seq)} ${String(roomUid)}`),
      ).toEqual(['4 attic', '5 cellar', '6 cellar']);
      expect(changes.find(({ kind }) => kind === 'reading')).toMatchObject({ reading: { roomUid: 'cellar' } });
      await store.updateDevice('d', { room: { name: 'Garden' } }, nowMs);
      const late = await commit(store, [itemsOf('d', [numbered(20)])]);
      expect(late.changes).toMatchObject([{ kind: 'reading', reading: { roomUid: 'cellar' } }]);
    });

    it('A3: receipts and keeps numbers that came and cannot be right today', async () => {
      const { store } = await withStore();
      const { counts, receipts, changes } = await commit(store, [
        itemsOf('kitchen', [numbered(1)], { bad: [badItem({ epoch: 'e1', seq: 2, reason: 'bad-time' }), badItem()] }),
      ]);
      expect(counts).toMatchObject({ stored: 1, quarantined: 1, rejected: { 'bad-shape': 1 } });
      expect(receipts).toMatchObject([{ epoch: 'e1', stored: [[1, 2]] }]);
      expect(changes).toContainEqual({ kind: 'rejected', count: 1 });
      expect((await store.numbers('kitchen')).epochs).toMatchObject([
        { readings: [[1, 1]], rejected: [], quarantined: [[2, 2]] },
      ]);
    });

    it('receipts a bad item with a number of a device that never said anything else', async () => {
      const { store } = await withStore();
      const { receipts } = await commit(store, [itemsOf('d', [], { bad: [badItem({ epoch: 'e1', seq: 1 })] })]);
      expect(receipts).toEqual([{ homeId: HOME, deviceUid: 'd', epoch: 'e1', stored: [[1, 1]] }]);
      const nothing = await commit(store, [itemsOf('ghost', [], { bad: [badItem()] })]);
      expect(nothing).toMatchObject({ receipts: [], counts: { registered: 0, rejected: { 'bad-shape': 1 } } });
      expect(await store.device('ghost')).toBeUndefined();
    });

    it('keeps a rejected message once, with how often it came', async () => {
      const { store } = await withStore();
      await commit(store, [rejectedOf('{{'), rejectedOf('{{', { receivedMs: START_MS + 9 }), rejectedOf('other')]);
      await commit(store, [rejectedOf('{{', { receivedMs: START_MS + 5 })]);
      const { rejected } = await store.rejected({ limit: 9 });
      expect(rejected.map(({ payload, count, firstMs, lastMs }) => [payload, count, firstMs, lastMs])).toEqual([
        ['other', 1, START_MS, START_MS],
        ['{{', 3, START_MS, START_MS + 9],
      ]);
    });

    it('keeps at most so many rejected messages, and the oldest go', async () => {
      const { store, reopen } = await withStore();
      const messages = Array.from({ length: 10 }, (_, index) => rejectedOf(`bad ${index}`));
      await store.commit(batchOf(messages, { maxRejected: 4 }));
      const payloads = async (from = store): Promise<string[]> =>
        (await from.rejected({ limit: 99 })).rejected.map(({ payload }) => payload);
      expect(await payloads()).toEqual(['bad 9', 'bad 8', 'bad 7', 'bad 6']);
      const again = await reopen();
      await again.commit(batchOf([rejectedOf('bad 10')], { maxRejected: 4 }));
      expect(await payloads(again)).toEqual(['bad 10', 'bad 9', 'bad 8', 'bad 7']);
      await again.commit(batchOf([rejectedOf('bad 11')], { maxRejected: 0 }));
      expect(await payloads(again)).toEqual([]);
    });

    it('cuts what it keeps of a payload, and remembers its size', async () => {
      const { store } = await withStore();
      const payload = 'é'.repeat(PAYLOAD_KEPT_BYTES);
      await commit(store, [rejectedOf(payload, { payloadBytes: 99_999 })]);
      const { rejected } = await store.rejected({ limit: 1 });
      expect(rejected[0]?.payloadBytes).toBe(99_999);
      expect(rejected[0]?.payload).toBe('é'.repeat(PAYLOAD_KEPT_BYTES / 2));
    });

    it('is not poisoned by what cannot be stored: that waits for a version that can, the rest is stored', async () => {
      const { store } = await withStore();
      const poison = { ...numbered(2), tsMs: 1.5 };
      const nonsense = { ...numbered(3), temperatureCelsius: 'warm' } as unknown as Reading;
      const { counts, receipts } = await commit(store, [
        itemsOf('kitchen', [numbered(1), poison, nonsense, numbered(4)]),
        statusOf('kitchen', { state: 'elsewhere' as 'online' }),
        itemsOf('attic', [numbered(1)]),
      ]);
      expect(counts).toMatchObject({ stored: 3, quarantined: 2, rejected: { 'bad-shape': 1 }, registered: 2 });
      expect(receipts).toMatchObject([{ stored: [[1, 4]] }, { deviceUid: 'attic', stored: [[1, 1]] }]);
      expect((await allReadings(store, 'kitchen')).readings.map(({ seq }) => seq)).toEqual([1, 4]);
      const [bucket] = await store.buckets({ deviceUid: 'kitchen' }, [START_MS, START_MS + HOUR_MS]);
      expect(bucket?.count).toBe(2);
    });

    it('commits overlapping calls in their order', async () => {
      const { store } = await withStore();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) => commit(store, [itemsOf('kitchen', [unnumbered(START_MS, index)])])),
      );
      expect(results.map(({ counts }) => counts.stored + counts.corrected)).toEqual(results.map(() => 1));
      expect((await store.latest())[0]?.temperatureCelsius).toBe(19);
    });

    it('takes an empty batch', async () => {
      const { store } = await withStore();
      expect(await commit(store, [])).toMatchObject({ receipts: [], changes: [], counts: { stored: 0 } });
    });

    it('takes texts of any kind as data', async () => {
      const { store } = await withStore();
      const hostile = `'); DROP TABLE readings; --\u0000\ud800__proto__`;
      await commit(store, [
        rejectedOf(hostile, { topic: hostile, deviceUid: hostile, detail: hostile }),
        statusOf('__proto__', { state: 'online', room: hostile, label: hostile }),
        itemsOf('constructor', [numbered(1, { epoch: '__proto__' })]),
      ]);
      expect((await store.devices()).map(({ uid }) => uid)).toEqual(['__proto__', 'constructor']);
      expect((await allReadings(store, 'constructor')).readings[0]?.epoch).toBe('__proto__');
      expect((await store.rejected({ limit: 9 })).rejected).toHaveLength(1);
    });
  });
}
