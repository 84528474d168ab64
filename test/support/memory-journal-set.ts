import type { Gap } from '../../src/contract/reading.ts';
import type { SeqRange } from '../../src/contract/seq-ranges.ts';
import type {
  GapEntry,
  Journal,
  JournalEntry,
  JournalSet,
  JournalSetStats,
  JournalStats,
  NewReading,
  Placed,
  ReadingEntry,
  Recall,
  Settlement,
} from '../../src/device/journal/journal.ts';

/** A journal in an array, fast enough for a hundred thousand entries; counts what is asked of it. */
export class ArrayJournal implements Journal {
  readonly durable = true;
  readonly deviceUid: string;
  readonly epoch: string;
  /** Calls of `read`. */
  reads = 0;
  /** Every number ever released, in the order of the releases. */
  readonly released: SeqRange[] = [];
  #entries: (JournalEntry | undefined)[] = [];
  /** Released entries, by number: for `recall`. */
  readonly #kept = new Map<number, JournalEntry>();
  #unreleased = 0;
  #pending = 0;
  /** Everything before this index is released. */
  #first = 0;

  constructor(deviceUid: string, epoch: string) {
    this.deviceUid = deviceUid;
    this.epoch = epoch;
  }

  async append(reading: NewReading): Promise<ReadingEntry> {
    return await Promise.resolve(this.put(reading));
  }

  /** As append, at once. */
  put(reading: NewReading): ReadingEntry {
    const entry: ReadingEntry = { ...reading, kind: 'reading', seq: this.#entries.length + 1 };
    this.#entries.push(entry);
    this.#unreleased += 1;
    if (entry.stamp.state === 'pending') this.#pending += 1;
    return entry;
  }

  async appendGap(gap: Gap, tsMs: number): Promise<GapEntry> {
    const entry: GapEntry = { kind: 'gap', seq: this.#entries.length + 1, gap, tsMs };
    this.#entries.push(entry);
    this.#unreleased += 1;
    return await Promise.resolve(entry);
  }

  async settle({ bootId, wallMinusMonotonicMs, state }: Settlement): Promise<number> {
    let count = 0;
    this.#entries.forEach((entry, index) => {
      if (entry?.kind !== 'reading' || entry.stamp.state !== 'pending' || entry.bootId !== bootId) return;
      const tsMs =
        wallMinusMonotonicMs === 'as-stamped' ? entry.stamp.tsMs : Math.round(entry.monotonicMs + wallMinusMonotonicMs);
      this.#entries[index] = { ...entry, stamp: { state, tsMs } };
      count += 1;
    });
    this.#pending -= count;
    return await Promise.resolve(count);
  }

  pendingBootIds(): readonly string[] {
    return [...new Set(this.#entries.flatMap((entry) => (isPending(entry) ? [entry.bootId] : [])))];
  }

  async read(afterSeq: number, limit: number): Promise<readonly JournalEntry[]> {
    this.reads += 1;
    const found: JournalEntry[] = [];
    for (
      let index = Math.max(afterSeq, this.#first);
      index < this.#entries.length && found.length < limit;
      index += 1
    ) {
      const entry = this.#entries[index];
      if (entry !== undefined && !isPending(entry)) found.push(entry);
    }
    return await Promise.resolve(found);
  }

  release(ranges: readonly SeqRange[]): void {
    this.released.push(...ranges);
    for (const [from, to] of ranges) {
      for (let seq = from; seq <= Math.min(to, this.#entries.length); seq += 1) {
        const entry = this.#entries[seq - 1];
        if (entry === undefined || isPending(entry)) continue;
        this.#entries[seq - 1] = undefined;
        this.#kept.set(seq, entry);
        this.#unreleased -= 1;
      }
    }
    while (this.#first < this.#entries.length && this.#entries[this.#first] === undefined) this.#first += 1;
  }

  async recall(): Promise<number> {
    const count = this.#kept.size;
    for (const [seq, entry] of this.#kept) this.#entries[seq - 1] = entry;
    this.#kept.clear();
    this.#unreleased += count;
    this.#first = 0;
    return await Promise.resolve(count);
  }

  get stats(): JournalStats {
    return {
      unreleased: this.#unreleased,
      pending: this.#pending,
      lastSeq: this.#entries.length,
      dropped: 0,
      bytesOnDisk: 0,
    };
  }

  oldest(): number | undefined {
    return this.#entries.find((entry) => entry !== undefined)?.seq;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

/** All journals of a test's agent; the last one is written to. */
export class ArrayJournalSet implements JournalSet {
  readonly all: ArrayJournal[];

  constructor(...journals: ArrayJournal[]) {
    this.all = journals;
  }

  active(): ArrayJournal {
    const last = this.all.at(-1);
    if (last === undefined) throw new Error('the set is empty');
    return last;
  }

  async append(reading: NewReading): Promise<Placed<ReadingEntry>> {
    const journal = this.active();
    return { journal, entry: await journal.append(reading) };
  }

  async settle(settlement: Settlement): Promise<number> {
    const counts = await Promise.all(this.all.map(async (journal) => journal.settle(settlement)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async recall(): Promise<Recall> {
    const counts = await Promise.all(this.all.map(async (journal) => journal.recall()));
    return { count: counts.reduce((sum, count) => sum + count, 0), durable: true };
  }

  pendingBootIds(): readonly string[] {
    return this.all.flatMap((journal) => journal.pendingBootIds());
  }

  journals(): readonly Journal[] {
    return this.all.filter((journal) => journal === this.all.at(-1) || journal.stats.unreleased > 0);
  }

  activeEpoch(): string {
    return this.active().epoch;
  }

  stats(): JournalSetStats {
    const all = this.all.map((journal) => journal.stats);
    const sum = (pick: (stats: JournalStats) => number): number => all.reduce((total, stats) => total + pick(stats), 0);
    return {
      unreleased: sum(({ unreleased }) => unreleased),
      pending: sum(({ pending }) => pending),
      dropped: 0,
      bytesOnDisk: 0,
      durable: true,
    };
  }

  oldest(): { readonly epoch: string; readonly seq: number } | undefined {
    const journal = this.all.find((candidate) => candidate.oldest() !== undefined);
    const seq = journal?.oldest();
    return journal === undefined || seq === undefined ? undefined : { epoch: journal.epoch, seq };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

function isPending(entry: JournalEntry | undefined): entry is ReadingEntry {
  return entry?.kind === 'reading' && entry.stamp.state === 'pending';
}
