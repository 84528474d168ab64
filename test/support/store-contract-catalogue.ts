import { describe, expect, it } from 'vitest';
import type { WithStore } from './store-at-hand.ts';
import { failing } from './store-error.ts';
import {
  allReadings,
  badItem,
  commit,
  gapRecord,
  HOUR_MS,
  itemsOf,
  MINUTE_MS,
  numbered,
  START_MS,
  statusOf,
} from './store-messages.ts';

const NOW_MS = START_MS + 1000 * HOUR_MS;

/** What the catalogue promises: homes, rooms, devices, and where they stood. */
export function describeCatalogue(withStore: WithStore): void {
  describe('catalogue', () => {
    it('provisions devices, all or none, and makes rooms that are missing', async () => {
      const { store } = await withStore();
      const added = await store.addDevices(
        [
          { uid: 'b', room: { name: 'Wohnzimmer' }, label: 'TV', model: 'AHT20' },
          { uid: 'a', room: { name: 'wohnzimmer ' } },
        ],
        NOW_MS,
      );
      expect(added).toEqual([
        {
          uid: 'b',
          homeUid: null,
          label: 'TV',
          model: 'AHT20',
          state: 'active',
          room: { uid: 'wohnzimmer', name: 'Wohnzimmer' },
          createdMs: NOW_MS,
          lastSeenMs: null,
          heardMs: null,
          presence: 'unknown',
          presenceMs: null,
          status: null,
          statusMs: null,
          latest: null,
        },
        expect.objectContaining({ uid: 'a', room: { uid: 'wohnzimmer', name: 'Wohnzimmer' } }),
      ]);
      expect(await store.placements('b')).toEqual([
        { deviceUid: 'b', room: { uid: 'wohnzimmer', name: 'Wohnzimmer' }, fromMs: 0, toMs: null },
      ]);
      await expect(store.addDevices([{ uid: 'c', room: { name: 'New' } }, { uid: 'a' }], NOW_MS)).rejects.toEqual(
        failing('EXISTS'),
      );
      expect((await store.devices()).map(({ uid }) => uid)).toEqual(['a', 'b']);
      expect((await store.rooms()).map(({ uid }) => uid)).toEqual(['wohnzimmer']);
    });

    it('S12: refuses uids that no topic can carry, and names that are none', async () => {
      const { store } = await withStore();
      for (const uid of ['x y/z', '', 'a'.repeat(51), 'é', '+']) {
        await expect(store.addDevices([{ uid }], NOW_MS)).rejects.toEqual(failing('INVALID'));
        await expect(store.addRoom({ uid, name: 'Room' })).rejects.toEqual(failing('INVALID'));
      }
      for (const name of ['', ' ', 'a\nb', 'a'.repeat(101)]) {
        await expect(store.addRoom({ name })).rejects.toEqual(failing('INVALID'));
        await expect(store.addDevices([{ uid: 'd', room: { name } }], NOW_MS)).rejects.toEqual(failing('INVALID'));
      }
      expect(await store.devices()).toEqual([]);
    });

    it('S12: gives rooms with any name a uid that works', async () => {
      const { store } = await withStore();
      const uids: string[] = [];
      for (const name of ['Küche', 'Salle à manger', 'Łazienka  2', 'Straße', '書斎', 'спальня', '🛏', '---']) {
        uids.push((await store.addRoom({ name })).uid);
      }
      expect(uids).toEqual([
        'kuche',
        'salle-a-manger',
        'lazienka-2',
        'strasse',
        'room-1',
        'room-2',
        'room-3',
        'room-4',
      ]);
      expect((await store.addDevices([{ uid: 'd', room: { name: '書斎' } }], NOW_MS))[0]?.room?.uid).toBe('room-1');
    });

    it('S5: a dated move relabels what was measured since', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      await commit(store, [itemsOf('d', [numbered(1), numbered(2), numbered(3)])]);
      const moved = await store.updateDevice('d', { room: { name: 'Cellar' }, movedAtMs: numbered(2).tsMs }, NOW_MS);
      expect(moved.room?.uid).toBe('cellar');
      expect((await allReadings(store, 'd')).readings.map(({ roomUid }) => roomUid)).toEqual([
        'attic',
        'cellar',
        'cellar',
      ]);
      expect(await store.placements('d')).toMatchObject([
        { room: { uid: 'attic' }, fromMs: 0, toMs: numbered(2).tsMs },
        { room: { uid: 'cellar' }, fromMs: numbered(2).tsMs, toMs: null },
      ]);
    });

    it('refuses moves into the future, or before the beginning of the present placement', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      const move = (movedAtMs: number): Promise<unknown> =>
        store.updateDevice('d', { room: { name: 'Cellar' }, movedAtMs }, NOW_MS);
      for (const wrong of [NOW_MS + 1, 0, -1, 1.5, Number.NaN])
        await expect(move(wrong)).rejects.toEqual(failing('INVALID'));
      await move(START_MS);
      await expect(store.updateDevice('d', { room: { name: 'X' }, movedAtMs: START_MS }, NOW_MS)).rejects.toEqual(
        failing('INVALID'),
      );
      await expect(store.updateDevice('d', { movedAtMs: NOW_MS }, NOW_MS)).rejects.toEqual(failing('INVALID'));
      await expect(store.updateDevice('d', { room: {} }, NOW_MS)).rejects.toEqual(failing('INVALID'));
      await expect(store.updateDevice('d', { room: { uid: 'none' } }, NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      await expect(store.updateDevice('none', { label: 'x' }, NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      expect((await store.rooms()).map(({ uid }) => uid)).toEqual(['attic', 'cellar']);
    });

    it('claims a device into a room later, with its earlier readings', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('d', [numbered(1)])]);
      await store.updateDevice('d', { room: { name: 'Attic' } }, NOW_MS);
      expect((await allReadings(store, 'd')).readings).toMatchObject([{ roomUid: 'attic' }]);
    });

    it('S10: a new label touches neither placement nor time last seen', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      await commit(store, [itemsOf('d', [numbered(1)])]);
      const before = [await store.placements('d'), (await store.device('d'))?.lastSeenMs];
      expect((await store.updateDevice('d', { label: 'Window' }, NOW_MS)).label).toBe('Window');
      // The form of the older dashboard sends the room as well.
      await store.updateDevice('d', { label: 'Door', room: { name: 'Attic' } }, NOW_MS + 1);
      expect([await store.placements('d'), (await store.device('d'))?.lastSeenMs]).toEqual(before);
    });

    it('takes a device out of its room, and puts it into another later', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      const away = await store.updateDevice('d', { room: null, movedAtMs: START_MS + MINUTE_MS }, NOW_MS);
      expect(away.room).toBeNull();
      const back = { room: { name: 'Cellar' }, movedAtMs: START_MS + MINUTE_MS - 1 };
      await expect(store.updateDevice('d', back, NOW_MS)).rejects.toEqual(failing('INVALID'));
      await store.updateDevice('d', { ...back, movedAtMs: START_MS + 2 * MINUTE_MS }, NOW_MS);
      await commit(store, [itemsOf('d', [numbered(0), numbered(1), numbered(2)])]);
      expect((await allReadings(store, 'd')).readings.map(({ roomUid }) => roomUid)).toEqual(['attic', null, 'cellar']);
    });

    it('moves also when the clock has been set back', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      await store.updateDevice('d', { room: { name: 'Cellar' } }, NOW_MS);
      await store.updateDevice('d', { room: { name: 'Garden' } }, NOW_MS - HOUR_MS);
      expect(await store.placements('d')).toMatchObject([
        { room: { uid: 'attic' }, toMs: NOW_MS },
        { room: { uid: 'garden' }, fromMs: NOW_MS, toMs: null },
      ]);
    });

    it('S9: removing a device keeps its readings and placements, and says how many', async () => {
      const { store } = await withStore();
      await commit(store, [
        statusOf('d', { state: 'online', room: 'Attic' }),
        itemsOf('d', [numbered(1), numbered(2)]),
      ]);
      expect(await store.removeDevice('d', 'keep', NOW_MS)).toEqual({ readings: 2 });
      expect(await store.devices()).toEqual([]);
      expect(await store.latest()).toEqual([]);
      expect(await store.devices({ withRemoved: true })).toMatchObject([{ uid: 'd', state: 'removed', room: null }]);
      expect((await allReadings(store, 'd')).readings).toMatchObject([{ roomUid: 'attic' }, { roomUid: 'attic' }]);
      expect(await store.placements('d')).toMatchObject([{ fromMs: 0, toMs: NOW_MS }]);
      await expect(store.removeDevice('d', 'keep', NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      await expect(store.updateDevice('d', { label: 'x' }, NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      expect(await store.addDevices([{ uid: 'd', room: { name: 'Cellar' } }], NOW_MS + 9)).toMatchObject([
        { state: 'active', room: { uid: 'cellar' }, latest: { seq: 2, roomUid: 'attic' } },
      ]);
    });

    it('S9: deleting a device takes everything of it in one go', async () => {
      const { store } = await withStore();
      await commit(store, [
        statusOf('d', { state: 'online', room: 'Attic', interval_s: 60 }),
        itemsOf('d', [numbered(1), gapRecord(2)], { bad: [badItem({ epoch: 'e1', seq: 3 })] }),
        itemsOf('other', [numbered(1)]),
      ]);
      expect(await store.removeDevice('d', 'delete', NOW_MS)).toEqual({ readings: 1 });
      expect(await store.device('d')).toBeUndefined();
      expect((await store.devices({ withRemoved: true })).map(({ uid }) => uid)).toEqual(['other']);
      expect((await store.gaps({ limit: 9 })).gaps).toEqual([]);
      expect((await store.rejected({ limit: 9 })).rejected).toEqual([]);
      expect((await allReadings(store, 'other')).readings).toHaveLength(1);
      await store.removeRoom('attic');
      await expect(store.removeDevice('d', 'delete', NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      const anew = await commit(store, [itemsOf('d', [numbered(1)])]);
      expect(anew.counts).toMatchObject({ registered: 1, stored: 1 });
    });

    it('makes, changes and removes rooms', async () => {
      const { store } = await withStore();
      const room = { uid: 'garden', name: 'Garden', homeUid: 'house', floor: '0', side: 'south', isOutdoors: true };
      expect(await store.addRoom(room)).toEqual(room);
      expect(await store.updateRoom('garden', { name: 'Jardin', floor: null, isOutdoors: false })).toEqual({
        ...room,
        name: 'Jardin',
        floor: null,
        isOutdoors: false,
      });
      expect(await store.room('garden')).toMatchObject({ name: 'Jardin', side: 'south' });
      await expect(store.addRoom({ uid: 'garden', name: 'x' })).rejects.toEqual(failing('EXISTS'));
      await expect(store.addRoom({ name: 'jardin' })).rejects.toEqual(failing('EXISTS'));
      await store.addRoom({ name: 'Attic', homeUid: 'house' });
      await expect(store.updateRoom('attic', { name: 'JARDIN' })).rejects.toEqual(failing('EXISTS'));
      await expect(store.updateRoom('none', {})).rejects.toEqual(failing('NOT_FOUND'));
      await store.removeRoom('garden');
      expect(await store.room('garden')).toBeUndefined();
      await expect(store.removeRoom('garden')).rejects.toEqual(failing('NOT_FOUND'));
    });

    it('keeps a room in which a device stands or stood', async () => {
      const { store } = await withStore();
      await store.addDevices([{ uid: 'd', room: { name: 'Attic' } }], START_MS);
      await store.updateDevice('d', { room: { name: 'Cellar' } }, NOW_MS);
      await expect(store.removeRoom('attic')).rejects.toEqual(failing('IN_USE'));
      await expect(store.removeRoom('cellar')).rejects.toEqual(failing('IN_USE'));
    });

    it('is in step with what is committed beside it', async () => {
      const { store } = await withStore();
      await commit(store, [itemsOf('d', [numbered(1)])]);
      await store.removeDevice('d', 'delete', NOW_MS);
      await store.addDevices([{ uid: 'd' }], NOW_MS);
      await commit(store, [itemsOf('d', [numbered(2)])]);
      expect((await allReadings(store, 'd')).readings.map(({ seq }) => seq)).toEqual([2]);
    });

    it('keeps tokens, and notes their use to the hour', async () => {
      const { store, reopen } = await withStore();
      const token = {
        id: 't1',
        name: 'phone',
        scope: 'read',
        hash: 'ab'.repeat(32),
        createdMs: 5,
        expiresMs: null,
      } as const;
      await store.addToken(token);
      const { hash, ...shown } = token;
      expect(await store.tokenByHash(hash, NOW_MS)).toMatchObject(shown);
      expect(await store.tokenByHash('cd'.repeat(32), NOW_MS)).toBeUndefined();
      await expect(store.revokeToken('none', NOW_MS)).rejects.toEqual(failing('NOT_FOUND'));
      const again = await reopen();
      expect((await again.tokens())[0]?.lastUsedMs).toBe(NOW_MS);
      await again.revokeToken('t1', NOW_MS + 1);
      expect((await again.revokeToken('t1', NOW_MS + 2)).revokedMs).toBe(NOW_MS + 1);
      expect(await again.tokenByHash(hash, NOW_MS + 3)).toBeUndefined();
    });

    it('is healthy, and says so; unavailable once closed', async () => {
      const { store } = await withStore();
      const health = await store.health(30_000);
      expect(health).toMatchObject({ isOk: true, schemaVersion: expect.any(Number) as unknown });
      expect(health.sizeBytes).toBeGreaterThan(0);
      expect(health.freeBytes).toBeGreaterThan(0);
      await store.close();
      await store.close();
      await expect(store.devices()).rejects.toEqual(failing('STORE_UNAVAILABLE'));
      await expect(commit(store, [])).rejects.toEqual(failing('STORE_UNAVAILABLE'));
      expect((await store.health(30_000)).isOk).toBe(false);
    });
  });
}
