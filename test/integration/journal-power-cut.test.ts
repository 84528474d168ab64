import { describe, expect, it } from 'vitest';
import type { JournalSection } from '../../src/device/config.ts';
import type { JournalEntry, Placed, ReadingEntry, Stamp } from '../../src/device/journal/journal.ts';
import { type CrashFs, createStateFs, type Operation } from '../support/crash-fs.ts';
import {
  BOOT_A,
  indexOf,
  openTestSet,
  pendingReading,
  type SetRig,
  seededRandom,
  testReading,
  unreleasedOnDisk,
} from '../support/journal-rig.ts';

/** Crash states that are tried at each step: all of them up to this many, else as many of them. */
const STATES_PER_STEP = 40;
const SEED = 20_260_101;
const CHANGES: readonly Operation['kind'][] = ['write', 'sync', 'makeDirectory', 'syncDirectory', 'rename', 'remove'];

/** What the outside world knows when the power goes. */
interface World {
  /** What `append` has resolved with, by reading. */
  readonly given: Map<number, { readonly epoch: string; readonly seq: number; stamp: Stamp }>;
  /** The reading that is being appended. */
  inFlight: number | undefined;
  readonly released: Set<string>;
  /** The final times that a settlement under way is going to give, by reading. */
  readonly settling: Map<number, Stamp>;
}

interface Play {
  readonly rig: SetRig;
  readonly world: World;
  append(index: number, kind?: 'pending'): Promise<void>;
  settle(wallMinusMonotonicMs: number): Promise<void>;
  releaseWhere(isGone: (index: number) => boolean): void;
}

const keyOf = (epoch: string, seq: number): string => `${epoch}/${seq}`;

function emptyWorld(): World {
  return { given: new Map(), inFlight: undefined, released: new Set(), settling: new Map() };
}

async function begin(fs: CrashFs, world: World, section: Partial<JournalSection>, names: () => string): Promise<Play> {
  const rig = await openTestSet(fs, { section, createEpochName: names });
  return {
    rig,
    world,
    append: async (index, kind) => {
      world.inFlight = index;
      const reading = kind === 'pending' ? pendingReading(index) : testReading(index);
      const { journal, entry }: Placed<ReadingEntry> = await rig.set.append(reading);
      if (!journal.durable) throw new Error(`reading ${index} went to memory: ${rig.set.stats().fault ?? ''}`);
      world.given.set(index, { epoch: journal.epoch, seq: entry.seq, stamp: entry.stamp });
      world.inFlight = undefined;
    },
    settle: async (wallMinusMonotonicMs) => {
      for (const [index, { stamp }] of world.given) {
        if (stamp.state !== 'pending') continue;
        const tsMs = Math.round(wallMinusMonotonicMs + pendingReading(index).monotonicMs);
        world.settling.set(index, { state: 'synced', tsMs });
      }
      await rig.set.settle({ bootId: BOOT_A, wallMinusMonotonicMs, state: 'synced' });
      for (const [index, stamp] of world.settling) {
        const given = world.given.get(index);
        if (given !== undefined) given.stamp = stamp;
      }
      world.settling.clear();
    },
    releaseWhere: (isGone) => {
      for (const [index, { epoch, seq, stamp }] of world.given) {
        if (!isGone(index) || stamp.state === 'pending' || world.released.has(keyOf(epoch, seq))) continue;
        world.released.add(keyOf(epoch, seq));
        rig.set
          .journals()
          .find((journal) => journal.epoch === epoch)
          ?.release([[seq, seq]]);
      }
    },
  };
}

/** What must hold on every disk that the power cut may leave. */
async function check(fs: CrashFs, world: World, section: Partial<JournalSection>, what: string): Promise<void> {
  const demand = (holds: boolean, complaint: string): void => {
    if (!holds) throw new Error(`${what}: ${complaint}\n${fs.files().join('\n')}`);
  };
  const { set } = await openTestSet(fs, { section, createEpochName: () => 'reopened' });
  demand(set.stats().fault === undefined, `opens with a fault: ${set.stats().fault ?? ''}`);
  const entries = await unreleasedOnDisk(fs);
  const found = new Map(entries.map(({ epoch, entry }) => [keyOf(epoch, entry.seq), entry]));
  demand(found.size === entries.length, 'a number is there twice');
  for (const { epoch, entry } of entries) if (entry.kind === 'reading') checkReading(world, epoch, entry, demand);

  const gaps = entries.flatMap(({ entry }) => (entry.kind === 'gap' ? [entry.gap] : []));
  for (const [index, { epoch, seq }] of world.given) {
    const key = keyOf(epoch, seq);
    if (found.has(key) || world.released.has(key)) continue;
    const telling = gaps.filter((gap) => gap.ofEpoch === epoch && gap.from <= seq && (gap.to ?? Infinity) >= seq);
    demand(telling.length > 0, `reading ${index} (${key}) is gone and no gap record tells of it`);
    const isDamage = telling.every(({ reason }) => reason === 'damaged');
    demand(!isDamage, `reading ${index} (${key}) was on disk and is told to be damaged`);
  }
  // A write that was torn in the middle burns the number that it would have had; nothing else may look like damage.
  const damages = gaps.filter(({ reason }) => reason === 'damaged');
  demand(
    damages.length <= 1 && damages.every(({ from, to }) => from === to),
    `told of damage: ${JSON.stringify(damages)}`,
  );
  if (world.released.size === 0) {
    const { lastSeq = 0 } = set.journals().find(({ epoch }) => epoch === 'epoch1')?.stats ?? {};
    const accounted = accountedFor(entries, 'epoch1');
    demand(accounted === lastSeq, `of ${lastSeq} numbers ${accounted} are accounted for`);
  }
  const { journal, entry } = await set.append(testReading(9_999));
  const key = keyOf(journal.epoch, entry.seq);
  const isTaken = found.has(key) || [...world.given.values()].some(({ epoch, seq }) => keyOf(epoch, seq) === key);
  demand(!isTaken, `number ${key} is given a second time`);
  await set.close();
}

function checkReading(
  world: World,
  epoch: string,
  entry: ReadingEntry,
  demand: (holds: boolean, complaint: string) => void,
): void {
  const index = indexOf(entry);
  const given = world.given.get(index);
  const where = `reading ${index} at ${keyOf(epoch, entry.seq)}`;
  if (given === undefined) {
    demand(world.inFlight === index, `${where} was never appended`);
    return;
  }
  demand(given.epoch === epoch && given.seq === entry.seq, `${where} had the number ${keyOf(given.epoch, given.seq)}`);
  const allowed = [given.stamp, world.settling.get(index)].filter((stamp) => stamp !== undefined);
  const isAllowed = allowed.some(({ state, tsMs }) => state === entry.stamp.state && tsMs === entry.stamp.tsMs);
  demand(isAllowed, `${where} has the time ${JSON.stringify(entry.stamp)}, not ${JSON.stringify(allowed)}`);
}

/** Plays a story, and at each change to the disk asks what a power cut just now would leave. */
async function cutEverywhere(
  section: Partial<JournalSection>,
  story: (open: () => Promise<Play>) => Promise<void>,
): Promise<{ readonly steps: number; readonly states: number; readonly fs: CrashFs; readonly world: World }> {
  const random = seededRandom(SEED);
  const fs = await createStateFs();
  const world = emptyWorld();
  let [steps, states, epochs] = [0, 0, 0];
  let failure: Error | undefined;
  fs.onOperation = async ({ kind, path }) => {
    if (!CHANGES.includes(kind) || failure !== undefined) return;
    steps += 1;
    try {
      for (const [at, crash] of fs.crashes(STATES_PER_STEP, random).entries()) {
        states += 1;
        await check(crash, world, section, `power cut before step ${steps} (${kind} ${path}), state ${at}`);
      }
    } catch (error) {
      // Thrown here it would look like a fault of the disk.
      failure = error as Error;
    }
  };
  await story(() =>
    begin(fs, world, section, () => {
      epochs += 1;
      return `epoch${epochs}`;
    }),
  );
  fs.onOperation = () => undefined;
  if (failure !== undefined) throw failure;
  return { steps, states, fs, world };
}

/** Of the numbers of an epoch: how many are there, and how many the gap records count. */
function accountedFor(entries: readonly { epoch: string; entry: JournalEntry }[], ofEpoch: string): number {
  const there = entries.filter(({ epoch }) => epoch === ofEpoch).length;
  const gaps = entries.flatMap(({ entry }) =>
    entry.kind === 'gap' && entry.gap.ofEpoch === ofEpoch ? [entry.gap] : [],
  );
  return gaps.reduce((sum, gap) => sum + (gap.count ?? 0), there);
}

describe('a power cut at any step, whichever unsynced writes it takes', { timeout: 600_000 }, () => {
  it('loses nothing that was appended while readings come, are settled, are sent and released', async () => {
    const { steps, states } = await cutEverywhere({ maxReadings: 500 }, async (open) => {
      const first = await open();
      for (let index = 1; index <= 4; index += 1) await first.append(index, 'pending');
      await first.settle(1.7e12);
      for (let index = 5; index <= 130; index += 1) {
        await first.append(index);
        // The newest goes out at once; the older ones follow in portions.
        if (index % 2 === 0) first.releaseWhere((other) => other === index);
        if (index % 25 === 0) first.releaseWhere((other) => other < index - 30);
        if (index % 25 === 10) for (const journal of first.rig.set.journals()) await journal.read(0, 5);
      }
      await first.rig.set.close();
      const second = await open();
      for (let index = 131; index <= 134; index += 1) await second.append(index, 'pending');
      second.releaseWhere((other) => other < 120);
      for (let index = 135; index <= 200; index += 1) await second.append(index);
      await second.settle(1.8e12);
      second.releaseWhere(() => true);
      for (const journal of second.rig.set.journals()) await journal.read(0, 5);
      await second.append(201);
      await second.rig.set.close();
    });
    expect(steps).toBeGreaterThan(400);
    expect(states).toBeGreaterThan(2 * steps);
  });

  it.each(['thin', 'drop-oldest'] as const)(
    'accounts for every reading when the journal is full: %s',
    async (whenFull) => {
      const section = { maxReadings: 120, whenFull };
      const { fs, world } = await cutEverywhere(section, async (open) => {
        const play = await open();
        for (let index = 1; index <= 330; index += 1) await play.append(index);
        await play.rig.set.close();
      });
      const entries = await unreleasedOnDisk(fs);
      expect(entries.filter(({ entry }) => entry.kind === 'reading').length).toBeLessThanOrEqual(120);
      expect(entries.filter(({ entry }) => entry.kind === 'gap').length).toBeGreaterThan(0);
      expect(accountedFor(entries, 'epoch1')).toBe(Math.max(...entries.map(({ entry }) => entry.seq)));
      expect(world.given.size).toBe(330);
    },
  );

  it('moves to another device and back without losing the thread', async () => {
    await cutEverywhere({ maxReadings: 500 }, async (open) => {
      const play = await open();
      for (let index = 1; index <= 5; index += 1) await play.append(index);
      play.rig.device.set({ deviceUid: 'aht20-ffffff' });
      for (let index = 6; index <= 9; index += 1) await play.append(index);
      play.releaseWhere((index) => index <= 5);
      play.rig.device.set({ deviceUid: 'aht20-0a1b2c' });
      for (let index = 10; index <= 14; index += 1) await play.append(index);
      play.releaseWhere((index) => index <= 9);
      await play.append(15);
      await play.rig.set.close();
    });
  });
});
