import { describe, expect, it } from 'vitest';
import { encodeGapRecord, encodeReading, type Reading } from '../../src/contract/reading.ts';
import type { BadItem } from '../../src/server/store/ingest-store.ts';
import type { Store } from '../../src/server/store/store.ts';
import type { ServerTime } from '../../src/server/store/stored.ts';
import type { WithStore } from './store-at-hand.ts';
import {
  allReadings,
  badItem,
  batchOf,
  commit,
  gapRecord,
  HOUR_MS,
  itemsOf,
  MINUTE_MS,
  numbered,
  rejectedOf,
  START_MS,
  statusOf,
  unnumbered,
} from './store-messages.ts';

const DAY_MS = 24 * HOUR_MS;

/** A2, A3: what may be right tomorrow is kept today, and stored exactly once when it is. */
export function describeQuarantine(withStore: WithStore): void {
  describe('quarantine', () => {
    /** A server that believes it is `nowMs`; one boot unless another is named. */
    const time = (nowMs: number, over: Partial<ServerTime> = {}): ServerTime => ({
      nowMs,
      bootId: 'boot-a',
      wallMinusMonotonicMs: nowMs - 1_000_000,
      isConfirmed: false,
      ...over,
    });
    const ofReading = (reading: Reading): BadItem => {
      const payload = encodeReading(reading);
      const number = reading.epoch === undefined ? {} : { epoch: reading.epoch, seq: reading.seq ?? 0 };
      return {
        reason: 'bad-time',
        detail: 'ahead',
        payload,
        payloadBytes: payload.length,
        tsMs: reading.tsMs,
        ...number,
      };
    };
    const given = async (store: Store, readings: readonly Reading[], receivedMs: number, by = time(receivedMs)) =>
      await store.commit(batchOf([itemsOf('kitchen', [], { bad: readings.map(ofReading), receivedMs })], { time: by }));
    const judge = async (store: Store, by: ServerTime) =>
      await store.judgeQuarantine({ afterId: 0, limit: 100, time: by });
    const behindMs = 2 * DAY_MS;
    const three = [numbered(1), numbered(2), numbered(3)];

    it('A2: readings that a clock two days behind could not believe are stored once, when it is set', async () => {
      const { store, reopen } = await withStore();
      // They came within seconds after they were measured.
      const { receipts, counts } = await given(store, three, START_MS + 4 * MINUTE_MS - behindMs);
      expect(receipts).toMatchObject([{ stored: [[1, 3]] }]);
      expect(counts).toMatchObject({ stored: 0, quarantined: 3, rejected: {} });
      expect(await store.quarantineSummary()).toMatchObject({ waiting: 3, waitingForTime: 3, devices: [{ count: 3 }] });
      const notYet = time(START_MS + 5 * MINUTE_MS - behindMs, {
        wallMinusMonotonicMs: START_MS + 4 * MINUTE_MS - behindMs - 1_000_000,
      });
      expect((await judge(store, notYet)).released).toBe(0);
      const right = { nowMs: START_MS + HOUR_MS, wallMinusMonotonicMs: START_MS + 4 * MINUTE_MS - 1_000_000 };
      const { released, changes } = await judge(store, time(right.nowMs, right));
      expect(released).toBe(3);
      expect(changes).toEqual([
        {
          kind: 'history',
          deviceUid: 'kitchen',
          fromMs: numbered(1).tsMs,
          toMs: numbered(3).tsMs,
          count: expect.any(Number) as number,
        },
      ]);
      const again = await reopen();
      expect((await judge(again, time(right.nowMs, right))).released).toBe(0);
      expect((await allReadings(again, 'kitchen')).readings.map(({ seq, tsMs }) => [seq, tsMs])).toEqual(
        three.map(({ seq, tsMs }) => [seq, tsMs]),
      );
      expect((await again.buckets({ deviceUid: 'kitchen' }, [START_MS, START_MS + HOUR_MS]))[0]?.count).toBe(3);
      expect((await again.latest())[0]?.seq).toBe(3);
      expect(await again.numbers('kitchen')).toMatchObject({ epochs: [{ readings: [[1, 3]], quarantined: [] }] });
    });

    it('A2: the same after another start of the machine, where nothing had confirmed the clock', async () => {
      const { store } = await withStore();
      await given(store, three, START_MS - behindMs);
      expect((await judge(store, time(START_MS + HOUR_MS, { bootId: 'boot-b' }))).released).toBe(3);
    });

    it('is judged by clocks whose difference is no whole number of milliseconds', async () => {
      const { store } = await withStore();
      await given(store, three, START_MS + 4 * MINUTE_MS - behindMs);
      const right = time(START_MS + HOUR_MS, { wallMinusMonotonicMs: START_MS - 1_000_000 + 0.25 });
      expect((await judge(store, right)).released).toBe(3);
      expect((await allReadings(store, 'kitchen')).readings).toHaveLength(3);
    });

    it('tells when the newest came by the clock of then, also after that clock was set back', async () => {
      const { store } = await withStore();
      await given(store, [numbered(1)], START_MS + 40 * DAY_MS);
      await given(store, [numbered(2)], START_MS - 40 * DAY_MS);
      expect(await store.quarantineSummary()).toMatchObject({ waiting: 2, newestForTimeMs: START_MS - 40 * DAY_MS });
    });

    it('A3: a device whose clock was ahead is not believed because time passes', async () => {
      const { store } = await withStore();
      const ahead = numbered(1, { tsMs: START_MS + 3 * DAY_MS });
      await given(store, [ahead], START_MS, time(START_MS, { isConfirmed: true }));
      const later = START_MS + 10 * DAY_MS;
      expect(await judge(store, time(later, { wallMinusMonotonicMs: START_MS - 1_000_000 }))).toMatchObject({
        released: 0,
        kept: 1,
      });
      expect(await judge(store, time(later, { bootId: 'boot-b' }))).toMatchObject({ released: 0, kept: 1 });
    });

    it('A3: the past and the far future wait, and a person can release them as they stand', async () => {
      const { store } = await withStore();
      const odd = [numbered(1, { tsMs: 5 }), numbered(2, { tsMs: START_MS + 12 * 365 * DAY_MS })];
      await given(store, odd, START_MS);
      await commit(store, [itemsOf('kitchen', [numbered(9)], { receivedMs: START_MS + HOUR_MS })]);
      const { items } = await store.quarantine({ limit: 9 });
      expect(items.map(({ seq, tsMs, receivedMs, reason }) => [seq, tsMs, receivedMs, reason])).toEqual(
        odd.map(({ seq, tsMs }) => [seq, tsMs, START_MS, 'bad-time']),
      );
      const step = { afterId: 0, limit: 10, time: time(START_MS + HOUR_MS) };
      expect((await store.releaseQuarantine({ ...step, id: items[1]?.id ?? 0 })).released).toBe(1);
      expect((await store.latest())[0]?.seq).toBe(9);
      // It comes again, since its receipt was lost: it is there.
      const again = await given(store, odd, START_MS + HOUR_MS);
      expect(again).toMatchObject({ receipts: [{ stored: [[1, 2]] }], counts: { duplicates: 2 } });
      expect((await store.quarantineSummary()).waiting).toBe(1);
    });

    it('keeps readings of older agents, once, and stores them when they can be right', async () => {
      const { store } = await withStore();
      const reading = unnumbered(START_MS, 21);
      await given(store, [reading, reading], START_MS - behindMs);
      await given(store, [reading], START_MS - behindMs + 5);
      expect((await store.quarantineSummary()).waiting).toBe(1);
      await judge(store, time(START_MS + HOUR_MS, { wallMinusMonotonicMs: START_MS - 1_000_000 }));
      expect((await allReadings(store, 'kitchen')).readings).toMatchObject([{ temperatureCelsius: 21, seq: null }]);
    });

    it('keeps what this version does not understand whole; nothing but a version that does releases it', async () => {
      const { store } = await withStore();
      const payload = '{"gap":{"epoch":"e1","from":1,"to":2,"reason":"a new reason"},"ts":1,"epoch":"e1","seq":3}';
      const odd = badItem({ epoch: 'e1', seq: 3, payload, payloadBytes: payload.length });
      expect(await commit(store, [itemsOf('kitchen', [], { bad: [odd] })])).toMatchObject({
        receipts: [{ stored: [[3, 3]] }],
      });
      const step = { afterId: 0, limit: 10, time: time(START_MS) };
      expect(await store.releaseQuarantine(step)).toMatchObject({ released: 0, kept: 1 });
      // As a later version would find it that knows the reason.
      const known = encodeGapRecord(gapRecord(4));
      const understood = badItem({ epoch: 'e1', seq: 4, payload: known, payloadBytes: known.length });
      await commit(store, [itemsOf('kitchen', [], { bad: [understood] })]);
      expect(await store.judgeQuarantine(step)).toMatchObject({ released: 1, kept: 1, changes: [{ kind: 'gap' }] });
      expect((await store.gaps({ limit: 9 })).gaps).toMatchObject([{ seq: 4 }]);
      expect((await store.quarantine({ limit: 9 })).items.map(({ item }) => item)).toEqual([payload]);
    });

    it('where there is no more room nothing is receipted that would have to wait, and nothing goes', async () => {
      const { store, reopen } = await withStore();
      const batch = (seqs: readonly number[]) =>
        batchOf(
          [itemsOf('kitchen', [numbered(90 + (seqs[0] ?? 0))], { bad: seqs.map((seq) => ofReading(numbered(seq))) })],
          {
            maxQuarantine: 2,
            time: time(START_MS),
          },
        );
      const full = await store.commit(batch([1, 2, 3, 4]));
      expect(full.receipts).toMatchObject([
        {
          stored: [
            [1, 2],
            [91, 91],
          ],
        },
      ]);
      expect(full.counts).toMatchObject({ quarantined: 2, rejected: { 'bad-time': 2 } });
      const again = await reopen();
      expect((await again.commit(batch([5]))).receipts).toMatchObject([{ stored: [[95, 95]] }]);
      expect(await again.numbers('kitchen')).toMatchObject({ epochs: [{ quarantined: [[1, 2]], rejected: [] }] });
    });

    it('is dropped by a person only, for a reason, and leaves number, time, reason and count', async () => {
      const { store, reopen } = await withStore();
      await given(store, three, START_MS - behindMs);
      const choice = { deviceUid: 'kitchen', limit: 10, nowMs: START_MS };
      await expect(store.dropQuarantine({ ...choice, note: '  ' })).rejects.toThrow('A reason is needed');
      expect(await store.dropQuarantine({ ...choice, note: 'it lay in the sun' })).toEqual({ dropped: 3 });
      const again = await reopen();
      expect(await again.quarantineDrops(9)).toEqual([
        {
          deviceUid: 'kitchen',
          epoch: 'e1',
          fromSeq: 1,
          toSeq: 3,
          count: 3,
          reason: 'bad-time',
          note: 'it lay in the sun',
          fromTsMs: numbered(1).tsMs,
          toTsMs: numbered(3).tsMs,
          firstMs: START_MS - behindMs,
          lastMs: START_MS - behindMs,
          droppedMs: START_MS,
        },
      ]);
      expect(await again.numbers('kitchen')).toMatchObject({ epochs: [{ rejected: [[1, 3]], quarantined: [] }] });
      // It comes again: the decision stands, and the device need not keep it.
      expect(await given(again, three, START_MS - behindMs)).toMatchObject({ receipts: [{ stored: [[1, 3]] }] });
      expect((await again.quarantineSummary()).waiting).toBe(0);
    });

    it('keeps the numbers of what is trimmed, and nothing of a device that is deleted', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('kitchen', [numbered(1), numbered(2)])]);
      const other = { temperatureCelsius: 99 };
      const conflict = itemsOf('kitchen', [numbered(1, other), numbered(2, other)]);
      await store.commit(batchOf([conflict, rejectedOf('{{')], { maxRejected: 1 }));
      expect((await store.rejected({ limit: 9 })).rejected).toHaveLength(1);
      expect((await store.numbers('kitchen')).epochs).toMatchObject([{ readings: [[1, 2]], rejected: [] }]);
      await given(store, [numbered(7)], START_MS - behindMs);
      await store.removeDevice('kitchen', 'delete', START_MS);
      expect((await store.quarantineSummary()).waiting).toBe(0);
    });

    it('walks in steps, and leaves those of a refused device alone', async () => {
      const { store } = await withStore();
      await given(store, [numbered(1), numbered(2), numbered(3), numbered(4)], START_MS - behindMs);
      await commit(store, [statusOf('attic', { state: 'online' })]);
      const bad = [ofReading(numbered(1))];
      await store.commit(
        batchOf([itemsOf('attic', [], { bad, receivedMs: START_MS - behindMs })], { time: time(START_MS - behindMs) }),
      );
      await store.updateDevice('attic', { state: 'refused' }, START_MS);
      const right = time(START_MS + HOUR_MS, { wallMinusMonotonicMs: START_MS - 1_000_000 });
      const seen: number[] = [];
      let nextId: number | undefined = 0;
      for (let steps = 0; nextId !== undefined && steps < 9; steps += 1) {
        const judged = await store.judgeQuarantine({ afterId: nextId, limit: 3, time: right });
        seen.push(judged.released);
        nextId = judged.nextId;
      }
      expect(seen).toEqual([3, 1]);
      expect((await store.quarantineSummary()).devices).toMatchObject([{ deviceUid: 'attic', count: 1 }]);
    });

    it('a device of which everything waits was heard all the same', async () => {
      const { store } = await withStore();
      await given(store, [numbered(1)], START_MS - behindMs);
      expect(await store.device('kitchen')).toMatchObject({ heardMs: START_MS - behindMs, latest: null });
    });
  });
}
