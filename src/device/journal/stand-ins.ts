import type { JournalSection } from '../config/device-config.ts';
import type { FileJournal } from './file-journal.ts';
import type { Journal } from './journal.ts';
import type { JournalHome } from './journal-home.ts';
import { MemoryJournal } from './memory-journal.ts';

/** Some 3 MB of readings; at one a minute a week. */
const MAX_ENTRIES_IN_MEMORY = 10_000;

/** What stood in for the disk while it refused. */
interface StandIn {
  readonly memory: MemoryJournal;
  /** The same entries on disk, made once the disk is back: for a restart before they are released. */
  copy: FileJournal | undefined;
}

/** The memory journals of a set: the one that is written to, and earlier ones that still hold something. */
export class StandIns {
  readonly #settings: () => JournalSection;
  readonly #nowMs: () => number;
  #standIns: StandIn[] = [];

  constructor(settings: () => JournalSection, nowMs: () => number) {
    this.#settings = settings;
    this.#nowMs = nowMs;
  }

  /** Oldest first. */
  journals(): readonly MemoryJournal[] {
    return this.#standIns.map(({ memory }) => memory);
  }

  /** Whether the journal on disk is a copy of one in memory, which is read and counted in its stead. */
  isCopy(journal: FileJournal): boolean {
    return this.#standIns.some(({ copy }) => copy === journal);
  }

  /** The one to write to: the last one, unless it is another device's or on disk already. */
  current(deviceUid: string, createEpochName: () => string): MemoryJournal {
    const last = this.#standIns.at(-1);
    if (last !== undefined && last.copy === undefined && last.memory.deviceUid === deviceUid) return last.memory;
    const standIn: StandIn = {
      memory: new MemoryJournal({
        deviceUid,
        epoch: createEpochName(),
        maxEntries: () => Math.min(MAX_ENTRIES_IN_MEMORY, this.#settings().maxReadings),
        whenFull: () => this.#settings().whenFull,
        nowMs: this.#nowMs,
        onRelease: (ranges) => standIn.copy?.release(ranges),
      }),
      copy: undefined,
    };
    this.#standIns.push(standIn);
    return standIn.memory;
  }

  /** Brings to disk what is only in memory. @throws JournalError */
  async bringToDisk(home: JournalHome): Promise<void> {
    for (const standIn of this.#standIns) {
      const { memory } = standIn;
      if (standIn.copy !== undefined || memory.entries().length === 0) continue;
      const { deviceUid, epoch } = memory;
      const lastSeq = memory.stats().lastSeq;
      standIn.copy = await home.begin({ deviceUid, epoch, entries: [...memory.entries()], lastSeq });
      // What was released while it was being written.
      standIn.copy.release(releasedSince(standIn.copy, memory));
    }
  }

  /** From now on the copies on disk are read and counted themselves. @returns what the memory had given up on */
  handOverToCopies(): number {
    const onDisk = this.#standIns.filter(({ copy }) => copy !== undefined);
    this.#standIns = this.#standIns.filter(({ copy }) => copy === undefined);
    return onDisk.reduce((sum, { memory }) => sum + memory.stats().dropped, 0);
  }

  /**
   * Lets go of those that hold nothing any more, which frees their copies for removal; not of the one that is written to.
   * @returns what they gave up on
   */
  forgetEmpty(written: Journal | undefined): number {
    const empty = this.#standIns.filter(({ memory }) => memory !== written && memory.stats().unreleased === 0);
    this.#standIns = this.#standIns.filter((standIn) => !empty.includes(standIn));
    return empty.reduce((sum, { memory }) => sum + memory.stats().dropped, 0);
  }

  /** Entries that are nowhere but in memory. */
  onlyInMemory(): number {
    return this.#standIns
      .filter(({ copy }) => copy === undefined)
      .reduce((sum, { memory }) => sum + memory.stats().unreleased, 0);
  }
}

function releasedSince(copy: FileJournal, memory: MemoryJournal): readonly (readonly [number, number])[] {
  const waiting = new Set(memory.entries().map(({ seq }) => seq));
  return copy
    .segments()
    .flatMap(({ unreleased }) => [...unreleased])
    .filter((seq) => !waiting.has(seq))
    .map((seq) => [seq, seq] as const);
}
