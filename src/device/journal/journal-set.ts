import { Mutex } from 'async-mutex';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { DeviceSection, JournalSection } from '../config.ts';
import { ActiveJournal } from './active-journal.ts';
import { JournalDirectories } from './directories.ts';
import { type LockDirectory, lockDirectory } from './directory-lock.ts';
import { DiskFault, OwedSettlements } from './disk-fault.ts';
import { createEpochName } from './epoch-directories.ts';
import { EpochNotes } from './epoch-notes.ts';
import { EpochRegister } from './epoch-register.ts';
import {
  type Journal,
  JournalError,
  type JournalSet,
  type JournalSetStats,
  type NewReading,
  type OnJournalEvent,
  type Placed,
  type ReadingEntry,
  type Recall,
  type Settlement,
} from './journal.ts';
import { createNodeJournalFs, type JournalFs } from './journal-fs.ts';
import { MemoryFallback } from './memory-journal.ts';
import { JournalLimits, slotsPerSegment } from './retention.ts';

export interface JournalSetOptions {
  readonly settings: Live<JournalSection>;
  readonly device: Live<Pick<DeviceSection, 'deviceUid'>>;
  /** Where the settings name no path. */
  readonly defaultPath: string;
  readonly clock: Clock;
  /** Faults, their ends, losses, limits reached: state changes, for the log. Must not throw. */
  readonly onEvent: OnJournalEvent;
  /** A file outside the journal's path that remembers its epochs. Absent: what is removed while the agent is stopped goes unnoticed. */
  readonly registerPath?: string;
  readonly fs?: JournalFs;
  readonly lock?: LockDirectory;
  /** Names a new epoch, 1 to 9 of `[A-Za-z0-9_]`, never the same twice. */
  readonly createEpochName?: () => string;
}

/**
 * Opens what is under the journal's path, whatever state it is in. A disk that refuses is a fault in `stats`, not an error.
 * @throws JournalError JOURNAL_LOCKED when another agent uses the path
 */
export async function openJournalSet(options: JournalSetOptions): Promise<JournalSet> {
  const set = new DiskJournalSet(options);
  await set.open();
  return set;
}

/**
 * One mutex, taken once for each call. Sampler (append), clock (settle) and publisher (recall, and `read` of a journal) may call at
 * the same time and wait for each other here, so no journal needs a mutex of its own. The other calls of the publisher (journals,
 * stats, release) do not wait in between.
 */
class DiskJournalSet implements JournalSet {
  readonly #options: JournalSetOptions;
  readonly #createEpochName: () => string;
  readonly #directories: JournalDirectories;
  readonly #memoryFallback: MemoryFallback;
  readonly #active: ActiveJournal;
  readonly #register: EpochRegister | undefined;
  readonly #fault: DiskFault;
  readonly #notes: EpochNotes;
  readonly #owed: OwedSettlements;
  readonly #mutex = new Mutex();
  /** The journals, between two calls: which there are changes in a call only. */
  #journals: readonly Journal[] | undefined;
  /** What journals that are not there any more had given up on. */
  #droppedBefore = 0;

  constructor(options: JournalSetOptions) {
    this.#options = options;
    this.#createEpochName = options.createEpochName ?? createEpochName;
    const { registerPath, clock, fs = createNodeJournalFs() } = options;
    this.#register = registerPath === undefined ? undefined : new EpochRegister(fs, registerPath, clock.monotonicMs);
    this.#memoryFallback = new MemoryFallback(() => options.settings.current, clock.nowMs);
    this.#fault = new DiskFault(clock, options.onEvent);
    const onFault = (error: unknown): void => this.#fault.complain(error);
    this.#owed = new OwedSettlements(onFault);
    const journal = {
      setMutex: this.#mutex,
      slotsPerSegment: () => slotsPerSegment(options.settings.current.maxReadings),
      isEpochPresent: (epoch: string) => this.#directories.journals().some((other) => other.epoch === epoch),
      onFault,
    };
    this.#directories = new JournalDirectories({ fs, lock: options.lock ?? lockDirectory, journal }, options.onEvent);
    this.#notes = new EpochNotes({
      register: this.#register,
      directories: this.#directories,
      memoryFallback: this.#memoryFallback,
      clock,
      active: () => this.#active.current,
      path: () => this.#path(),
      onEvent: options.onEvent,
      onFault,
    });
    const limits = new JournalLimits({
      settings: options.settings,
      fs,
      clock,
      journals: () => this.#directories.journals().filter((journal) => !this.#memoryFallback.isCopy(journal)),
      onEvent: options.onEvent,
    });
    this.#active = new ActiveJournal({
      clock,
      directories: this.#directories,
      notes: this.#notes,
      limits,
      registeredPaths: () => this.#register?.paths() ?? [],
      path: () => this.#path(),
      deviceUid: () => options.device.current.deviceUid,
      createEpochName: this.#createEpochName,
    });
  }

  open(): Promise<void> {
    return this.#exclusively(async () => {
      await this.#register?.open();
      try {
        await this.#active.use(() => Promise.resolve());
      } catch (error) {
        if (!(error instanceof JournalError) || error.code === 'JOURNAL_LOCKED') throw error;
        this.#beginFault(error);
      }
    });
  }

  append(reading: NewReading): Promise<Placed<ReadingEntry>> {
    return this.#exclusively(async () => {
      const placed = (await this.#appendToDisk(reading)) ?? (await this.#appendToMemory(reading));
      // With the reading that shows that the disk works again, if it does.
      if (this.#fault.error === undefined) await this.#owed.settleAll();
      return placed;
    });
  }

  settle(settlement: Settlement): Promise<number> {
    return this.#exclusively(async () => {
      let count = 0;
      for (const journal of [...this.#directories.journals(), ...this.#memoryFallback.journals()]) {
        const isCopy = this.#directories
          .journals()
          .some((file) => file === journal && this.#memoryFallback.isCopy(file));
        const settled = await this.#owed.settle(journal, settlement);
        if (!isCopy) count += settled;
      }
      return count;
    });
  }

  pendingBootIds(): readonly string[] {
    return [...new Set(this.journals().flatMap((journal) => journal.pendingBootIds()))];
  }

  recall(): Promise<Recall> {
    return this.#exclusively(async () => {
      // A copy on disk may hold entries that its memory has let go of.
      this.#droppedBefore += this.#memoryFallback.handOverToCopies();
      let [count, durable] = [0, true];
      for (const journal of this.#directories.journals()) {
        try {
          count += await journal.recall();
        } catch (error) {
          if (!(error instanceof JournalError)) throw error;
          durable = false;
          this.#fault.complain(error);
        }
      }
      this.#notes.recalled();
      await this.#notes.note('open');
      return { count, durable };
    });
  }

  journals(): readonly Journal[] {
    const journals = this.#journals ?? this.#listJournals();
    if (!this.#mutex.isLocked()) this.#journals = journals;
    return journals;
  }

  #listJournals(): readonly Journal[] {
    const { current: active } = this.#active;
    const others = this.#directories
      .journals()
      .filter((journal) => journal !== active && !this.#memoryFallback.isCopy(journal));
    const files = active === undefined ? [] : [active];
    const inMemory = this.#memoryFallback.journals();
    return this.#fault.error === undefined ? [...others, ...inMemory, ...files] : [...others, ...files, ...inMemory];
  }

  activeEpoch(): string {
    return this.#written().epoch;
  }

  oldest(): { readonly epoch: string; readonly seq: number } | undefined {
    for (const journal of this.journals()) {
      const seq = journal.oldest();
      if (seq !== undefined) return { epoch: journal.epoch, seq };
    }
    return undefined;
  }

  stats(): JournalSetStats {
    let [unreleased, pending, dropped, bytesOnDisk] = [0, 0, this.#droppedBefore, 0];
    for (const journal of this.journals()) {
      const stats = journal.stats;
      unreleased += stats.unreleased;
      pending += stats.pending;
      dropped += stats.dropped;
    }
    for (const journal of this.#directories.journals()) bytesOnDisk += journal.stats.bytesOnDisk;
    const counters = { unreleased, pending, dropped, bytesOnDisk };
    const fault = this.#fault.error?.message;
    return fault === undefined ? { ...counters, durable: true } : { ...counters, durable: false, fault };
  }

  close(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#active.isAway)
        await this.#active.use(() => Promise.resolve()).catch((error: unknown) => this.#fault.complain(error));
      await this.#bringToDisk();
      const lost = this.#memoryFallback.onlyInMemory();
      if (lost > 0) {
        const message = `${lost} readings were only in memory and are lost; the disk would not take them`;
        this.#options.onEvent({ level: 'error', message });
      }
      await this.#notes.note('closed');
      await this.#directories.close();
    });
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.runExclusive(() => {
      this.#journals = undefined;
      return work();
    });
  }

  /** Where the next reading goes. */
  #written(): Journal {
    if (this.#fault.error === undefined && this.#active.current !== undefined) return this.#active.current;
    this.#journals = undefined;
    return this.#memoryFallback.current(this.#options.device.current.deviceUid, this.#createEpochName);
  }

  async #appendToMemory(reading: NewReading): Promise<Placed<ReadingEntry>> {
    const journal = this.#written();
    const placed = { journal, entry: await journal.append(reading) };
    await this.#notes.note('open');
    return placed;
  }

  /** Undefined while the disk refuses. */
  async #appendToDisk(reading: NewReading): Promise<Placed<ReadingEntry> | undefined> {
    if (!this.#fault.mayTry()) return undefined;
    try {
      await this.#active.checkFiles();
      const placed = await this.#active.use(async (journal) => ({ journal, entry: await journal.append(reading) }));
      if (this.#fault.end(this.#path())) await this.#bringToDisk();
      if (this.#directories.hasToPutBack) await this.#fault.tolerate(() => this.#directories.putBack());
      await this.#clearAway(placed.journal);
      return placed;
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      this.#beginFault(error);
      return undefined;
    }
  }

  async #clearAway(written: Journal): Promise<void> {
    this.#droppedBefore += this.#memoryFallback.forgetEmpty(written);
    this.#droppedBefore += await this.#directories.removeEmpty(
      (journal) => journal === this.#active.current || this.#memoryFallback.isCopy(journal),
      (journal) => this.#notes.note('open', journal),
    );
  }

  #beginFault(error: JournalError): void {
    this.#fault.begin(error, this.#path());
    if (error.code === 'JOURNAL_GONE') this.#active.leave();
  }

  async #bringToDisk(): Promise<void> {
    await this.#fault.tolerate(() => this.#directories.putBack());
    if (this.#memoryFallback.onlyInMemory() === 0) return;
    await this.#fault.tolerate(async () => {
      await this.#memoryFallback.bringToDisk(await this.#directories.enter(this.#path(), []));
    });
  }

  #path(): string {
    const { path } = this.#options.settings.current;
    return path === '' ? this.#options.defaultPath : path;
  }
}
