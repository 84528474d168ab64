import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { bucketEdges } from '../../calendar/buckets.ts';
import { isTimeZone } from '../../calendar/zones.ts';
import type { Bucket, CatalogueStore, ReadingScope, ReadingStore } from '../store/store.ts';
import { deviceNotFound, invalidField, roomNotFound } from './errors.ts';
import { MAX_SOURCES } from './schemas/readings.ts';

type Catalogue = Pick<CatalogueStore, 'device' | 'room'>;

/** A device, a room, or all of the record. @throws ApiError when both are named, or what is named does not exist */
export async function scopeOf(
  store: Catalogue,
  { device, room }: { readonly device?: string; readonly room?: string },
): Promise<ReadingScope> {
  if (device !== undefined && room !== undefined) {
    throw invalidField('room', 'cannot be asked for together with "device"; ask twice, or leave both away for all');
  }
  if (device !== undefined) {
    if ((await store.device(device)) === undefined) throw deviceNotFound(device);
    return { deviceUid: device };
  }
  if (room !== undefined) {
    if ((await store.room(room)) === undefined) throw roomNotFound(room);
    return { roomUid: room };
  }
  return 'all';
}

/** A device or room whose values were asked for. */
export interface Source {
  readonly kind: 'device' | 'room';
  readonly uid: string;
  readonly name: string | null;
  readonly scope: ReadingScope;
}

export interface SourcesQuery {
  readonly device?: readonly string[];
  readonly room?: readonly string[];
}

/**
 * Devices, then rooms, each as often as it was named but once; where none was named, all devices that are neither refused nor removed.
 * @throws ApiError for the first that does not exist, and when there are too many
 */
export async function sourcesOf(
  store: CatalogueStore,
  { device = [], room = [] }: SourcesQuery,
): Promise<readonly Source[]> {
  const sources = device.length + room.length === 0 ? await allDevices(store) : await named(store, device, room);
  if (sources.length > MAX_SOURCES) {
    throw invalidField(
      'device',
      `and "room" may name ${MAX_SOURCES} sources at once, found ${sources.length}; ask in turns`,
    );
  }
  return sources;
}

async function named(
  store: CatalogueStore,
  devices: readonly string[],
  rooms: readonly string[],
): Promise<readonly Source[]> {
  const ofDevices = [...new Set(devices)].map(async (uid) => {
    const device = await store.device(uid);
    if (device === undefined) throw deviceNotFound(uid);
    return deviceSource(uid, device.label);
  });
  const ofRooms = [...new Set(rooms)].map(async (uid): Promise<Source> => {
    const room = await store.room(uid);
    if (room === undefined) throw roomNotFound(uid);
    return { kind: 'room', uid, name: room.name, scope: { roomUid: uid } };
  });
  return Promise.all([...ofDevices, ...ofRooms]);
}

async function allDevices(store: CatalogueStore): Promise<readonly Source[]> {
  const devices = await store.devices();
  return devices.filter(({ state }) => state !== 'refused').map(({ uid, label }) => deviceSource(uid, label));
}

function deviceSource(uid: string, name: string | null): Source {
  return { kind: 'device', uid, name, scope: { deviceUid: uid } };
}

/** `2026-01-31`, `2026-01-31T12:00Z`, `2026-01-31T12:00:00.123+05:30`; a `+` that a URL turned into a space is forgiven. */
const ISO_TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+ -]\d\d:?\d\d))?$/;

/** Epoch milliseconds: 0, or from 1970-04-26 on. Fewer digits are a year or epoch seconds: hardly what was meant. */
const EPOCH_MS = /^(?:0|\d{11,14})$/;

/** Epoch milliseconds of a time in a question. @throws ApiError VALIDATION that names the field */
export function parseTime(field: string, text: string): number {
  if (EPOCH_MS.test(text)) return Number(text);
  const [, day, time = '00:00', zone = 'Z'] = ISO_TIME.exec(text) ?? [];
  const offset = zone.replace(' ', '+').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${offset}`);
  if (Number.isNaN(ms) || !dayExists(day)) {
    throw invalidField(
      field,
      `must be a time such as 2026-01-31T12:00:00Z, 2026-01-31T12:00:00%2B01:00 or 1769860800000 (epoch milliseconds), found ${JSON.stringify(text)}`,
    );
  }
  return ms;
}

/** A time as the older API took it: without a zone it is UTC, as in the container that the older server came in. */
export function withZone(text: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?$/.test(text) ? `${text}Z` : text;
}

/** ISO 8601, UTC, with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

/** Date.parse turns 30 February into 2 March. */
function dayExists(day: string | undefined): boolean {
  if (day === undefined) return false;
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/** From `fromMs` (included) to `toMs` (not). */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface RangeQuery {
  readonly from?: string;
  readonly to?: string;
}

/**
 * The stretch of time that a question names; a missing `to` is now, a missing `from` what `defaultFrom` makes of the end.
 * @throws ApiError VALIDATION when a time cannot be read, or the stretch ends before it begins
 */
export function parseRange(
  query: RangeQuery,
  nowMs: number,
  defaultFrom: (toMs: number) => number = () => 0,
): TimeRange {
  const toMs = query.to === undefined ? nowMs : parseTime('to', query.to);
  const fromMs = query.from === undefined ? defaultFrom(toMs) : parseTime('from', query.from);
  if (fromMs > toMs) {
    const end = query.to === undefined ? `now, ${isoTime(toMs)}, as "to" is absent` : `"to", ${isoTime(toMs)}`;
    throw invalidField('from', `is ${isoTime(fromMs)}, which is after ${end}`);
  }
  return { fromMs, toMs };
}

/** Edges of a calendar cost a look per day of the range, which a range of 8,000 years would make a long wait for everybody. */
const LONGEST_RANGE_MS = 100 * 366 * 86_400_000;

/** `+05:30`: newer versions of Node.js take it for a zone, older ones do not, and it knows no daylight-saving time. */
const OFFSET = /^\s*[+-]?\d/;

/** The zone asked for, else the house's. @throws ApiError VALIDATION when there is no such zone */
export function checkedTimeZone(asked: string | undefined, houseZone: string): string {
  if (asked === undefined || isTimeZone(asked)) return asked ?? houseZone;
  throw invalidField(
    'tz',
    `must be the IANA name of a time zone such as Europe/Brussels${OFFSET.test(asked) ? ', and not an offset' : ''}, found ${JSON.stringify(asked)}`,
  );
}

/** @throws ApiError VALIDATION when the range is too long to be cut into buckets or days */
export function checkedCalendarRange(range: TimeRange): TimeRange {
  if (range.toMs - range.fromMs <= LONGEST_RANGE_MS) return range;
  throw invalidField(
    'from',
    `must be at most 100 years before "to", found ${isoTime(range.fromMs)} to ${isoTime(range.toMs)}`,
  );
}

/** Edges of whole buckets, cut to a range, so that a bucket holds nothing from outside of it. */
export function edgesWithin(edgesMs: readonly number[], { fromMs, toMs }: TimeRange): readonly number[] {
  return [...new Set(edgesMs.map((edge) => Math.min(toMs, Math.max(fromMs, edge))))];
}

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
