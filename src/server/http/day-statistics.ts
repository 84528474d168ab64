import type { LocalDay } from '../calendar/local-days.ts';
import type { Bucket, ReadingScope, ReadingStore } from '../store/reading-store.ts';
import type { Stay } from './room-stays.ts';
import type { DayStatistics } from './schemas/statistics.ts';
import type { Source } from './sources.ts';
import { isoTime, isoTimeOrNull } from './times.ts';
import { edgesWithin } from './zones.ts';

/** What a source gave on each of some days (at least one), which follow each other. */
export async function dayStatistics(
  store: ReadingStore,
  { kind, uid, scope }: Source,
  stays: readonly Stay[],
  days: readonly LocalDay[],
  nowMs: number,
): Promise<DayStatistics[]> {
  const edges = [...days.map(({ fromMs }) => fromMs), days.at(-1)?.toMs ?? 0];
  const buckets = await store.buckets(scope, edges);
  const expected = await expectedByDay(store, stays, days, nowMs);
  return Promise.all(
    days.map(async ({ name, fromMs, toMs }, index): Promise<DayStatistics> => {
      const { count = 0, temperature = null, humidity = null }: Partial<Bucket> = buckets[index] ?? {};
      const due = expected[index] ?? null;
      const [firstMs, lastMs] = count === 0 ? [null, null] : await endsOf(store, scope, fromMs, toMs);
      return {
        kind,
        uid,
        date: name,
        from: isoTime(fromMs),
        to: isoTime(toMs),
        received: count,
        expected: due,
        missing: due === null ? null : Math.max(0, due - count),
        first: isoTimeOrNull(firstMs),
        last: isoTimeOrNull(lastMs),
        temperature,
        humidity,
      };
    }),
  );
}

/**
 * What was due of all devices together, each for as long as it stood there; null on a day on which one stood there of which nobody
 * knows, or where nobody stood: then nothing can be said to be missing.
 */
async function expectedByDay(
  store: ReadingStore,
  stays: readonly Stay[],
  days: readonly LocalDay[],
  nowMs: number,
): Promise<readonly (number | null)[]> {
  const sums: (number | null | undefined)[] = days.map(() => undefined);
  for (const stay of stays) {
    const edges = edgesWithin([...days.map(({ fromMs }) => fromMs), days.at(-1)?.toMs ?? 0], stay);
    const due = await store.expected(stay.deviceUid, edges, nowMs);
    for (const [index, count] of due.entries()) {
      const day = days.findIndex(({ toMs }) => (edges[index] ?? toMs) < toMs);
      const sum = sums[day];
      sums[day] = count === null || sum === null ? null : (sum ?? 0) + count;
    }
  }
  return sums.map((sum) => sum ?? null);
}

async function endsOf(
  store: Pick<ReadingStore, 'readings'>,
  scope: ReadingScope,
  fromMs: number,
  toMs: number,
): Promise<readonly [firstMs: number | null, lastMs: number | null]> {
  const at = async (order: 'oldest-first' | 'newest-first'): Promise<number | null> =>
    (await store.readings({ scope, fromMs, toMs, order, limit: 1 })).readings[0]?.tsMs ?? null;
  return [await at('oldest-first'), await at('newest-first')];
}
