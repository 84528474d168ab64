import { isId } from '../../../../contract/topics.ts';
import { StoreError } from '../../store.ts';
import type { RoomStretch } from './scopes.ts';

/**
 * A place in a list, as text that is safe in a URL. It holds names and times, no internal number, and no state of the server: the
 * next page begins behind that place, whatever was added meanwhile.
 */
export type CursorPart = string | number | null;

export function encodeCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws StoreError INVALID when the text is not one that `encodeCursor` made of parts of these kinds */
export function decodeCursor<T extends readonly CursorPart[]>(text: string, isOurs: (parts: unknown) => parts is T): T {
  const parts = parsed(text);
  if (isOurs(parts)) return parts;
  throw new StoreError('INVALID', `"after" must be the "next" of the page before, found "${shortened(text)}"`);
}

/**
 * Cuts what was found down to one page. It was asked for one row more than `limit`: that one shows whether there is a next page, which
 * begins behind the last row of this one.
 */
export function cutToPage<Row>(
  found: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => readonly CursorPart[],
): { readonly rows: readonly Row[]; readonly more: { readonly next?: string } } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const hasMore = found.length > limit && last !== undefined;
  return { rows, more: hasMore ? { next: encodeCursor(cursorOf(last)) } : {} };
}

/** Time, device, epoch and number; the last two are null for readings without numbers. */
export type ReadingCursor = readonly [tsMs: number, deviceUid: string, epoch: string | null, seq: number | null];

export function isReadingCursor(parts: unknown): parts is ReadingCursor {
  if (!Array.isArray(parts) || parts.length !== 4) return false;
  const [tsMs, deviceUid, epoch, seq] = parts as readonly unknown[];
  if (!isTime(tsMs) || !isName(deviceUid)) return false;
  return epoch === null ? seq === null : isName(epoch) && isCount(seq);
}

/** Public number of a rejected message, or of one in quarantine. */
export type IdCursor = readonly [id: number];

export function isIdCursor(parts: unknown): parts is IdCursor {
  return Array.isArray(parts) && parts.length === 1 && isCount(parts[0]);
}

/** Time, device, epoch and number of a gap record. */
export type GapCursor = readonly [tsMs: number, deviceUid: string, epoch: string, seq: number];

export function isGapCursor(parts: unknown): parts is GapCursor {
  return isReadingCursor(parts) && parts[2] !== null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isCount(value: unknown): value is number {
  return isTime(value) && value >= 0;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && isId(value);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** What comes first, again and again, while the first one changes its place: a binary heap. */
export interface Heap<T> {
  first(): T | undefined;
  /** The first one now comes later. */
  firstMoved(): void;
  removeFirst(): void;
}

/** Takes the array over. */
export function createHeap<T>(items: T[], comesBefore: (a: T, b: T) => boolean): Heap<T> {
  const sink = (from: number): void => {
    const item = items[from];
    if (item === undefined) return;
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      const child = earlier(left, left + 1);
      const candidate = items[child];
      if (candidate === undefined || !comesBefore(candidate, item)) break;
      items[at] = candidate;
      at = child;
    }
    items[at] = item;
  };
  const earlier = (left: number, right: number): number => {
    const [a, b] = [items[left], items[right]];
    return a !== undefined && b !== undefined && comesBefore(b, a) ? right : left;
  };

  for (let index = (items.length >>> 1) - 1; index >= 0; index -= 1) sink(index);
  return {
    first: () => items[0],
    firstMoved: () => sink(0),
    removeFirst() {
      const last = items.pop();
      if (last === undefined || items.length === 0) return;
      items[0] = last;
      sink(0);
    },
  };
}

/** A place in one device's readings; rows lie behind it, in the direction of reading. */
export type Place = readonly [tsMs: number, epochId: number, seq: number];

/** A row begins with its place. */
type Row = readonly [tsMs: number, epochId: number, seq: number, ...rest: number[]];

export interface Merge<R extends Row> {
  readonly stretches: readonly RoomStretch[];
  readonly isNewestFirst: boolean;
  /** Where to go on in a device's readings; absent: from the beginning. */
  readonly start: ((deviceUid: string) => Place) | undefined;
  /** At most `count` rows of a stretch behind a place, in order. */
  readonly read: (stretch: RoomStretch, place: Place, count: number) => R[];
  /** More rows than this are not wanted. */
  readonly limit: number;
}

interface Source<R> {
  readonly stretch: RoomStretch;
  /** What was read of it and not yet given. */
  rows: readonly R[];
  given: number;
  /** The next row is at this time, or not before it while nothing has been read. */
  tsMs: number;
  /** Where reading begins. */
  readonly place: Place;
  isRead: boolean;
  chunk: number;
}

/** What is read at first of each of many stretches is multiplied by this whenever it did not suffice. */
const CHUNK_GROWTH = 4;

/**
 * The rows of several stretches in order of time, then device. A stretch is not looked at before its turn comes, and read in
 * chunks: neither a thousand devices nor a long stretch are read in full for one page.
 */
export function* mergeStretches<R extends Row>(merge: Merge<R>): Generator<{ stretch: RoomStretch; row: R }> {
  const sources = merge.stretches.flatMap((stretch) => sourceOf(stretch, merge));
  const heap = createHeap(sources, merge.isNewestFirst ? newerFirst : olderFirst);
  let left = merge.limit;
  for (let source = heap.first(); source !== undefined && left > 0; source = heap.first()) {
    const row = source.isRead ? source.rows[source.given] : undefined;
    if (row === undefined) {
      readOn(source, merge, left);
      if (source.rows.length === 0) heap.removeFirst();
      else heap.firstMoved();
      continue;
    }
    yield { stretch: source.stretch, row };
    left -= 1;
    source.given += 1;
    const next = source.rows[source.given];
    if (next === undefined && source.rows.length < source.chunk) heap.removeFirst();
    else {
      source.isRead = next !== undefined;
      source.tsMs = (next ?? row)[0];
      heap.firstMoved();
    }
  }
}

function sourceOf<R extends Row>(stretch: RoomStretch, { stretches, isNewestFirst, start, limit }: Merge<R>) {
  const edge: Place = [isNewestFirst ? stretch.toMs : stretch.fromMs, -1, -1];
  const place = start === undefined ? edge : later(edge, start(stretch.deviceUid), isNewestFirst);
  if (isNewestFirst ? place[0] < stretch.fromMs : place[0] >= stretch.toMs) return [];
  const chunk = Math.min(limit, Math.ceil(limit / stretches.length) + 1);
  const source: Source<R> = { stretch, rows: [], given: 0, tsMs: place[0], place, isRead: false, chunk };
  return [source];
}

function readOn<R extends Row>(source: Source<R>, { read }: Merge<R>, left: number): void {
  if (source.given > 0) source.chunk *= CHUNK_GROWTH;
  source.chunk = Math.min(source.chunk, left);
  const last = source.rows.at(-1);
  const place: Place = last === undefined ? source.place : [last[0], last[1], last[2]];
  source.rows = read(source.stretch, place, source.chunk);
  source.given = 0;
  source.isRead = true;
  source.tsMs = source.rows[0]?.[0] ?? source.tsMs;
}

/** Of two places the one that comes later in the direction of reading. */
function later(a: Place, b: Place, isNewestFirst: boolean): Place {
  const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
  return order > 0 === isNewestFirst ? b : a;
}

function olderFirst<R>(a: Source<R>, b: Source<R>): boolean {
  if (a.tsMs !== b.tsMs) return a.tsMs < b.tsMs;
  // One that has not been read may have a row at this time or later: it has to be read to know.
  if (a.isRead !== b.isRead) return !a.isRead;
  return a.stretch.deviceUid < b.stretch.deviceUid;
}

function newerFirst<R>(a: Source<R>, b: Source<R>): boolean {
  if (a.tsMs !== b.tsMs) return a.tsMs > b.tsMs;
  if (a.isRead !== b.isRead) return !a.isRead;
  return a.stretch.deviceUid > b.stretch.deviceUid;
}
