import { createHeap } from './heap.ts';
import type { RoomStretch } from './scopes.ts';

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
