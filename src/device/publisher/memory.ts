import type { Clock } from '../../common/clock.ts';
import type { Pulse } from '../../common/pulse.ts';
import { TokenBucket } from '../../common/token-bucket.ts';
import type { Faults } from './faults.ts';
import { encodeMemory, loadMemory, type PublisherMemory, saveMemory } from './memory-file.ts';

/** A file system that takes longer than this for a few hundred bytes hangs. */
const SAVE_LIMIT_MS = 60_000;
/** What others make us remember is written at once a few times, then this often at most: strangers must not wear the SD card. */
const NOTES_PER_SECOND = 0.1;
const NOTE_BURST = 5;

/** The publisher's memory, in RAM and, a moment later, on disk. */
export class Memory {
  readonly #path: string;
  readonly #faults: Faults;
  readonly #pulse: Pulse;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  #current: PublisherMemory;
  #saved: string;
  #saving: Promise<void> | undefined;
  /** Ends the wait of a note that is not written yet. */
  #waiting: AbortController | undefined;
  readonly #notes: TokenBucket;

  private constructor(
    path: string,
    faults: Faults,
    pulse: Pulse,
    clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
    loaded: PublisherMemory,
  ) {
    this.#path = path;
    this.#faults = faults;
    this.#pulse = pulse;
    this.#clock = clock;
    this.#notes = new TokenBucket(clock, NOTE_BURST);
    this.#current = loaded;
    this.#saved = encodeMemory(loaded);
  }

  static async open(
    path: string,
    faults: Faults,
    pulse: Pulse,
    clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
  ): Promise<Memory> {
    const { memory, problem } = await pulse.during(SAVE_LIMIT_MS, loadMemory(path));
    if (problem !== undefined) faults.failed('memory', 'MEMORY_UNREADABLE', problem);
    return new Memory(path, faults, pulse, clock, memory);
  }

  get current(): PublisherMemory {
    return this.#current;
  }

  /** Resolves when it is on disk, or when it could not be written: what counts now is in RAM, and the fault is published. */
  async update(changes: Partial<PublisherMemory>): Promise<void> {
    this.#current = { ...this.#current, ...changes };
    await this.settled();
  }

  /** As `update`, but of many in a row only the first few are written at once; the others wait and are one write. Never throws. */
  note(changes: Partial<PublisherMemory>): void {
    this.#current = { ...this.#current, ...changes };
    if (this.#waiting !== undefined) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#clock
      .sleep(this.#notes.take(NOTES_PER_SECOND, NOTE_BURST), waiting.signal)
      .catch(() => undefined)
      .then(async () => {
        if (this.#waiting === waiting) await this.settled();
      });
  }

  /** Resolves as `update` does, for all updates and notes so far. */
  async settled(): Promise<void> {
    this.#waiting?.abort(new Error('it is written now'));
    this.#waiting = undefined;
    if (this.#saving === undefined && this.#isSaved()) return;
    this.#saving ??= this.#save();
    await this.#saving;
  }

  #isSaved(): boolean {
    return this.#saved === encodeMemory(this.#current);
  }

  /** Entered when there is something to write: it must not end before it has been noted in `#saving`. */
  async #save(): Promise<void> {
    while (!this.#isSaved()) {
      const memory = this.#current;
      try {
        await this.#pulse.during(SAVE_LIMIT_MS, saveMemory(this.#path, memory));
        this.#saved = encodeMemory(memory);
        this.#faults.works('memory');
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'MEMORY_UNWRITABLE';
        this.#faults.failed('memory', code, `cannot write ${this.#path}: ${(error as Error).message}`);
        break;
      }
      // What came meanwhile by `note` waits for its turn.
      if (this.#waiting !== undefined) break;
    }
    this.#saving = undefined;
  }
}
