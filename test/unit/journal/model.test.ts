import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JournalDirectory } from '../../../src/device/journal/directory.ts';
import type { Journal, JournalEntry } from '../../../src/device/journal/journal.ts';
import { NOTE_FILE_BYTES } from '../../../src/device/journal/release-note.ts';
import type { Segment } from '../../../src/device/journal/segment.ts';
import { cases } from '../../support/cases.ts';
import { type CrashFs, createStateFs } from '../../support/crash-fs.ts';
import {
  BOOT_A,
  BOOT_B,
  DEVICE_UID,
  openTestDirectory,
  pendingReading,
  readAll,
  seededRandom,
  testReading,
} from '../../support/journal-rig.ts';

const SEED = 20_260_102;
const BOOTS = [BOOT_A, BOOT_B] as const;

/** What may happen to a journal, in any order. */
type Step =
  | { readonly kind: 'append'; readonly pendingInBoot?: 0 | 1 }
  | { readonly kind: 'gap' }
  | { readonly kind: 'settle'; readonly boot: 0 | 1; readonly wallMinusMonotonicMs: number | 'as-stamped' }
  | { readonly kind: 'release'; readonly from: number; readonly count: number }
  | { readonly kind: 'read'; readonly after: number; readonly limit: number }
  | { readonly kind: 'recall' }
  | { readonly kind: 'reopen'; readonly how: 'closed' | 'killed' | 'power cut' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Step>({ kind: 'append' }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>({ kind: 'append', pendingInBoot: 0 }, { kind: 'append', pendingInBoot: 1 }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'gap' }) },
  {
    weight: 1,
    arbitrary: fc.record<Step & { kind: 'settle' }>({
      kind: fc.constant('settle'),
      boot: fc.constantFrom(0, 1),
      wallMinusMonotonicMs: fc.oneof(fc.constant('as-stamped' as const), fc.integer({ min: 1e12, max: 2e12 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record<Step & { kind: 'release' }>({
      kind: fc.constant('release'),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      count: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record<Step & { kind: 'read' }>({
      kind: fc.constant('read'),
      after: fc.double({ min: 0, max: 1, noNaN: true }),
      limit: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'recall' }) },
  {
    weight: 1,
    arbitrary: fc.record<Step & { kind: 'reopen' }>({
      kind: fc.constant('reopen'),
      how: fc.constantFrom('closed', 'killed', 'power cut'),
    }),
  },
);

/** The journal as a plain list. */
class Model {
  readonly entries: JournalEntry[] = [];
  readonly released = new Set<number>();

  get lastSeq(): number {
    return this.entries.length;
  }

  pending(boot?: string): JournalEntry[] {
    return this.entries.filter(
      (entry) =>
        entry.kind === 'reading' && entry.stamp.state === 'pending' && (boot === undefined || entry.bootId === boot),
    );
  }

  readable(): JournalEntry[] {
    const pending = new Set(this.pending());
    return this.entries.filter((entry) => !pending.has(entry) && !this.released.has(entry.seq));
  }

  settle(boot: string, wallMinusMonotonicMs: number | 'as-stamped'): number {
    const settled = this.pending(boot);
    for (const entry of settled) {
      if (entry.kind !== 'reading') continue;
      const tsMs =
        wallMinusMonotonicMs === 'as-stamped' ? entry.stamp.tsMs : Math.round(wallMinusMonotonicMs + entry.monotonicMs);
      this.entries[entry.seq - 1] = { ...entry, stamp: { state: 'synced', tsMs } };
    }
    return settled.length;
  }

  release(from: number, to: number): void {
    for (const entry of this.readable()) if (entry.seq >= from && entry.seq <= to) this.released.add(entry.seq);
  }
}

class Rig {
  readonly model = new Model();
  readonly #random = seededRandom(SEED);
  #fs: CrashFs;
  #directory: JournalDirectory;
  #journal: Journal;

  constructor(fs: CrashFs, directory: JournalDirectory, journal: Journal) {
    this.#fs = fs;
    this.#directory = directory;
    this.#journal = journal;
  }

  async play(next: Step): Promise<void> {
    const { model } = this;
    switch (next.kind) {
      case 'append': {
        const index = model.lastSeq + 1;
        const boot = next.pendingInBoot;
        const reading = boot === undefined ? testReading(index) : pendingReading(index, { bootId: BOOTS[boot] });
        const entry = await this.#journal.append(reading);
        expect(entry.seq).toBe(index);
        model.entries.push(entry);
        break;
      }
      case 'gap': {
        const gap = { ofEpoch: 'other', from: 1, to: 2, count: 1, reason: 'thinned' as const };
        const entry = await this.#journal.appendGap(gap, 5);
        expect(entry.seq).toBe(model.lastSeq + 1);
        model.entries.push(entry);
        break;
      }
      case 'settle': {
        const boot = BOOTS[next.boot];
        const { wallMinusMonotonicMs } = next;
        const count = await this.#journal.settle({ bootId: boot, wallMinusMonotonicMs, state: 'synced' });
        expect(count).toBe(model.settle(boot, wallMinusMonotonicMs));
        break;
      }
      case 'release': {
        const from = 1 + Math.floor(next.from * model.lastSeq);
        this.#journal.release([[from, from + next.count - 1]]);
        model.release(from, from + next.count - 1);
        break;
      }
      case 'read': {
        const after = Math.floor(next.after * model.lastSeq);
        const expected = model.readable().filter(({ seq }) => seq > after);
        expect(await this.#journal.read(after, next.limit)).toEqual(expected.slice(0, next.limit));
        break;
      }
      case 'recall':
        await this.#recall();
        break;
      case 'reopen':
        await this.#reopen(next.how);
        break;
    }
    expect(this.#journal.stats).toMatchObject({
      lastSeq: model.lastSeq,
      unreleased: model.entries.length - model.released.size,
      pending: model.pending().length,
    });
    this.#expectCountersEqualARecount();
  }

  /** The counters are kept at each change; counting everything anew must give the same. */
  #expectCountersEqualARecount(): void {
    const [journal] = this.#directory.journals;
    if (journal === undefined) throw new Error('the journal is gone');
    const segments = journal.segments();
    const sum = (count: (segment: Segment) => number): number =>
      segments.reduce((total, segment) => total + count(segment), 0);
    expect(journal.stats).toMatchObject({
      unreleased: sum(({ unreleased }) => [...unreleased].length),
      pending: sum(({ pending }) => [...pending.values()].reduce((total, seqs) => total + [...seqs].length, 0)),
      bytesOnDisk: sum(({ bytes }) => bytes) + NOTE_FILE_BYTES,
    });
    const waiting = this.model.entries.filter(({ seq }) => !this.model.released.has(seq));
    expect(journal.oldest()).toBe(waiting[0]?.seq);
  }

  /** What still lies in a file waits again, at least all of the last segment; from now on no crash may take that back. */
  async #recall(): Promise<void> {
    const { model } = this;
    const count = await this.#journal.recall();
    const there = await readAll(this.#journal);
    const again = there.filter(({ seq }) => model.released.has(seq)).map(({ seq }) => seq);
    expect(again.length).toBe(count);
    if (model.released.has(model.lastSeq)) expect(again).toContain(model.lastSeq);
    for (const seq of again) model.released.delete(seq);
    expect(there).toEqual(model.readable());
    expect(await this.#journal.recall()).toBe(0);
  }

  /** After a crash released entries may come again; nothing else may have changed. */
  async #reopen(how: 'closed' | 'killed' | 'power cut'): Promise<void> {
    if (how === 'closed') await this.#directory.close();
    if (how === 'killed') this.#fs = this.#fs.copy();
    if (how === 'power cut') {
      const [state] = this.#fs.crashes(1, this.#random);
      if (state !== undefined) this.#fs = state;
    }
    const faults: unknown[] = [];
    this.#directory = await openTestDirectory(this.#fs, 16, faults);
    const [journal] = this.#directory.journals;
    if (journal === undefined) throw new Error('the journal is gone');
    expect(faults).toEqual([]);
    expect(journal.losses()).toEqual([]);
    this.#journal = journal;
    const { model } = this;
    const there = await readAll(journal);
    const again = there.filter(({ seq }) => model.released.has(seq)).map(({ seq }) => seq);
    if (how === 'closed') expect(again).toEqual([]);
    for (const seq of again) model.released.delete(seq);
    expect(there).toEqual(model.readable());
  }
}

describe('a journal of files', () => {
  it('behaves as a list does, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120 }), async (steps) => {
        const fs = await createStateFs();
        const directory = await openTestDirectory(fs, 16);
        const rig = new Rig(fs, directory, await directory.activate(DEVICE_UID, () => 'epoch1'));
        for (const next of steps) await rig.play(next);
        await rig.play({ kind: 'reopen', how: 'closed' });
      }),
      { seed: SEED, numRuns: cases(30, 150) },
    );
  }, 300_000);
});
