import type { Pulse } from '../../common/pulse.ts';
import type { Faults } from './faults.ts';
import { loadMemory, type PublisherMemory, saveMemory } from './memory-file.ts';

/** A file system that takes longer than this for a few hundred bytes hangs. */
const SAVE_LIMIT_MS = 60_000;

/** The publisher's memory, in RAM and, a moment later, on disk. */
export class Memory {
  readonly #path: string;
  readonly #faults: Faults;
  readonly #pulse: Pulse;
  #current: PublisherMemory;
  #saved: PublisherMemory;
  #saving: Promise<void> | undefined;

  private constructor(path: string, faults: Faults, pulse: Pulse, loaded: PublisherMemory) {
    this.#path = path;
    this.#faults = faults;
    this.#pulse = pulse;
    this.#current = loaded;
    this.#saved = loaded;
  }

  static async open(path: string, faults: Faults, pulse: Pulse): Promise<Memory> {
    const { memory, problem } = await pulse.during(SAVE_LIMIT_MS, loadMemory(path));
    if (problem !== undefined) faults.failed('memory', 'MEMORY_UNREADABLE', problem);
    return new Memory(path, faults, pulse, memory);
  }

  get current(): PublisherMemory {
    return this.#current;
  }

  /** Resolves when it is on disk, or when it could not be written: what counts now is in RAM, and the fault is published. */
  async update(changes: Partial<PublisherMemory>): Promise<void> {
    this.#current = { ...this.#current, ...changes };
    await this.settled();
  }

  /** Resolves as `update` does, for all updates so far. */
  async settled(): Promise<void> {
    if (this.#saving === undefined && this.#isSaved()) return;
    this.#saving ??= this.#save();
    await this.#saving;
  }

  #isSaved(): boolean {
    return JSON.stringify(this.#saved) === JSON.stringify(this.#current);
  }

  /** Entered when there is something to write: it must not end before it has been noted in `#saving`. */
  async #save(): Promise<void> {
    while (!this.#isSaved()) {
      const memory = this.#current;
      try {
        await this.#pulse.during(SAVE_LIMIT_MS, saveMemory(this.#path, memory));
        this.#saved = memory;
        this.#faults.works('memory');
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'MEMORY_UNWRITABLE';
        this.#faults.failed('memory', code, `cannot write ${this.#path}: ${(error as Error).message}`);
        break;
      }
    }
    this.#saving = undefined;
  }
}
