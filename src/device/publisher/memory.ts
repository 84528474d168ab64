import type { Clock } from '../../common/clock.ts';
import type { Pulse } from '../../common/pulse.ts';
import type { Faults } from './faults.ts';
import { encodeMemory, loadMemory, type PublisherMemory, saveMemory } from './memory-file.ts';

/** A file system that takes longer than this for a few hundred bytes hangs. */
const SAVE_LIMIT_MS = 60_000;
/** What others make us remember is written this often at most: strangers must not wear the SD card. */
const NOTE_SPACING_MS = 10_000;

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
  #writtenMs = Number.NEGATIVE_INFINITY;

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

  /** As `update`, but several in a row are one write: the first goes at once, what follows waits for its turn. Never throws. */
  note(changes: Partial<PublisherMemory>): void {
    this.#current = { ...this.#current, ...changes };
    if (this.#waiting !== undefined) return;
    const waiting = new AbortController();
    this.#waiting = waiting;
    void this.#clock
      .sleep(Math.max(0, this.#writtenMs + NOTE_SPACING_MS - this.#clock.monotonicMs()), waiting.signal)
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
        this.#writtenMs = this.#clock.monotonicMs();
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
