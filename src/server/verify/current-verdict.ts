import type { Clock } from '../../platform/clock.ts';
import { createFaultLog } from '../../platform/fault-log.ts';
import type { Log } from '../../platform/log.ts';
import type { TimeRange } from '../store/audit-store.ts';
import type { Store } from '../store/store.ts';
import type { DeviceVerdict } from './explain.ts';
import { createNumbersReader, type NumbersReader } from './numbers.ts';
import { emptySum, type Sum, withVerdict } from './sum.ts';
import { verdictOf } from './verdict.ts';

/** The verdict about the whole record, as of an instant. */
export interface RecordVerdict {
  /** When it was begun. */
  readonly checkedMs: number;
  readonly recordBeganMs: number | null;
  readonly devices: readonly JudgedDevice[];
  readonly sum: Sum;
}

export interface JudgedDevice {
  readonly deviceUid: string;
  /** Undefined: its record could not be judged beside the service's work; `techtemp-server verify` can. */
  readonly verdict: DeviceVerdict | undefined;
  /** When readings without numbers were taken. */
  readonly unnumberedTimes: readonly TimeRange[];
}

export interface CurrentVerdict {
  /** The newest verdict, however old; costs nothing. Undefined until the first one is there. */
  current(): RecordVerdict | undefined;
  /** One that is not older than `maxAgeMs`, if it can be had within `limitMs`; else the newest. */
  ask(maxAgeMs: number, limitMs: number): Promise<RecordVerdict | undefined>;
  /** Keeps it fresh until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** For those who look at no page: what /ready and the metrics say is at most this old. */
const ROUTINE_MS = 600_000;
/** After the start the service has more urgent work. */
const FIRST_AFTER_MS = 5_000;

/** Gives the verdict beside the service's work: one at a time, in steps, and no more often than it is asked for. */
export function createCurrentVerdict(parts: {
  readonly store: Pick<Store, 'devices' | 'numbersPart' | 'recordBegan'>;
  readonly clock: Clock;
  readonly log: Log;
}): CurrentVerdict {
  const { store, clock, log } = parts;
  const faults = createFaultLog(log, clock);
  let readers = new Map<string, NumbersReader>();
  let newest: RecordVerdict | undefined;
  let newestMonotonicMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | undefined;

  const judge = async (signal: AbortSignal): Promise<void> => {
    const [checkedMs, beganMs] = [clock.nowMs(), clock.monotonicMs()];
    const devices = await store.devices({ withRemoved: true });
    const recordBeganMs = await store.recordBegan();
    const known = new Map(
      // A device that was deleted and came again is another one.
      devices.map(({ uid, createdMs }) => {
        const key = `${uid} ${createdMs}`;
        return [key, readers.get(key) ?? createNumbersReader(store, uid)];
      }),
    );
    readers = known;
    const judged: JudgedDevice[] = [];
    let sum = emptySum(checkedMs);
    for (const device of devices) {
      signal.throwIfAborted();
      const numbers = await known.get(`${device.uid} ${device.createdMs}`)?.read(signal);
      const options = { strict: false, recordBeganMs };
      const verdict = numbers && verdictOf(device, numbers, options);
      if (verdict !== undefined) sum = withVerdict(sum, verdict);
      else sum = { ...sum, devices: sum.devices + 1, outcome: sum.outcome === 'faulty' ? 'faulty' : 'unknown' };
      judged.push({ deviceUid: device.uid, verdict, unnumberedTimes: numbers?.unnumberedTimes ?? [] });
    }
    newest = { checkedMs, recordBeganMs, devices: judged, sum };
    newestMonotonicMs = beganMs;
  };
  const closing = new AbortController();
  const refresh = (): Promise<void> => {
    underWay ??= judge(closing.signal)
      .then(
        () => faults.works({}, 'the record can be judged again'),
        (error: unknown) => {
          if (closing.signal.aborted) return;
          const { message } = error as Error;
          faults.failed('verdict', { error }, `the record could not be judged: ${message}`);
        },
      )
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };

  return {
    current: () => newest,
    async ask(maxAgeMs, limitMs) {
      if (clock.monotonicMs() - newestMonotonicMs <= maxAgeMs) return newest;
      const end = new AbortController();
      const late = clock.sleep(limitMs, end.signal).catch(() => undefined);
      await Promise.race([refresh(), late]);
      end.abort();
      return newest;
    },
    async run(signal) {
      signal.addEventListener('abort', () => closing.abort(signal.reason), { once: true });
      await clock.sleep(FIRST_AFTER_MS, signal);
      for (;;) {
        await refresh();
        await clock.sleep(ROUTINE_MS, signal);
      }
    },
  };
}
