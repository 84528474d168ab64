import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IngestMessage } from '../../src/server/store/ingest-store.ts';
import { type Store, StoreError } from '../../src/server/store/store.ts';
import { cases } from './cases.ts';
import type { WithStore } from './store-at-hand.ts';
import { allReadings, commit, HOUR_MS, itemsOf, numbered, START_MS, unnumbered } from './store-messages.ts';

const SEED = 3;
const UNTIL_MS = 200;

type Step =
  | { readonly kind: 'move'; readonly room: number | null; readonly atMs: number; readonly nowMs: number }
  | { readonly kind: 'move-now'; readonly room: number | null; readonly nowMs: number }
  | { readonly kind: 'remove'; readonly nowMs: number }
  | { readonly kind: 'add'; readonly room: number; readonly nowMs: number };

/** Any moves and removals: placements never overlap, and each reading's room is what a model of every millisecond says. */
export function describePlacementProperties(withStore: WithStore): void {
  it('places each reading as a model of every millisecond does, after any moves and removals', async () => {
    const room = fc.integer({ min: 1, max: 3 });
    const nowMs = fc.integer({ min: 0, max: UNTIL_MS - 1 });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constant('move' as const), room: fc.option(room), atMs: nowMs, nowMs }),
      fc.record({ kind: fc.constant('move-now' as const), room: fc.option(room), nowMs }),
      fc.record({ kind: fc.constant('remove' as const), nowMs }),
      fc.record({ kind: fc.constant('add' as const), room, nowMs }),
    );
    const { store } = await withStore();
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        number += 1;
        const uid = `d${number}`;
        const model: (string | null)[] = Array.from({ length: UNTIL_MS }, () => null);
        await commit(store, [
          itemsOf(
            uid,
            model.map((_, tsMs) => unnumbered(tsMs)),
          ),
        ]);
        for (const one of steps) await carryOut(store, uid, one, model);
        const { readings } = await allReadings(store, uid);
        expect(readings.map(({ roomUid }) => roomUid)).toEqual(model);
        const placements = await store.placements(uid);
        for (const [index, { fromMs, toMs }] of placements.entries()) {
          expect(fromMs).toBeLessThan(toMs ?? Infinity);
          expect(toMs ?? Infinity).toBeLessThanOrEqual(placements[index + 1]?.fromMs ?? Infinity);
        }
      }),
      { seed: SEED, numRuns: cases(15, 60) },
    );
  });
}

/** Does it, and to the model as well when the store took it. */
async function carryOut(store: Store, uid: string, step: Step, model: (string | null)[]): Promise<void> {
  const before = await store.placements(uid);
  const open = before.find(({ toMs }) => toMs === null);
  const lastEndMs = Math.max(0, ...before.map(({ toMs }) => toMs ?? 0));
  const name = step.kind === 'remove' || step.room === null ? null : `room${step.room}`;
  const change = { room: name === null ? null : { name } };
  try {
    if (step.kind === 'remove') await store.removeDevice(uid, 'keep', step.nowMs);
    else if (step.kind === 'add') await store.addDevices([{ uid, room: { name: name ?? '' } }], step.nowMs);
    else if (step.kind === 'move-now') await store.updateDevice(uid, change, step.nowMs);
    else await store.updateDevice(uid, { ...change, movedAtMs: step.atMs }, step.nowMs);
  } catch (error) {
    if (error instanceof StoreError) return;
    throw error;
  }
  if ((open?.room.uid ?? null) === name) return;
  const isFirst = before.length === 0;
  const wanted = step.kind === 'move' ? step.atMs : isFirst ? 0 : step.nowMs;
  model.fill(name, Math.max(wanted, lastEndMs, open?.fromMs ?? 0));
}

/** Any commits: roll-ups say what the readings say. */
export function describeRollupProperties(withStore: WithStore): void {
  describe('roll-ups', () => {
    it('equal the sums of the readings, after any commits: late, twice, corrected, in conflict, deleted', async () => {
      const hours = 4;
      const item = fc.record({
        device: fc.integer({ min: 1, max: 2 }),
        isNumbered: fc.boolean(),
        slot: fc.integer({ min: 0, max: hours * 6 - 1 }),
        value: fc.integer({ min: -40, max: 40 }),
      });
      const batch = fc.oneof(
        { weight: 8, arbitrary: fc.array(item, { minLength: 1, maxLength: 12 }) },
        { weight: 1, arbitrary: fc.constantFrom(1, 2) },
      );
      const { store } = await withStore();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(batch, { maxLength: 10 }), async (batches) => {
          run += 1;
          const uidOf = (device: number): string => `r${run}-${device}`;
          for (const one of batches) {
            if (typeof one === 'number') {
              await store.removeDevice(uidOf(one), 'delete', START_MS).catch(() => undefined);
              continue;
            }
            const messages = one.map(({ device, isNumbered, slot, value }): IngestMessage => {
              const tsMs = START_MS + slot * (HOUR_MS / 6);
              const reading = isNumbered
                ? numbered(slot + 1, { tsMs, temperatureCelsius: value })
                : unnumbered(tsMs, value);
              return itemsOf(uidOf(device), [reading]);
            });
            await commit(store, messages);
          }
          for (const device of [1, 2]) await compareRollups(store, uidOf(device), hours);
        }),
        { seed: SEED, numRuns: cases(15, 60) },
      );
    });
  });
}

async function compareRollups(store: Store, deviceUid: string, hours: number): Promise<void> {
  const { readings } = await allReadings(store, deviceUid);
  const edges = Array.from({ length: hours + 1 }, (_, hour) => START_MS + hour * HOUR_MS);
  const buckets = await store.buckets({ deviceUid }, edges);
  for (const { fromMs, toMs, count, temperature } of buckets) {
    const values = readings.filter(({ tsMs }) => tsMs >= fromMs && tsMs < toMs).map((one) => one.temperatureCelsius);
    expect(count).toBe(values.length);
    if (temperature === null) continue;
    expect(temperature.min).toBe(Math.min(...values));
    expect(temperature.max).toBe(Math.max(...values));
    expect(temperature.avg).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 9);
  }
}
