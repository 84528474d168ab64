import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JournalSet } from '../../../src/device/journal/journal.ts';
import { createStateFs, errnoError } from '../../support/crash-fs.ts';
import {
  BOOT_A,
  BOOT_B,
  journalSection,
  openTestSet,
  pendingReading,
  readAll,
  type SetRig,
  testReading,
} from '../../support/journal-rig.ts';

const SEED = 20_261_130;

type Step =
  | { readonly kind: 'append'; readonly pendingIn?: string }
  | { readonly kind: 'release'; readonly journal: number; readonly from: number; readonly count: number }
  | { readonly kind: 'settle'; readonly bootId: string }
  | { readonly kind: 'recall' }
  | { readonly kind: 'limit'; readonly maxReadings: number; readonly whenFull: 'thin' | 'drop-oldest' }
  | { readonly kind: 'device'; readonly uid: 'one' | 'two' }
  | { readonly kind: 'disk'; readonly refuses: boolean };

const whole = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Step>({ kind: 'append' }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>(...[BOOT_A, BOOT_B].map((pendingIn) => ({ kind: 'append' as const, pendingIn }))),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      journal: whole(3),
      from: whole(90),
      count: whole(40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), bootId: fc.constantFrom(BOOT_A, BOOT_B) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'recall' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limit' as const),
      maxReadings: fc.constantFrom(40, 90, 100_000),
      whenFull: fc.constantFrom('thin' as const, 'drop-oldest' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('device' as const),
      uid: fc.constantFrom('one' as const, 'two' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('disk' as const), refuses: fc.boolean() }) },
);

/** Entries that a journal gives, and those that it does not give as they wait for their time. */
async function expectCountersEqualARecount(set: JournalSet): Promise<void> {
  let ready = 0;
  for (const journal of set.journals()) {
    const entries = await readAll(journal);
    const { unreleased, pending } = journal.stats;
    expect({ epoch: journal.epoch, ready: unreleased - pending }).toEqual({
      epoch: journal.epoch,
      ready: entries.length,
    });
    if (pending === 0) expect(journal.oldest()).toBe(entries[0]?.seq);
    ready += entries.length;
  }
  const { unreleased, pending } = set.stats();
  expect(unreleased - pending).toBe(ready);
  const oldest = set.journals().find((journal) => journal.stats.unreleased > 0);
  expect(set.oldest()).toEqual(oldest === undefined ? undefined : { epoch: oldest.epoch, seq: oldest.oldest() });
}

async function play(
  rig: SetRig,
  fs: Awaited<ReturnType<typeof createStateFs>>,
  next: Step,
  index: number,
): Promise<void> {
  const { set, clock, settings, device } = rig;
  switch (next.kind) {
    case 'append':
      await set.append(
        next.pendingIn === undefined ? testReading(index) : pendingReading(index, { bootId: next.pendingIn }),
      );
      break;
    case 'release': {
      const journals = set.journals();
      journals[next.journal % Math.max(1, journals.length)]?.release([[next.from + 1, next.from + next.count]]);
      break;
    }
    case 'settle':
      await set.settle({ bootId: next.bootId, wallMinusMonotonicMs: 'as-stamped', state: 'synced' });
      break;
    case 'recall':
      await set.recall();
      break;
    case 'limit':
      settings.set(journalSection({ maxReadings: next.maxReadings, whenFull: next.whenFull }));
      break;
    case 'device':
      device.set({ deviceUid: next.uid });
      break;
    case 'disk':
      fs.onOperation = ({ kind, path, mode }) => {
        const isChange = ['write', 'sync', 'rename', 'remove'].includes(kind) || (kind === 'open' && mode !== 'read');
        if (next.refuses && isChange) throw errnoError('EROFS', path);
      };
      await clock.advance(120_000);
  }
}

it('the counters of a set equal a recount, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 200 }), async (steps) => {
      const fs = await createStateFs();
      const rig = await openTestSet(fs);
      for (const [index, next] of steps.entries()) {
        await play(rig, fs, next, index);
        await expectCountersEqualARecount(rig.set);
      }
    }),
    { seed: SEED, numRuns: 40 },
  );
}, 120_000);

it('callers that do not wait for each other are put in order by one mutex', async () => {
  const { set } = await openTestSet(await createStateFs());
  const bootId = BOOT_A;
  const settle = (): Promise<number> => set.settle({ bootId, wallMinusMonotonicMs: 'as-stamped', state: 'synced' });
  const reads: Promise<unknown>[] = [];
  const appends = Array.from({ length: 60 }, (_, index) => {
    if (index % 7 === 0) reads.push(settle(), set.recall());
    const appended = set.append(pendingReading(index));
    for (const journal of set.journals()) reads.push(readAll(journal));
    return appended;
  });
  const placed = await Promise.all(appends);
  await Promise.all(reads);
  expect(placed.map(({ entry }) => entry.seq)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
  await settle();
  const [journal] = set.journals();
  if (journal === undefined) throw new Error('the journal is gone');
  expect((await readAll(journal)).map(({ seq }) => seq)).toEqual(placed.map(({ entry }) => entry.seq));
  // What belongs to a set is changed by the set only.
  expect(() => journal.append(testReading(1))).toThrow(/past its set/);
  await set.close();
});
