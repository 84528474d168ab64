import type { ReadingStore } from '../store/store.ts';
import type { DeviceVerdict } from './explain.ts';

/** Times of readings, by epoch and number. */
export type KnownTimes = ReadonlyMap<string, number>;

const PAGE_READINGS = 5_000;

/** What a hole lies between: the numbers before and behind it, for as many holes as are going to be shown. */
export function neighboursOf({ epochs }: DeviceVerdict, maxHoles: number): ReadonlySet<string> {
  const shown = epochs.flatMap(({ epoch, holes }) => holes.slice(0, maxHoles).map((hole) => ({ epoch, hole })));
  return new Set(
    shown.flatMap(({ epoch, hole: { missing } }) => {
      const [from, to] = [missing[0]?.[0] ?? 1, missing.at(-1)?.[1] ?? 1];
      return [numberKey(epoch, from - 1), numberKey(epoch, to + 1)];
    }),
  );
}

export function numberKey(epoch: string, seq: number): string {
  return `${epoch}/${seq}`;
}

/** Looks the times of some readings up, in one pass over the epochs that hold them, a page at a time. */
export async function timesOf(
  store: Pick<ReadingStore, 'readings'>,
  verdict: DeviceVerdict,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<KnownTimes> {
  const known = new Map<string, number>();
  const holding = verdict.epochs.filter(({ holes }) => holes.length > 0);
  const fromMs = Math.min(...holding.map((epoch) => epoch.fromMs ?? Infinity));
  const toMs = Math.max(...holding.map((epoch) => epoch.toMs ?? -Infinity)) + 1;
  if (wanted.size === 0 || !Number.isFinite(fromMs)) return known;
  let after: string | undefined;
  do {
    signal.throwIfAborted();
    const page = await store.readings({
      scope: { deviceUid: verdict.deviceUid },
      fromMs,
      toMs,
      order: 'oldest-first',
      limit: PAGE_READINGS,
      ...(after !== undefined && { after }),
    });
    for (const { epoch, seq, tsMs } of page.readings) {
      const key = epoch === null || seq === null ? '' : numberKey(epoch, seq);
      if (wanted.has(key)) known.set(key, tsMs);
    }
    after = page.next;
  } while (after !== undefined && known.size < wanted.size);
  return known;
}
