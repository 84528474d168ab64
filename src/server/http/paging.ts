import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { bucketEdges } from '../../calendar/buckets.ts';
import type { Bucket, ReadingScope, ReadingStore } from '../store/store.ts';
import { edgesWithin, type TimeRange } from './query.ts';

/**
 * Says where the next page is, for clients that follow links (RFC 8288). The target is relative to the request's own URL, so that it
 * holds behind any proxy and prefix.
 */
export function linkNextPage(request: FastifyRequest, reply: FastifyReply, next: string | undefined): void {
  if (next === undefined) return;
  const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '');
  query.set('after', next);
  void reply.header('link', `<?${query.toString()}>; rel="next"`);
}

/** What an answer that is no JSON says of itself in the document. */
export function streamed(description: string, contentTypes: readonly string[]) {
  const content = Object.fromEntries(contentTypes.map((type) => [type, { schema: Type.String() }]));
  return Type.Unsafe<Readable>({ description, content });
}

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
