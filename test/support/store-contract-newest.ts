import { describe, expect, it } from 'vitest';
import type { Reading } from '../../src/contract/reading.ts';
import type { Store } from '../../src/server/store/store.ts';
import type { WithStore } from './store-at-hand.ts';
import { commit, HOME, HOUR_MS, itemsOf, MINUTE_MS, numbered, START_MS } from './store-messages.ts';

/** C4: which reading is the newest, and when a device was last heard, while clocks are wrong. */
export function describeNewest(withStore: WithStore): void {
  describe('the newest reading while a clock is wrong', () => {
    /** Comes live at `receivedMs`; `aheadMs` is what the device's clock is ahead. */
    const comes = async (store: Store, seq: number, receivedMs: number, aheadMs = 0): Promise<number | undefined> => {
      const reading: Reading = numbered(seq, { tsMs: receivedMs + aheadMs });
      const topic = `home/${HOME}/sensors/kitchen/reading`;
      const { changes } = await commit(store, [itemsOf('kitchen', [reading], { receivedMs, topic })]);
      const told = changes.flatMap((change) => (change.kind === 'reading' ? [change.reading.seq] : []))[0];
      const latest = (await store.latest())[0];
      expect((await store.device('kitchen'))?.latest?.seq).toBe(latest?.seq);
      // The live stream says the same.
      if (told !== undefined) expect(told).toBe(latest?.seq);
      return latest?.seq ?? undefined;
    };
    const at = (minutes: number): number => START_MS + minutes * MINUTE_MS;

    it.each([9, 23.9, 2])('C4: one reading %d hours ahead holds nothing up and is not the newest', async (hours) => {
      const { store } = await withStore();
      expect(await comes(store, 1, at(1))).toBe(1);
      expect(await comes(store, 2, at(2), hours * HOUR_MS)).toBe(1);
      expect((await store.device('kitchen'))?.heardMs).toBe(at(2));
      expect(await comes(store, 3, at(3))).toBe(3);
    });

    it('a device whose clock stays ahead has a newest reading by when it came', async () => {
      const { store } = await withStore();
      await comes(store, 1, at(1));
      const seen: (number | undefined)[] = [];
      for (let seq = 2; seq <= 5; seq += 1) seen.push(await comes(store, seq, at(seq), 9 * HOUR_MS));
      expect(seen).toEqual([1, 3, 4, 5]);
      // Its clock goes back a little, and is ahead still.
      expect(await comes(store, 6, at(6), 2 * HOUR_MS)).toBe(6);
      // Its clock is right again: a lower time, and the newest.
      expect(await comes(store, 7, at(7))).toBe(7);
    });

    it('the first reading of all is the newest, also when it is ahead', async () => {
      const { store, reopen } = await withStore();
      expect(await comes(store, 1, at(1), 9 * HOUR_MS)).toBe(1);
      expect(await comes(await reopen(), 2, at(2))).toBe(2);
    });

    it('a backlog of older readings does not become the newest because it came later', async () => {
      const { store } = await withStore();
      for (let seq = 10; seq <= 12; seq += 1) await comes(store, seq, at(seq), 2 * HOUR_MS);
      const old = numbered(5, { tsMs: at(5) + 2 * HOUR_MS });
      await commit(store, [itemsOf('kitchen', [old], { receivedMs: at(13) })]);
      expect((await store.latest())[0]?.seq).toBe(12);
      expect((await store.device('kitchen'))?.heardMs).toBe(at(13));
    });

    it('a server whose clock is set back does not wait until it is that time again', async () => {
      const { store } = await withStore();
      await comes(store, 1, at(1) + 48 * HOUR_MS);
      expect(await comes(store, 2, at(2))).toBe(2);
      expect(await store.device('kitchen')).toMatchObject({ heardMs: at(2), lastSeenMs: at(2) });
    });

    it('hears a device also by what came before, and not by what the broker held', async () => {
      const { store } = await withStore();
      await comes(store, 1, at(1));
      await commit(store, [itemsOf('kitchen', [numbered(1, { tsMs: at(1) })], { receivedMs: at(9) })]);
      expect((await store.device('kitchen'))?.heardMs).toBe(at(9));
      const retained = {
        ...itemsOf('kitchen', [numbered(1, { tsMs: at(1) })], { receivedMs: at(99) }),
        isRetained: true,
      };
      await commit(store, [retained]);
      expect((await store.device('kitchen'))?.heardMs).toBe(at(9));
    });
  });
}
