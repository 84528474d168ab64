import { describe, expect, it } from 'vitest';
import type { CommitResult, IngestMessage } from '../../src/server/store/ingest-store.ts';
import type { WithStore } from './store-at-hand.ts';
import {
  allReadings,
  commit,
  HOME,
  HOUR_MS,
  itemsOf,
  MINUTE_MS,
  numbered,
  START_MS,
  statusOf,
} from './store-messages.ts';

const NOW_MS = START_MS + 1000 * HOUR_MS;

/** What commit() promises about devices: registration, status, presence, rooms by their own word. */
export function describeRegistration(withStore: WithStore): void {
  describe('registration', () => {
    it('registers who speaks, in the room of its status, whichever comes first', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('a', [numbered(1)])]);
      await commit(store, [statusOf('a', { state: 'online', room: 'Küche', label: 'Window' })]);
      const { counts } = await commit(store, [
        statusOf('b', { state: 'online', room: 'küche' }),
        itemsOf('b', [numbered(1)]),
      ]);
      expect(counts).toMatchObject({ registered: 1, statuses: 1, stored: 1 });
      expect(await store.devices()).toMatchObject([
        { uid: 'a', homeUid: HOME, state: 'active', label: 'Window', room: { uid: 'kuche', name: 'Küche' } },
        { uid: 'b', room: { uid: 'kuche' }, createdMs: NOW_MS, label: null },
      ]);
      expect(await store.placements('a')).toMatchObject([{ fromMs: 0, toMs: null }]);
      expect((await allReadings(store, 'a')).readings).toMatchObject([{ roomUid: 'kuche' }]);
      expect(await store.rooms()).toMatchObject([{ uid: 'kuche', homeUid: HOME }]);
    });

    // C7
    it('is bounded: what devices make new by speaking, not what people add', async () => {
      const { store } = await withStore();
      const atMost = { devices: 2, homes: 1, rooms: 1 };
      const speak = async (...messages: IngestMessage[]): Promise<CommitResult> =>
        await store.commit({ messages, registration: 'auto', maxRejected: 100, atMost });
      await speak(statusOf('a', { state: 'online', room: 'Attic' }), statusOf('b', { state: 'online', room: 'Bath' }));
      expect((await store.rooms()).map(({ uid }) => uid)).toEqual(['attic']);
      expect(await store.device('b')).toMatchObject({ state: 'active', room: null });
      const { counts, receipts } = await speak(itemsOf('c', [numbered(1)]), itemsOf('b', [numbered(1)]));
      expect(counts).toMatchObject({ stored: 1, registered: 0, rejected: { 'too-many': 1 } });
      expect(receipts).toMatchObject([{ deviceUid: 'b' }]);
      const elsewhere = { ...itemsOf('b', [numbered(2)]), homeId: 'another-home' };
      expect((await speak(elsewhere)).counts.rejected).toEqual({ 'too-many': 1 });
      await store.updateDevice('b', { room: { name: 'Cellar' } }, NOW_MS);
      expect(await store.device('b')).toMatchObject({ room: { uid: 'cellar' } });
    });

    it('S8: keeps the readings of a pending device until somebody says yes', async () => {
      const { store } = await withStore();
      const { receipts, counts } = await commit(
        store,
        [statusOf('d', { state: 'online', room: 'Attic' }), itemsOf('d', [numbered(1)])],
        'approve',
      );
      expect(counts.registered).toBe(1);
      expect(receipts).toMatchObject([{ stored: [[1, 1]] }]);
      expect(await store.device('d')).toMatchObject({ state: 'pending', room: { uid: 'attic' } });
      const { state } = await store.updateDevice(
        'd',
        { state: 'active', room: { name: 'Cellar' }, movedAtMs: 5 },
        NOW_MS,
      );
      expect(state).toBe('active');
      expect((await allReadings(store, 'd')).readings).toMatchObject([{ roomUid: 'cellar' }]);
      const more = await commit(store, [itemsOf('d', [numbered(2)])], 'approve');
      expect(more.counts).toMatchObject({ registered: 0, stored: 1 });
    });

    it('deletes what was kept when somebody says no, and rejects what comes after without a receipt', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('d', [numbered(1), numbered(2)])], 'approve');
      expect(await store.updateDevice('d', { state: 'refused' }, NOW_MS)).toMatchObject({
        state: 'refused',
        latest: null,
      });
      expect((await allReadings(store, 'd')).readings).toEqual([]);
      const after = await commit(store, [itemsOf('d', [numbered(3)]), statusOf('d', { state: 'online' })]);
      expect(after).toMatchObject({ receipts: [], counts: { stored: 0, rejected: { 'refused-device': 2 } } });
      expect((await store.rejected({ limit: 9 })).rejected).toMatchObject([
        { deviceUid: 'd', reason: 'refused-device', count: 1 },
        { deviceUid: 'd', reason: 'refused-device', count: 1 },
      ]);
      await store.updateDevice('d', { state: 'active' }, NOW_MS);
      expect((await commit(store, [itemsOf('d', [numbered(3)])])).receipts).toMatchObject([{ stored: [[3, 3]] }]);
    });

    it('rejects unknown devices without a receipt when told so; one row for each topic', async () => {
      const { store } = await withStore();
      const result = await commit(store, [itemsOf('d', [numbered(1)]), itemsOf('d', [numbered(2)])], 'reject');
      expect(result).toMatchObject({ receipts: [], counts: { registered: 0, rejected: { 'unknown-device': 2 } } });
      expect(await store.devices()).toEqual([]);
      expect((await store.rejected({ limit: 9 })).rejected).toMatchObject([{ reason: 'unknown-device', count: 2 }]);
      await store.addDevices([{ uid: 'd' }], NOW_MS);
      expect((await commit(store, [itemsOf('d', [numbered(1)])], 'reject')).receipts).toHaveLength(1);
    });

    it('moves a device from the time at which it says another room', async () => {
      const { store } = await withStore();
      const at = (minute: number): number => START_MS + minute * MINUTE_MS;
      await commit(store, [
        statusOf('d', { state: 'online', room: 'Attic', ts: at(0) }),
        itemsOf('d', [numbered(5), numbered(15)]),
        statusOf('d', { state: 'online', room: 'Cellar', ts: at(10) }),
      ]);
      expect((await allReadings(store, 'd')).readings.map(({ roomUid }) => roomUid)).toEqual(['attic', 'cellar']);
      expect(await store.placements('d')).toMatchObject([
        { room: { uid: 'attic' }, fromMs: 0, toMs: at(10) },
        { room: { uid: 'cellar' }, fromMs: at(10), toMs: null },
      ]);
    });

    it('does not undo the move of a person by repeating the same room', async () => {
      const { store } = await withStore();
      const status = statusOf('d', { state: 'online', room: 'Attic' });
      await commit(store, [status]);
      await store.updateDevice('d', { room: { name: 'Cellar' }, label: 'Mine' }, NOW_MS);
      await commit(store, [statusOf('d', { state: 'online', room: 'Attic', label: 'Its own' }), status]);
      expect(await store.device('d')).toMatchObject({ room: { uid: 'cellar' }, label: 'Mine' });
      // Said before the person moved it, delivered after.
      await commit(store, [statusOf('d', { state: 'online', room: 'Garden', ts: NOW_MS - 5 })]);
      expect(await store.device('d')).toMatchObject({ room: { uid: 'cellar' } });
      const labelled = await store.updateDevice('d', { label: null }, NOW_MS);
      expect(labelled.label).toBe('Its own');
    });

    it('does not move a provisioned device because of its first status', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Cellar' } }], START_MS);
      await commit(store, [statusOf('d', { state: 'online', room: 'Attic' })]);
      expect(await store.device('d')).toMatchObject({ room: { uid: 'cellar' } });
    });

    it('takes an offline will as presence, and keeps the own word of the device', async () => {
      const { store } = await withStore();
      const word = { state: 'online', ts: NOW_MS - 7, interval_s: 60 } as const;
      await commit(store, [statusOf('d', word)]);
      const { changes } = await commit(store, [statusOf('d', { state: 'offline' }, { receivedMs: NOW_MS + 5 })]);
      expect(changes).toEqual([{ kind: 'device', deviceUid: 'd' }]);
      expect(await store.device('d')).toMatchObject({
        presence: 'offline',
        presenceMs: NOW_MS + 5,
        status: word,
        statusMs: NOW_MS,
      });
      const same = await commit(store, [statusOf('d', { state: 'offline' }, { receivedMs: NOW_MS + 9 })]);
      expect(same.changes).toEqual([]);
      expect((await store.device('d'))?.presenceMs).toBe(NOW_MS + 5);
    });

    it('does not believe that a status which the broker held was said now', async () => {
      const { store } = await withStore();
      const isRetained = true;
      await commit(store, [
        statusOf('dated', { state: 'online', ts: START_MS }, { isRetained }),
        statusOf('undated', { state: 'online', room: 'Attic' }, { isRetained }),
        statusOf('gone', { state: 'offline' }, { isRetained }),
      ]);
      expect((await store.devices()).map(({ uid, presence, presenceMs }) => [uid, presence, presenceMs])).toEqual([
        ['dated', 'online', START_MS],
        ['undated', 'online', null],
      ]);
    });

    it('registers a removed device anew when it speaks, with its history, and not because the broker held its status', async () => {
      const { store } = await withStore();
      const status = statusOf('d', { state: 'online', room: 'Attic' });
      await commit(store, [status, itemsOf('d', [numbered(1)])]);
      const removedMs = NOW_MS + HOUR_MS;
      await store.removeDevice('d', 'keep', removedMs);
      await commit(store, [{ ...status, isRetained: true }]);
      expect(await store.device('d')).toMatchObject({ state: 'removed', room: null });
      const receivedMs = removedMs + HOUR_MS;
      const { counts } = await commit(store, [itemsOf('d', [numbered(2, { tsMs: receivedMs })], { receivedMs })]);
      expect(counts).toMatchObject({ registered: 1, stored: 1 });
      expect(await store.device('d')).toMatchObject({ state: 'active', room: { uid: 'attic' } });
      expect(await store.placements('d')).toMatchObject([
        { fromMs: 0, toMs: removedMs },
        { fromMs: receivedMs, toMs: null },
      ]);
      expect((await allReadings(store, 'd')).readings).toHaveLength(2);
    });

    it('keeps what a removed device had measured when it is refused on its return', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('d', [numbered(1)])]);
      await store.removeDevice('d', 'keep', NOW_MS);
      const late = numbered(2, { tsMs: NOW_MS + HOUR_MS });
      await commit(store, [itemsOf('d', [late], { receivedMs: NOW_MS + MINUTE_MS })], 'approve');
      const refused = await store.updateDevice('d', { state: 'refused' }, NOW_MS + HOUR_MS);
      expect((await allReadings(store, 'd')).readings.map(({ seq }) => seq)).toEqual([1]);
      expect(refused.latest?.seq).toBe(1);
    });

    it('knows how often a device meant to measure, from the time at which it said so', async () => {
      const { store } = await withStore();
      const said = (seconds: number, ts: number): Promise<unknown> =>
        commit(store, [statusOf('d', { state: 'online', interval_s: seconds, ts })]);
      await said(60, START_MS);
      await said(60, START_MS + MINUTE_MS);
      await said(30, START_MS + HOUR_MS);
      const edges = [START_MS, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS];
      expect(await store.expected('d', edges, NOW_MS)).toEqual([60, 120]);
    });

    it('follows a device to another home', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('d', [numbered(1)])]);
      const { changes, receipts } = await commit(store, [itemsOf('d', [numbered(2)], { homeId: 'farm' })]);
      expect(receipts).toMatchObject([{ homeId: 'farm' }]);
      expect(changes).toContainEqual({ kind: 'device', deviceUid: 'd' });
      expect((await store.device('d'))?.homeUid).toBe('farm');
    });

    it('keeps rooms of the same name in two homes apart', async () => {
      const { store } = await withStore();
      await commit(store, [
        statusOf('a', { state: 'online', room: 'Kitchen' }, { homeId: 'house' }),
        statusOf('b', { state: 'online', room: 'Kitchen' }, { homeId: 'farm' }),
        statusOf('c', { state: 'online', room: 'Kitchen' }, { homeId: 'farm' }),
      ]);
      expect((await store.devices()).map(({ room }) => room?.uid)).toEqual(['kitchen', 'kitchen-2', 'kitchen-2']);
    });
  });
}
