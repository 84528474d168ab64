import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GapRecord, Reading } from '../../src/contract/reading.ts';
import type { DeviceStatus } from '../../src/contract/status.ts';
import type { IngestMessage } from '../../src/server/store/ingest-store.ts';
import type { ReadingQuery, Store } from '../../src/server/store/store.ts';
import type { StoredReading } from '../../src/server/store/stored.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A whole hour. */
const T0 = Date.parse('2026-06-01T10:00:00Z');
const ALL = { scope: 'all', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, order: 'oldest-first', limit: 1000 } as const;

/** What src/server/store/store.ts, audit-store.ts and token-store.ts promise, for every implementation. */
export function describeStoreReading(name: string, open: () => Promise<Store>): void {
  describe(`${name} answers about what it holds`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const commit = (...messages: IngestMessage[]) => store.commit({ messages, registration: 'auto', maxRejected: 100 });
    const give = (deviceUid: string, ...items: (Reading | GapRecord)[]) => commit(itemsOf(deviceUid, items));
    const rooms = async (query: Partial<ReadingQuery> = {}): Promise<(string | null)[]> =>
      (await store.readings({ ...ALL, ...query })).readings.map(({ roomUid }) => roomUid);

    describe('the newest readings', () => {
      it('are one of each device, sorted by uid, with the room in which they were taken', async () => {
        await store.addDevices([{ uid: 'b', room: { name: 'Attic' } }, { uid: 'a' }, { uid: 'silent' }], T0);
        await give('b', reading(1, T0), reading(3, T0 + 2 * MINUTE_MS), reading(2, T0 + MINUTE_MS));
        await give('a', { ...reading(1, T0), clock: 'unsynced', trigger: 'command' });
        expect(await store.latest()).toEqual([
          stored('a', 1, T0, { isUnsynced: true, isOnDemand: true }),
          stored('b', 3, T0 + 2 * MINUTE_MS, { roomUid: 'attic' }),
        ]);
      });

      it('S1: 0 °C and 0 % are values', async () => {
        await give('a', { ...reading(1, T0), temperatureCelsius: 0, humidityPercent: 0 });
        const zero = { temperatureCelsius: 0, humidityPercent: 0 };
        expect(await store.latest()).toMatchObject([zero]);
        expect((await store.readings(ALL)).readings).toMatchObject([zero]);
      });

      it('S11: are found by the uid of a room, and show no internal number', async () => {
        await store.addDevices(
          [
            { uid: 'a', room: { name: 'Attic' } },
            { uid: 'b', room: { name: 'Hall' } },
          ],
          T0,
        );
        await give('a', reading(1, T0));
        await give('b', reading(1, T0));
        expect(await store.latest({ roomUid: 'attic' })).toEqual([stored('a', 1, T0, { roomUid: 'attic' })]);
        expect(await store.latest({ deviceUid: 'b' })).toEqual([stored('b', 1, T0, { roomUid: 'hall' })]);
        expect(await store.latest({ deviceUid: 'b', roomUid: 'attic' })).toEqual([]);
        expect(await store.latest({ roomUid: '1' })).toEqual([]);
        expect(await store.latest({ deviceUid: 'nobody' })).toEqual([]);
      });

      it('of devices that are refused or removed are not shown, of those that wait they are', async () => {
        const messages = ['waits', 'refused', 'removed'].map((uid) => itemsOf(uid, [reading(1, T0)]));
        await store.commit({ messages, registration: 'approve', maxRejected: 100 });
        await store.updateDevice('refused', { state: 'refused' }, T0);
        await store.removeDevice('removed', 'keep', T0);
        expect((await store.latest()).map(({ deviceUid }) => deviceUid)).toEqual(['waits']);
      });
    });

    describe('the room of a reading', () => {
      it('S5: is the one in which its device stood at that time, however late it comes', async () => {
        await store.addDevices([{ uid: 'a', room: { name: 'Attic' } }], T0);
        await store.updateDevice('a', { room: { name: 'Hall' }, movedAtMs: T0 + HOUR_MS }, T0 + DAY_MS);
        await give('a', reading(3, T0 + HOUR_MS));
        await give('a', reading(1, T0), reading(2, T0 + HOUR_MS - 1));
        expect(await rooms()).toEqual(['attic', 'attic', 'hall']);
        expect(await rooms({ scope: { roomUid: 'attic' } })).toEqual(['attic', 'attic']);
        expect(await rooms({ scope: { roomUid: 'hall' } })).toEqual(['hall']);
      });

      it('S5: changes for what was measured since the day of a move that is told later', async () => {
        await store.addDevices([{ uid: 'a', room: { name: 'Attic' } }], T0);
        await give('a', reading(1, T0), reading(2, T0 + HOUR_MS), reading(3, T0 + 2 * HOUR_MS));
        expect(await rooms()).toEqual(['attic', 'attic', 'attic']);
        await store.updateDevice('a', { room: { name: 'Hall' }, movedAtMs: T0 + HOUR_MS }, T0 + DAY_MS);
        expect(await rooms()).toEqual(['attic', 'hall', 'hall']);
        expect(await store.latest()).toMatchObject([{ roomUid: 'hall' }]);
        const [inHall] = await store.buckets({ roomUid: 'hall' }, [T0, T0 + DAY_MS]);
        expect(inHall?.count).toBe(2);
        expect(await store.extent({ roomUid: 'attic' })).toEqual({ fromMs: T0, toMs: T0 });
      });

      it('is none where it stood nowhere', async () => {
        await store.addDevices([{ uid: 'a' }], T0);
        await give('a', reading(1, T0));
        await store.updateDevice('a', { room: { name: 'Hall' }, movedAtMs: T0 + HOUR_MS }, T0 + DAY_MS);
        await store.updateDevice('a', { room: null, movedAtMs: T0 + 2 * HOUR_MS }, T0 + DAY_MS);
        await give('a', reading(2, T0 + HOUR_MS), reading(3, T0 + 2 * HOUR_MS));
        expect(await rooms()).toEqual([null, 'hall', null]);
      });
    });

    describe('pages', () => {
      it('S15: leave nothing out, whatever the size of a page, the scope and the order', async () => {
        await store.addDevices(
          [
            { uid: 'a', room: { name: 'Hall' } },
            { uid: 'b', room: { name: 'Hall' } },
          ],
          T0,
        );
        const times = Array.from({ length: 25 }, (_, index) => T0 + Math.floor(index / 2) * MINUTE_MS);
        for (const uid of ['a', 'b']) await give(uid, ...times.map((tsMs, index) => reading(index + 1, tsMs)));
        // One of an older agent, at a time that others have too.
        await give('b', { temperatureCelsius: 1, humidityPercent: 2, tsMs: T0 });
        const whole = (await store.readings(ALL)).readings;
        expect(whole).toHaveLength(51);
        for (const scope of ['all', { roomUid: 'hall' }, { deviceUid: 'a' }, { deviceUid: 'b' }] as const) {
          const wanted = whole.filter(({ deviceUid }) => {
            return scope === 'all' || 'roomUid' in scope || scope.deviceUid === deviceUid;
          });
          for (const limit of [1, 2, 7, wanted.length, wanted.length + 1]) {
            expect(await everyPage(store, { ...ALL, scope, limit })).toEqual(wanted);
            const backwards = await everyPage(store, { ...ALL, scope, limit, order: 'newest-first' });
            expect(backwards).toEqual([...wanted].reverse());
          }
        }
      });

      it('hold from the first moment of the range to before its last', async () => {
        await give('a', reading(1, T0 - 1), reading(2, T0), reading(3, T0 + 1), reading(4, T0 + 2));
        const seqs = async (fromMs: number, toMs: number) =>
          (await store.readings({ ...ALL, fromMs, toMs })).readings.map(({ seq }) => seq);
        expect(await seqs(T0, T0 + 2)).toEqual([2, 3]);
        expect(await seqs(T0, T0)).toEqual([]);
        expect(await seqs(T0 + 2, T0)).toEqual([]);
      });

      it('stay right while readings come in before and behind the place, and while a device is moved', async () => {
        await store.addDevices([{ uid: 'a', room: { name: 'Attic' } }], T0);
        await give('a', ...[10, 20, 30, 40].map((seq) => reading(seq, T0 + seq * MINUTE_MS)));
        const query = { ...ALL, scope: { roomUid: 'attic' }, limit: 2 } as const;
        const first = await store.readings(query);
        expect(first.readings.map(({ seq }) => seq)).toEqual([10, 20]);
        await give('a', reading(5, T0 + 5 * MINUTE_MS), reading(25, T0 + 25 * MINUTE_MS));
        await store.updateDevice('a', { room: { name: 'Hall' }, movedAtMs: T0 + 35 * MINUTE_MS }, T0 + DAY_MS);
        const second = await store.readings({ ...query, after: first.next! });
        expect(second.readings.map(({ seq }) => seq)).toEqual([25, 30]);
        expect(second.next).toBeUndefined();
      });

      it('go on from no other place than one that a page gave', async () => {
        for (const after of ['', 'x', 'WzFd', '%']) {
          await expect(store.readings({ ...ALL, after })).rejects.toMatchObject({ code: 'INVALID' });
          await expect(store.gaps({ limit: 1, after })).rejects.toMatchObject({ code: 'INVALID' });
        }
        await expect(store.rejected({ limit: 1, after: 'x' })).rejects.toMatchObject({ code: 'INVALID' });
      });
    });

    describe('buckets', () => {
      it('follow what comes late, twice, or corrected', async () => {
        const edges = [T0, T0 + HOUR_MS, T0 + 2 * HOUR_MS, T0 + 2 * HOUR_MS + 1];
        const counts = async () => (await store.buckets({ deviceUid: 'a' }, edges)).map(({ count }) => count);
        await give('a', reading(2, T0 + HOUR_MS), reading(3, T0 + 2 * HOUR_MS));
        expect(await counts()).toEqual([0, 1, 1]);
        await give('a', reading(1, T0), reading(2, T0 + HOUR_MS));
        expect(await counts()).toEqual([1, 1, 1]);
        const older = { temperatureCelsius: 10, humidityPercent: 90, tsMs: T0 + 1 };
        await give('a', older);
        await give('a', { ...older, temperatureCelsius: 30, humidityPercent: 10 });
        const [first, second] = await store.buckets({ deviceUid: 'a' }, edges);
        expect(first).toEqual({
          ...{ fromMs: T0, toMs: T0 + HOUR_MS, count: 2 },
          temperature: { min: 20.01, avg: expect.closeTo(25.005, 9) as number, max: 30 },
          humidity: { min: 10, avg: 30, max: 50 },
        });
        expect(second).toMatchObject({ count: 1, temperature: { min: 20.02, avg: 20.02, max: 20.02 } });
      });

      it('of a room hold what was measured there, to the minute of a move', async () => {
        await store.addDevices(
          [
            { uid: 'a', room: { name: 'Attic' } },
            { uid: 'b', room: { name: 'Hall' } },
          ],
          T0,
        );
        await store.updateDevice('a', { room: { name: 'Hall' }, movedAtMs: T0 + 90 * MINUTE_MS }, T0 + DAY_MS);
        const items = Array.from({ length: 24 }, (_, index) => reading(index + 1, T0 + index * 10 * MINUTE_MS));
        for (const uid of ['a', 'b']) await give(uid, ...items);
        const edges = [0, 1, 2, 3, 4].map((hour) => T0 + hour * HOUR_MS);
        const counts = async (scope: Parameters<Store['buckets']>[0]) =>
          (await store.buckets(scope, edges)).map(({ count }) => count);
        expect(await counts({ roomUid: 'attic' })).toEqual([6, 3, 0, 0]);
        expect(await counts({ roomUid: 'hall' })).toEqual([6, 9, 12, 12]);
        expect(await counts('all')).toEqual([12, 12, 12, 12]);
        expect(await counts({ roomUid: 'nowhere' })).toEqual([0, 0, 0, 0]);
      });
    });

    describe('what was to be expected, and when', () => {
      it('is known from the intervals that the device told', async () => {
        const say = (tsMs: number, seconds: number) =>
          commit(statusOf('a', { state: 'online', ts: tsMs, interval_s: seconds }));
        await say(T0 + HOUR_MS, 60);
        await say(T0 + 2 * HOUR_MS, 300);
        const edges = [0, 1, 2, 3, 4].map((hour) => T0 + hour * HOUR_MS);
        expect(await store.expected('a', edges, T0 + 3.5 * HOUR_MS)).toEqual([null, 60, 12, 6]);
        expect(await store.expected('nobody', [T0, T0 + 1], T0)).toEqual([null]);
      });

      it('reaches from the oldest reading to the newest', async () => {
        expect(await store.extent('all')).toBeUndefined();
        await give('a', reading(2, T0 + 5), reading(1, T0));
        await give('b', reading(1, T0 + 9));
        expect(await store.extent('all')).toEqual({ fromMs: T0, toMs: T0 + 9 });
        expect(await store.extent({ deviceUid: 'a' })).toEqual({ fromMs: T0, toMs: T0 + 5 });
        expect(await store.extent({ deviceUid: 'nobody' })).toBeUndefined();
        expect(await store.extent({ roomUid: 'nowhere' })).toBeUndefined();
      });
    });

    describe('the audit', () => {
      it('tells every number that came, and what is said of those that did not', async () => {
        const gap = {
          ofEpoch: 'e1',
          from: 3,
          to: 4,
          count: 2,
          reason: 'dropped',
          fromTsMs: T0 + 3,
          toTsMs: T0 + 4,
        } as const;
        await give('a', reading(1, T0), reading(2, T0 + 2), reading(6, T0 + 6), {
          tsMs: T0 + 5,
          epoch: 'e1',
          seq: 5,
          gap,
        });
        await give('a', { temperatureCelsius: 1, humidityPercent: 2, tsMs: T0 });
        await give('a', { ...reading(1, T0), temperatureCelsius: 99 });
        const told = {
          ...{ deviceUid: 'a', ofEpoch: 'e1', fromSeq: 3, toSeq: 4, count: 2, reason: 'dropped' },
          ...{ fromTsMs: T0 + 3, toTsMs: T0 + 4, epoch: 'e1', seq: 5, tsMs: T0 + 5 },
        };
        const { epochs, unnumbered } = await store.numbers('a');
        expect(unnumbered).toBe(1);
        expect(epochs).toMatchObject([
          {
            epoch: 'e1',
            readings: [
              [1, 2],
              [6, 6],
            ],
            gapRecords: [[5, 5]],
            doubled: [],
            fromMs: T0,
            toMs: T0 + 6,
            gaps: [told],
          },
        ]);
        expect((await store.gaps({ limit: 10 })).gaps).toEqual([told]);
        expect((await store.gaps({ limit: 10, toMs: T0 + 3 })).gaps).toEqual([]);
        expect((await store.rejected({ limit: 10 })).rejected).toMatchObject([{ deviceUid: 'a', reason: 'conflict' }]);
      });

      it('tells a number that came with two times', async () => {
        await give('a', reading(1, T0), reading(1, T0 + 1), reading(2, T0 + 2));
        expect((await store.numbers('a')).epochs).toMatchObject([{ readings: [[1, 2]], doubled: [[1, 1]] }]);
      });

      it('pages through what was rejected, newest first', async () => {
        for (let index = 1; index <= 5; index += 1) {
          await commit({
            ...{ kind: 'rejected', topic: `home/h/sensors/a/reading`, receivedMs: T0 + index, deviceUid: 'a' },
            ...{ reason: 'not-json', detail: 'not JSON', payload: `{${index}`, payloadBytes: 2 },
          });
        }
        const payloads: string[] = [];
        for (let after: string | undefined; ; ) {
          const page = await store.rejected({ limit: 2, ...(after !== undefined && { after }) });
          payloads.push(...page.rejected.map(({ payload }) => payload));
          if (page.next === undefined) break;
          after = page.next;
        }
        expect(payloads).toEqual(['{5', '{4', '{3', '{2', '{1']);
        expect((await store.rejected({ limit: 9, reason: 'bad-time' })).rejected).toEqual([]);
      });
    });

    describe('tokens', () => {
      const token = {
        id: 'k1',
        name: 'phone',
        scope: 'write',
        hash: 'ab'.repeat(32),
        createdMs: T0,
        expiresMs: T0 + DAY_MS,
      } as const;
      const kept = { id: 'k1', name: 'phone', scope: 'write', createdMs: T0, expiresMs: T0 + DAY_MS };

      it('are found by the hash of their secret until they expire, and never show it', async () => {
        const unused = { ...kept, lastUsedMs: null, revokedMs: null };
        expect(await store.addToken(token)).toEqual(unused);
        expect(await store.tokens()).toEqual([unused]);
        expect(await store.tokenByHash(token.hash, T0 + DAY_MS)).toBeUndefined();
        expect(await store.tokenByHash('cd'.repeat(32), T0)).toBeUndefined();
        expect(await store.tokenByHash(token.hash, T0 + DAY_MS - 1)).toMatchObject(kept);
      });

      it('can be revoked, once for all', async () => {
        await store.addToken(token);
        expect(await store.revokeToken('k1', T0 + 5)).toMatchObject({ revokedMs: T0 + 5 });
        expect(await store.revokeToken('k1', T0 + 9)).toMatchObject({ revokedMs: T0 + 5 });
        expect(await store.tokenByHash(token.hash, T0 + 6)).toBeUndefined();
        expect(await store.tokens()).toMatchObject([{ id: 'k1', revokedMs: T0 + 5 }]);
        await expect(store.revokeToken('k2', T0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      });

      it('are not given twice', async () => {
        await store.addToken(token);
        await expect(store.addToken({ ...token, id: 'k2' })).rejects.toMatchObject({ code: 'EXISTS' });
        await expect(store.addToken({ ...token, hash: 'ef'.repeat(32) })).rejects.toMatchObject({ code: 'EXISTS' });
        await store.addToken({ ...token, id: 'k0', hash: 'ef'.repeat(32), createdMs: T0 + 1, expiresMs: null });
        expect((await store.tokens()).map(({ id }) => id)).toEqual(['k1', 'k0']);
      });

      it('note their use, to the hour', async () => {
        await store.addToken(token);
        const used = async (atMs: number) => {
          await store.tokenByHash(token.hash, atMs);
          // Notes are written behind the answer; the next write comes after them.
          await commit();
          return (await store.tokens())[0]?.lastUsedMs;
        };
        expect(await used(T0 + 5 * MINUTE_MS)).toBe(T0 + 5 * MINUTE_MS);
        expect(await used(T0 + 50 * MINUTE_MS)).toBe(T0 + 5 * MINUTE_MS);
        expect(await used(T0 + 61 * MINUTE_MS)).toBe(T0 + 61 * MINUTE_MS);
      });
    });
  });
}

function itemsOf(deviceUid: string, items: readonly (Reading | GapRecord)[]): IngestMessage {
  const topic = `home/h/sensors/${deviceUid}/backlog`;
  return { kind: 'items', topic, receivedMs: T0 + 30 * DAY_MS, homeId: 'h', deviceUid, items, bad: [] };
}

function statusOf(deviceUid: string, status: DeviceStatus): IngestMessage {
  const topic = `home/h/sensors/${deviceUid}/status`;
  return { kind: 'status', topic, receivedMs: status.ts ?? T0, homeId: 'h', deviceUid, status, isRetained: false };
}

/** 20 °C and as many hundredths as its number, 50 %. */
function reading(seq: number, tsMs: number): Reading {
  return { temperatureCelsius: (2000 + seq) / 100, humidityPercent: 50, tsMs, epoch: 'e1', seq };
}

function stored(deviceUid: string, seq: number, tsMs: number, more: Partial<StoredReading> = {}): StoredReading {
  const flags = { isUnsynced: false, isOnDemand: false };
  return { deviceUid, roomUid: null, ...reading(seq, tsMs), epoch: 'e1', seq, ...flags, ...more };
}

/** Each page but the last is full. */
async function everyPage(store: Store, query: ReadingQuery): Promise<StoredReading[]> {
  const all: StoredReading[] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.readings(after === undefined ? query : { ...query, after });
    all.push(...page.readings);
    if (page.next === undefined) return all;
    expect(page.readings).toHaveLength(query.limit);
    after = page.next;
  }
}
