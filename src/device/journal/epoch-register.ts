import { dirname } from 'node:path';
import type { Gap } from '../../contract/reading.ts';
import { type JournalFs, readText, writeText } from './journal-fs.ts';

/** In the state directory. */
export const JOURNAL_REGISTER_FILE = 'journal-epochs.json';
/** Where it cannot be written it is tried again after so long, not with each reading. */
const RETRY_MS = 60_000;

/** An epoch that is, or should be, under a journal's path. */
export interface RegisteredEpoch {
  readonly deviceUid: string;
  readonly epoch: string;
  /** The journal's path. */
  readonly path: string;
  /** `memory`: it stands in for the disk, and ends with the process. */
  readonly place: 'disk' | 'memory';
  /** Everything up to this number was released when it was noted. */
  readonly releasedTo: number;
  /** Highest number given; absent while more are given. */
  readonly lastSeq?: number;
  /** How many entries waited when it was closed; absent while it is open. */
  readonly unreleased?: number;
}

/**
 * Remembers outside the journal's folder which epochs there are, so that a start knows what is missing when the folder was
 * removed meanwhile. Written when an epoch or a segment begins or goes, at a start and at a stop: never for a reading.
 */
export class EpochRegister {
  readonly #fs: JournalFs;
  readonly #path: string;
  readonly #monotonicMs: () => number;
  /** Of an earlier run, and not found yet. */
  #earlier: readonly RegisteredEpoch[] = [];
  #noted = '';
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(fs: JournalFs, path: string, monotonicMs: () => number) {
    this.#fs = fs;
    this.#path = path;
    this.#monotonicMs = monotonicMs;
  }

  /** Reads what an earlier run noted. */
  async open(): Promise<void> {
    this.#earlier = await readRegister(this.#fs, this.#path);
  }

  /** Journal paths that an earlier run used. */
  paths(): readonly string[] {
    return [...new Set(this.#earlier.map(({ path }) => path))];
  }

  /** What an earlier run left and is not there now; paths that cannot be looked into are not judged. */
  missing(
    present: () => readonly RegisteredEpoch[],
    isReachable: (path: string) => boolean,
  ): readonly RegisteredEpoch[] {
    if (this.#earlier.length === 0) return [];
    const there = present();
    this.#earlier = this.#earlier.filter((one) => !there.some((other) => isSame(one, other)));
    return this.#earlier.filter(({ path }) => isReachable(path));
  }

  /** A gap record tells of it, or there is nothing to tell. */
  settled(epoch: RegisteredEpoch): void {
    this.#earlier = this.#earlier.filter((other) => other !== epoch);
  }

  /**
   * Notes the epochs that are there, when `change` is not what it was. @returns whether they are on disk
   * @throws JournalError when the disk does not take them, once in a while
   */
  async note(change: string, epochs: () => readonly RegisteredEpoch[]): Promise<boolean> {
    const key = [change, ...this.#earlier.map(({ epoch }) => epoch)].join(' ');
    if (key === this.#noted) return true;
    if (this.#monotonicMs() < this.#retryAtMs) return false;
    try {
      await this.#fs.makeDirectory(dirname(this.#path));
      await writeText(this.#fs, this.#path, `${JSON.stringify([...epochs(), ...this.#earlier], undefined, 1)}\n`);
      this.#noted = key;
      this.#retryAtMs = Number.NEGATIVE_INFINITY;
      return true;
    } catch (error) {
      this.#retryAtMs = this.#monotonicMs() + RETRY_MS;
      throw error;
    }
  }
}

/** What the register says; one that is not there or not readable knows nothing. */
export async function readRegister(fs: JournalFs, path: string): Promise<readonly RegisteredEpoch[]> {
  try {
    const content: unknown = JSON.parse(await readText(fs, path));
    return Array.isArray(content) ? content.filter(isRegistered) : [];
  } catch {
    return [];
  }
}

/** Whether something in it may wait for its release. */
export function mayHoldReadings({ releasedTo, lastSeq, unreleased }: RegisteredEpoch): boolean {
  return unreleased !== 0 && (lastSeq === undefined || lastSeq > releasedTo);
}

/** What is gone with an epoch; undefined where everything had been released. */
export function gapOfMissing(missing: RegisteredEpoch): Gap | undefined {
  const { epoch: ofEpoch, releasedTo, lastSeq, unreleased } = missing;
  const reason = missing.place === 'memory' ? 'lost-in-memory' : 'damaged';
  if (!mayHoldReadings(missing)) return undefined;
  return {
    ofEpoch,
    from: releasedTo + 1,
    ...(lastSeq !== undefined && { to: lastSeq }),
    ...(unreleased !== undefined && { count: unreleased }),
    reason,
  };
}

function isSame(one: RegisteredEpoch, other: RegisteredEpoch): boolean {
  return one.deviceUid === other.deviceUid && one.epoch === other.epoch;
}

function isRegistered(value: unknown): value is RegisteredEpoch {
  if (typeof value !== 'object' || value === null) return false;
  const { deviceUid, epoch, path, place, releasedTo, lastSeq, unreleased } = value as Record<string, unknown>;
  return (
    typeof deviceUid === 'string' &&
    typeof epoch === 'string' &&
    typeof path === 'string' &&
    (place === 'disk' || place === 'memory') &&
    isCount(releasedTo) &&
    (lastSeq === undefined || isCount(lastSeq)) &&
    (unreleased === undefined || isCount(unreleased))
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
