import { randomInt } from 'node:crypto';
import { Mutex } from 'async-mutex';
import type { Gap } from '../../contract/reading.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { DeviceSection, JournalSection } from '../config.ts';
import { JournalDirectories } from './directories.ts';
import { type LockDirectory, lockDirectory } from './directory-lock.ts';
import { EpochRegister, gapOfMissing, type RegisteredEpoch } from './epoch-register.ts';
import type { FileJournal } from './file-journal.ts';
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
import { createNodeJournalFs, goneError, type JournalFs } from './journal-fs.ts';
import { MemoryFallback } from './memory-journal.ts';
import { JournalLimits, slotsPerSegment } from './retention.ts';

/** A disk that refused is tried again with the next reading after this long, doubling up to the limit. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** How often all files are looked for, not only the one that is written to. */
const LOOK_EVERY_MS = 60_000;
const EPOCH_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const EPOCH_LENGTH = 8;

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

/** Eight random characters: two journals of one device with the same name are a matter of aeons. */
export function createEpochName(): string {
  return Array.from({ length: EPOCH_LENGTH }, () => EPOCH_ALPHABET[randomInt(EPOCH_ALPHABET.length)]).join('');
}

/** The mutex orders append, settle and close: each sees which journal is written to, and it does not change meanwhile. */
class DiskJournalSet implements JournalSet {
  readonly #options: JournalSetOptions;
  readonly #createEpochName: () => string;
  readonly #fs: JournalFs;
  readonly #directories: JournalDirectories;
  readonly #memoryFallback: MemoryFallback;
  readonly #limits: JournalLimits;
  readonly #register: EpochRegister | undefined;
  #recalls = 0;
  readonly #mutex = new Mutex();
  /** The journal on disk that is written to unless there is a fault; its path and device are those of the settings. */
  #active: FileJournal | undefined;
  #activePath = '';
  #fault: JournalError | undefined;
  /** Files or the lock are not where they were; what is there now has not been looked into yet. */
  #isAway = false;
  #lookAtMs = 0;
  #retryAtMs = 0;
  #retryInMs = RETRY_MIN_MS;
  #lastComplaint = '';
  /** What journals that are not there any more had given up on. */
  #droppedBefore = 0;
  /** Settlements that a disk refused. */
  #owed: readonly { readonly journal: Journal; readonly settlement: Settlement }[] = [];

  constructor(options: JournalSetOptions) {
    this.#options = options;
    this.#createEpochName = options.createEpochName ?? createEpochName;
    this.#fs = options.fs ?? createNodeJournalFs();
    const { registerPath } = options;
    this.#register =
      registerPath === undefined ? undefined : new EpochRegister(this.#fs, registerPath, options.clock.monotonicMs);
    this.#memoryFallback = new MemoryFallback(() => options.settings.current, options.clock.nowMs);
    const journal = {
      slotsPerSegment: () => slotsPerSegment(options.settings.current.maxReadings),
      isEpochPresent: (epoch: string) => this.#directories.journals().some((other) => other.epoch === epoch),
      onFault: (err: unknown) => this.#complain(err),
    };
    const parts = { fs: this.#fs, lock: options.lock ?? lockDirectory, journal };
    this.#directories = new JournalDirectories(parts, options.onEvent);
    this.#limits = new JournalLimits({
      settings: options.settings,
      fs: this.#fs,
      clock: options.clock,
      journals: () => this.#directories.journals().filter((journal) => !this.#memoryFallback.isCopy(journal)),
      onEvent: options.onEvent,
    });
  }

  async open(): Promise<void> {
    await this.#register?.open();
    try {
      await this.#onDisk(() => Promise.resolve());
    } catch (error) {
      if (!(error instanceof JournalError) || error.code === 'JOURNAL_LOCKED') throw error;
      this.#beginFault(error);
    }
  }

  append(reading: NewReading): Promise<Placed<ReadingEntry>> {
    return this.#mutex.runExclusive(async () => {
      const placed = (await this.#appendToDisk(reading)) ?? (await this.#appendToMemory(reading));
      await this.#settleOwed();
      return placed;
    });
  }

  settle(settlement: Settlement): Promise<number> {
    return this.#mutex.runExclusive(async () => {
      let count = 0;
      for (const journal of [...this.#directories.journals(), ...this.#memoryFallback.journals()]) {
        const isCopy = this.#directories
          .journals()
          .some((file) => file === journal && this.#memoryFallback.isCopy(file));
        const settled = await this.#settleOrOwe(journal, settlement);
        if (!isCopy) count += settled;
      }
      return count;
    });
  }

  pendingBootIds(): readonly string[] {
    return [...new Set(this.journals().flatMap((journal) => journal.pendingBootIds()))];
  }

  recall(): Promise<Recall> {
    return this.#mutex.runExclusive(async () => {
      // A copy on disk may hold entries that its memory has let go of.
      this.#droppedBefore += this.#memoryFallback.handOverToCopies();
      let [count, durable] = [0, true];
      for (const journal of this.#directories.journals()) {
        try {
          count += await journal.recall();
        } catch (error) {
          if (!(error instanceof JournalError)) throw error;
          durable = false;
          this.#complain(error);
        }
      }
      this.#recalls += 1;
      await this.#noteEpochs('open');
      return { count, durable };
    });
  }

  journals(): readonly Journal[] {
    const active = this.#active;
    const others = this.#directories
      .journals()
      .filter((journal) => journal !== active && !this.#memoryFallback.isCopy(journal));
    const files = active === undefined ? [] : [active];
    const memoryFallback = this.#memoryFallback.journals();
    return this.#fault === undefined
      ? [...others, ...memoryFallback, ...files]
      : [...others, ...files, ...memoryFallback];
  }

  activeEpoch(): string {
    return this.#written().epoch;
  }

  stats(): JournalSetStats {
    const stats = this.journals().map((journal) => journal.stats());
    const sum = (key: 'unreleased' | 'pending' | 'dropped'): number =>
      stats.reduce((total, one) => total + one[key], 0);
    return {
      unreleased: sum('unreleased'),
      pending: sum('pending'),
      dropped: sum('dropped') + this.#droppedBefore,
      bytesOnDisk: this.#directories.journals().reduce((total, journal) => total + journal.stats().bytesOnDisk, 0),
      durable: this.#fault === undefined,
      ...(this.#fault !== undefined && { fault: this.#fault.message }),
    };
  }

  close(): Promise<void> {
    return this.#mutex.runExclusive(async () => {
      if (this.#isAway) await this.#onDisk(() => Promise.resolve()).catch((error: unknown) => this.#complain(error));
      await this.#bringToDisk();
      const lost = this.#memoryFallback.onlyInMemory();
      if (lost > 0) {
        const message = `${lost} readings were only in memory and are lost; the disk would not take them`;
        this.#options.onEvent({ level: 'error', message });
      }
      await this.#noteEpochs('closed');
      await this.#directories.close();
    });
  }

  /** Where the next reading goes. */
  #written(): Journal {
    if (this.#fault === undefined && this.#active !== undefined) return this.#active;
    return this.#memoryFallback.current(this.#options.device.current.deviceUid, this.#createEpochName);
  }

  async #appendToMemory(reading: NewReading): Promise<Placed<ReadingEntry>> {
    const journal = this.#written();
    const entry = await journal.append(reading);
    await this.#noteEpochs('open');
    return { journal, entry };
  }

  /** Undefined while the disk refuses. */
  async #appendToDisk(reading: NewReading): Promise<Placed<ReadingEntry> | undefined> {
    if (this.#fault !== undefined && this.#options.clock.monotonicMs() < this.#retryAtMs) return undefined;
    try {
      await this.#lookAround();
      const placed = await this.#onDisk(async (journal) => ({ journal, entry: await journal.append(reading) }));
      await this.#endFault();
      await this.#putBack();
      await this.#clearAway(placed.journal);
      return placed;
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      this.#beginFault(error);
      return undefined;
    }
  }

  /** Opens what the settings name, sees that there is room, tells of losses, then does the work. @throws JournalError */
  async #onDisk<T>(work: (journal: FileJournal) => Promise<T>): Promise<T> {
    if (this.#isAway) await this.#comeBack();
    const journal = await this.#activate();
    try {
      return await this.#withRoom(journal, work);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      if (error.code === 'JOURNAL_NO_SPACE') {
        // Appending needs no space, only another segment does: the oldest makes way for it.
        if (!(await this.#limits.makeRoomOnce(journal, 'drop-oldest'))) throw error;
        return await work(journal);
      }
      if (error.code !== 'JOURNAL_IO') throw error;
      // Damage in one place of the disk: go on in another. If there is none, the first error is the one to tell.
      const another = await this.#beginEpoch().catch(() => Promise.reject(error));
      this.#active = another;
      return await this.#withRoom(another, work);
    }
  }

  async #withRoom<T>(journal: FileJournal, work: (journal: FileJournal) => Promise<T>): Promise<T> {
    await this.#tellLosses(journal);
    await this.#tellMissing(journal);
    await this.#limits.keep(journal, this.#activePath);
    await this.#noteEpochs('open');
    return await work(journal);
  }

  /** Now and then, at an append: a file that is not written to can be gone, too. @throws JournalError JOURNAL_GONE */
  async #lookAround(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#isAway || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_EVERY_MS;
    if (!(await this.#directories.areInPlace())) throw goneError(this.#path());
  }

  async #comeBack(): Promise<void> {
    await this.#directories.comeBack();
    this.#isAway = false;
    this.#active = undefined;
  }

  async #activate(): Promise<FileJournal> {
    const path = this.#path();
    const { deviceUid } = this.#options.device.current;
    if (this.#active?.deviceUid === deviceUid && this.#activePath === path) return this.#active;
    const journalDirectory = await this.#directories.enter(path, this.#register?.paths() ?? []);
    this.#active = await journalDirectory.activate(deviceUid, this.#createEpochName);
    this.#activePath = path;
    return this.#active;
  }

  async #beginEpoch(): Promise<FileJournal> {
    const journalDirectory = await this.#directories.enter(this.#path(), []);
    const { deviceUid } = this.#options.device.current;
    return await journalDirectory.begin({ deviceUid, epoch: this.#createEpochName(), entries: [], lastSeq: 0 });
  }

  async #tellLosses(journal: FileJournal): Promise<void> {
    for (const damaged of this.#directories.journals()) {
      for (const loss of damaged.losses()) {
        await journal.tellGap(loss, this.#options.clock.nowMs(), 0);
        damaged.lossTold(loss);
        const numbers = loss.to === undefined ? `from ${loss.from} on` : `${loss.from} to ${loss.to}`;
        const message = `readings ${numbers} of epoch ${loss.ofEpoch} are lost through damage; a gap record says so`;
        this.#options.onEvent({ level: 'warn', message, path: damaged.place.directory });
      }
    }
  }

  /** Epochs of an earlier run that are not there any more: removed while the agent was stopped. @throws JournalError */
  async #tellMissing(journal: FileJournal): Promise<void> {
    for (const missing of this.#register?.missing(
      () => this.#epochs('open'),
      (path) => this.#directories.isOpen(path),
    ) ?? []) {
      const gap = gapOfMissing(missing);
      if (gap !== undefined && !this.#isTold(gap)) {
        await journal.tellGap(gap, this.#options.clock.nowMs(), 0);
        const numbers = gap.to === undefined ? `from ${gap.from} on` : `${gap.from} to ${gap.to}`;
        const where = missing.place === 'memory' ? 'were in memory when the agent was ended' : 'are not there any more';
        const message = `readings ${numbers} of epoch ${gap.ofEpoch} ${where}; a gap record says so`;
        this.#options.onEvent({ level: 'error', message, path: missing.path });
      }
      this.#register?.settled(missing);
    }
  }

  /** By a start that ended before the register knew. */
  #isTold({ ofEpoch, from }: Gap): boolean {
    const gaps = this.#directories
      .journals()
      .flatMap((journal) => journal.segments().flatMap((segment) => segment.gaps));
    return gaps.some(({ gap }) => gap.ofEpoch === ofEpoch && gap.from === from);
  }

  /** @returns whether the register has them, without `leaving` */
  async #noteEpochs(state: 'open' | 'closed', leaving?: FileJournal): Promise<boolean> {
    if (this.#register === undefined) return true;
    const staying = this.#directories.journals().filter((journal) => journal !== leaving);
    const files = staying.map((journal) => [journal.epoch, ...journal.segments().map(({ index }) => index)].join(':'));
    const inMemory = this.#memoryFallback.withoutCopy().map(({ epoch }) => epoch);
    const change = [state, this.#active?.epoch, this.#recalls, ...files, 'memory', ...inMemory].join(' ');
    try {
      return await this.#register.note(change, () =>
        this.#epochs(state).filter(({ epoch }) => epoch !== leaving?.epoch),
      );
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  #epochs(state: 'open' | 'closed'): readonly RegisteredEpoch[] {
    const inFiles = this.#directories.placed().map(({ path, journal }): RegisteredEpoch => {
      const { deviceUid, epoch } = journal;
      const { lastSeq, unreleased } = journal.stats();
      const isOver = state === 'closed' || journal !== this.#active;
      const end = { ...(isOver && { lastSeq }), ...(state === 'closed' && { unreleased }) };
      return { deviceUid, epoch, path, place: 'disk', releasedTo: journal.releasedTo(), ...end };
    });
    const ofLaterVersion = this.#directories.newer().map(({ deviceUid, epoch }): RegisteredEpoch => {
      return { deviceUid, epoch, path: this.#path(), place: 'disk', releasedTo: 0 };
    });
    const inMemory = this.#memoryFallback.withoutCopy().map((journal): RegisteredEpoch => {
      const { deviceUid, epoch } = journal;
      const { lastSeq, unreleased } = journal.stats();
      const end = state === 'closed' ? { lastSeq, unreleased } : {};
      return { deviceUid, epoch, path: this.#path(), place: 'memory', releasedTo: 0, ...end };
    });
    return [...inFiles, ...ofLaterVersion, ...inMemory];
  }

  async #clearAway(written: Journal): Promise<void> {
    this.#droppedBefore += this.#memoryFallback.forgetEmpty(written);
    this.#droppedBefore += await this.#directories.removeEmpty(
      (journal) => journal === this.#active || this.#memoryFallback.isCopy(journal),
      (journal) => this.#noteEpochs('open', journal),
    );
  }

  async #settleOrOwe(journal: Journal, settlement: Settlement): Promise<number> {
    try {
      return await journal.settle(settlement);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      this.#owed = [...this.#owed, { journal, settlement }];
      this.#complain(error);
      return 0;
    }
  }

  /** With the reading that shows that the disk works again, if it does. */
  async #settleOwed(): Promise<void> {
    if (this.#owed.length === 0 || this.#fault !== undefined) return;
    const owed = this.#owed;
    this.#owed = [];
    for (const { journal, settlement } of owed) await this.#settleOrOwe(journal, settlement);
  }

  #beginFault(error: JournalError): void {
    // The message may name another file each time; the kind of fault is what people want to know of.
    if (this.#fault?.code !== error.code) {
      const message = `readings go to memory: ${error.message}`;
      this.#options.onEvent({ level: 'error', message, path: this.#path(), err: error });
    }
    this.#retryInMs = this.#fault === undefined ? RETRY_MIN_MS : Math.min(this.#retryInMs * 2, RETRY_MAX_MS);
    this.#fault = error;
    if (error.code === 'JOURNAL_GONE') {
      this.#isAway = true;
      this.#directories.leave();
    }
    this.#retryAtMs = this.#options.clock.monotonicMs() + this.#retryInMs;
  }

  async #endFault(): Promise<void> {
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#lastComplaint = '';
    this.#options.onEvent({ level: 'info', message: 'readings go to disk again', path: this.#path() });
    await this.#bringToDisk();
  }

  async #bringToDisk(): Promise<void> {
    await this.#putBack();
    if (this.#memoryFallback.onlyInMemory() === 0) return;
    try {
      await this.#memoryFallback.bringToDisk(await this.#directories.enter(this.#path(), []));
    } catch (error) {
      this.#complain(error);
    }
  }

  async #putBack(): Promise<void> {
    try {
      await this.#directories.putBack();
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Once per kind: what goes wrong beside the appends goes wrong with each of them. */
  #complain(err: unknown): void {
    const message = err instanceof Error ? err.message : String(err);
    if (message === this.#lastComplaint) return;
    this.#lastComplaint = message;
    this.#options.onEvent({ level: 'warn', message, err });
  }

  #path(): string {
    const { path } = this.#options.settings.current;
    return path === '' ? this.#options.defaultPath : path;
  }
}
