import type {
  Journal,
  JournalSet,
  NewReading,
  Placed,
  ReadingEntry,
  Settlement,
} from '../../src/device/journal/journal.ts';
import type { Live } from '../../src/platform/live.ts';
import type { Log } from '../../src/platform/log.ts';
import type { Progress } from '../../src/platform/systemd.ts';

/** A log that keeps its lines. */
export function recordingLog(): Log & { readonly lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A progress that keeps the budgets named by its beats. */
export function recordingProgress(): Progress & { readonly beats: number[] } {
  const beats: number[] = [];
  return { beats, beat: (withinMs) => void beats.push(withinMs), end: () => undefined };
}

/** A live value that the test changes with `set`. */
export function testLive<T>(initial: T): Live<T> & { set(value: T): void } {
  let current = initial;
  let version = 0;
  let waiters: (() => void)[] = [];
  return {
    get current() {
      return current;
    },
    get version() {
      return version;
    },
    async changed(sinceVersion, signal) {
      if (version > sinceVersion) return;
      await new Promise<void>((resolve, reject) => {
        const aborted = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', aborted, { once: true });
        waiters.push(() => {
          signal.removeEventListener('abort', aborted);
          resolve();
        });
      });
    },
    set(value) {
      current = value;
      version += 1;
      const waking = waiters;
      waiters = [];
      for (const wake of waking) wake();
    },
  };
}

/** The sampler's and clock keeper's side of a journal set: keeps what it was given, in an array. */
export function arrayJournals(): Pick<JournalSet, 'append' | 'settle' | 'pendingBootIds'> & {
  readonly readings: ReadingEntry[];
  readonly settlements: Settlement[];
} {
  const readings: ReadingEntry[] = [];
  const settlements: Settlement[] = [];
  const journal = { deviceUid: 'aht20-test', epoch: 'epoch1', durable: false } as unknown as Journal;
  return {
    readings,
    settlements,
    append: async (reading: NewReading): Promise<Placed<ReadingEntry>> => {
      const entry: ReadingEntry = { ...reading, kind: 'reading', seq: readings.length + 1 };
      readings.push(entry);
      return await Promise.resolve({ journal, entry });
    },
    settle: async (settlement) => {
      settlements.push(settlement);
      let count = 0;
      readings.forEach((entry, index) => {
        if (entry.stamp.state !== 'pending' || entry.bootId !== settlement.bootId) return;
        const offset = settlement.wallMinusMonotonicMs;
        const tsMs = offset === 'as-stamped' ? entry.stamp.tsMs : Math.round(entry.monotonicMs + offset);
        readings[index] = { ...entry, stamp: { state: settlement.state, tsMs } };
        count += 1;
      });
      return await Promise.resolve(count);
    },
    pendingBootIds: () => [...new Set(readings.filter((e) => e.stamp.state === 'pending').map((e) => e.bootId))],
  };
}
