import { bucketEdges } from '../calendar/bucket-edges.ts';
import type { Bucket, ReadingScope, ReadingStore } from '../store/reading-store.ts';
import type { TimeRange } from './time-range.ts';
import { edgesWithin } from './zones.ts';

/** Buckets looked at in one go: three weeks of hours. */
const STRETCH_BUCKETS = 512;
const SIZE_MS = { '1h': 3_600_000, '1d': 86_400_000 } as const;

export interface NewestBucketsQuery {
  readonly scope: ReadingScope;
  readonly range: TimeRange;
  readonly size: keyof typeof SIZE_MS;
  readonly timeZone: string;
  readonly limit: number;
}

/**
 * The newest buckets that hold a reading, newest first, at most `limit`; `nextMs` where there are more: the end of the range for the
 * next page. Looks backwards stretch by stretch, so that a short page of a long record is cheap.
 */
export async function newestBuckets(
  store: Pick<ReadingStore, 'buckets' | 'extent'>,
  { scope, range, size, timeZone, limit }: NewestBucketsQuery,
): Promise<{ readonly buckets: readonly Bucket[]; readonly nextMs?: number }> {
  const extent = await store.extent(scope);
  if (extent === undefined) return { buckets: [] };
  const fromMs = Math.max(range.fromMs, extent.fromMs);
  const buckets: Bucket[] = [];
  let endMs = Math.min(range.toMs, extent.toMs + 1);
  while (endMs > fromMs && buckets.length <= limit) {
    const startMs = Math.max(fromMs, endMs - STRETCH_BUCKETS * SIZE_MS[size]);
    const edges = bucketEdges({ fromMs: startMs, toMs: endMs, bucket: size, timeZone });
    const stretch = { fromMs: Math.max(range.fromMs, edges[0] ?? startMs), toMs: endMs };
    const found = await store.buckets(scope, edgesWithin(edges, stretch));
    buckets.push(...found.filter(({ count }) => count > 0).reverse());
    endMs = stretch.fromMs;
  }
  const last = buckets[limit - 1];
  const hasMore = buckets.length > limit && last !== undefined;
  return { buckets: buckets.slice(0, limit), ...(hasMore && { nextMs: last.fromMs }) };
}
