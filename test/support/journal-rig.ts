import type { JournalSection } from '../../src/device/config.ts';
import { type JournalDirectory, openJournalDirectory } from '../../src/device/journal/directory.ts';
import type { LockDirectory } from '../../src/device/journal/directory-lock.ts';
import { inspectEntries } from '../../src/device/journal/inspect.ts';
import type { Journal, JournalEntry, JournalEvent, JournalSet, NewReading } from '../../src/device/journal/journal.ts';
import type { JournalFs } from '../../src/device/journal/journal-fs.ts';
import { openJournalSet } from '../../src/device/journal/journal-set.ts';
import type { Live } from '../../src/platform/live.ts';
import { FakeClock } from './fake-clock.ts';
import { testLive } from './recording.ts';

export const JOURNAL_PATH = '/state/journal';
export const DEVICE_UID = 'aht20-0a1b2c';
export const BOOT_A = '11111111-1111-4111-8111-111111111111';
export const BOOT_B = '22222222-2222-4222-8222-222222222222';
const START_MS = Date.UTC(2026, 0, 1);

/** The lock of a test that has no other agent. */
export const noLock: LockDirectory = () =>
  Promise.resolve({ holds: () => Promise.resolve(true), release: () => Promise.resolve() });

/** A reading whose values tell which one it is. */
export function testReading(index: number, changes: Partial<NewReading> = {}): NewReading {
  return {
    temperatureCelsius: (index % 20_000) / 100 - 50,
    humidityPercent: (Math.floor(index / 20_000) % 10_000) / 100,
    stamp: { state: 'synced', tsMs: START_MS + index * 1_000 },
    bootId: BOOT_A,
    monotonicMs: index * 1_000 + 0.25,
    ...changes,
  };
}

export function pendingReading(index: number, changes: Partial<NewReading> = {}): NewReading {
  return testReading(index, { stamp: { state: 'pending', tsMs: 86_400_000 + index * 1_000 }, ...changes });
}

/** The index that `testReading` was given. */
export function indexOf(entry: JournalEntry): number {
  if (entry.kind !== 'reading') throw new Error('a gap record has no index');
  return Math.round((entry.temperatureCelsius + 50) * 100) + Math.round(entry.humidityPercent * 100) * 20_000;
}

/** A home with tiny segments. */
export function openTestDirectory(fs: JournalFs, slots = 16, faults: unknown[] = []): Promise<JournalDirectory> {
  const journal = {
    slotsPerSegment: () => slots,
    isEpochPresent: () => false,
    onFault: (error: unknown) => void faults.push(error),
  };
  return openJournalDirectory({ fs, lock: noLock, journal }, JOURNAL_PATH);
}

export interface SetRig {
  readonly set: JournalSet;
  readonly clock: FakeClock;
  readonly events: JournalEvent[];
  readonly settings: Live<JournalSection> & { set(value: JournalSection): void };
  readonly device: Live<{ readonly deviceUid: string }> & { set(value: { readonly deviceUid: string }): void };
}

export async function openTestSet(fs: JournalFs, options: SetRigOptions = {}): Promise<SetRig> {
  const clock = options.clock ?? new FakeClock({ bootId: BOOT_A, nowMs: START_MS });
  const events: JournalEvent[] = [];
  const settings = testLive(journalSection(options.section));
  const device = testLive({ deviceUid: DEVICE_UID });
  const set = await openJournalSet({
    settings,
    device,
    defaultPath: JOURNAL_PATH,
    clock,
    onEvent: (event) => void events.push(event),
    fs,
    lock: options.lock ?? noLock,
    ...(options.registerPath !== undefined && { registerPath: options.registerPath }),
    ...(options.createEpochName !== undefined && { createEpochName: options.createEpochName }),
  });
  return { set, clock, events, settings, device };
}

export interface SetRigOptions {
  readonly section?: Partial<JournalSection>;
  readonly clock?: FakeClock;
  readonly lock?: LockDirectory;
  readonly registerPath?: string;
  readonly createEpochName?: () => string;
}

export function journalSection(changes: Partial<JournalSection> = {}): JournalSection {
  return { path: '', maxReadings: 100_000, whenFull: 'thin', minFreeBytes: 0, ...changes };
}

/** Everything that a journal would send, in the portions that it would be sent in. */
export async function readAll(journal: Journal, portion = 50): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (let after = 0; ; ) {
    const some = await journal.read(after, portion);
    const last = some.at(-1);
    if (last === undefined) return entries;
    entries.push(...some);
    after = last.seq;
  }
}

/** Everything that all journals of a set would send, with the epochs. */
export async function readSet(set: JournalSet): Promise<{ epoch: string; entry: JournalEntry }[]> {
  const entries = [];
  for (const journal of set.journals()) {
    for (const entry of await readAll(journal)) entries.push({ epoch: journal.epoch, entry });
  }
  return entries;
}

/** Every unreleased entry on disk, waiting for its time or not. */
export async function unreleasedOnDisk(fs: JournalFs): Promise<{ epoch: string; entry: JournalEntry }[]> {
  const entries = [];
  for await (const { epoch, entry, released } of inspectEntries(JOURNAL_PATH, fs)) {
    if (!released) entries.push({ epoch, entry });
  }
  return entries;
}

/** Numbers from a seed, so that a failing test can be run again (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
