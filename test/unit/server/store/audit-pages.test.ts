import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor, isReadingCursor } from '../../../../src/server/store/sqlite/read/pages.ts';
import { createSqliteReader } from '../../../../src/server/store/sqlite/reader.ts';
import { StoreError } from '../../../../src/server/store/store.ts';
import { emptyDatabase, StoreRows } from '../../../support/store-rows.ts';

/** All pages of two, one after the other. */
function pages<Q extends object, P extends { readonly next?: string }>(
  ask: (query: Q & { limit: number; after?: string }) => P,
  query: Q,
): P[] {
  const found: P[] = [];
  for (let after: string | undefined; ; ) {
    const page = ask({ ...query, limit: 2, ...(after !== undefined && { after }) });
    found.push(page);
    if (page.next === undefined) return found;
    after = page.next;
  }
}

describe('pages of rejected messages', () => {
  const db = emptyDatabase();
  const insert = db.prepare(`INSERT INTO rejected
    (topic, device_uid, reason, detail, payload, payload_bytes, digest, first_ms, last_ms, count)
    VALUES ('home/h/sensors/d/reading', ?, ?, 'why', '{', 1, ?, ?, ?, 3)`);
  [
    ['d1', 'not-json'],
    ['d2', 'not-json'],
    ['d1', 'bad-time'],
    [null, 'bad-topic'],
    ['d1', 'not-json'],
  ].forEach(([deviceUid, reason], index) =>
    insert.run(deviceUid, reason, `digest ${index}`, 1000 + index, 2000 + index),
  );
  const { rejected } = createSqliteReader(db);
  const ids = (query: object): number[][] => pages(rejected, query).map((page) => page.rejected.map(({ id }) => id));

  it('come newest first, and end without a next', () => {
    expect(ids({})).toEqual([[5, 4], [3, 2], [1]]);
    expect(ids({ deviceUid: 'd2' })).toEqual([[2]]);
    expect(ids({ deviceUid: 'd1' })).toEqual([[5, 3], [1]]);
    expect(ids({ reason: 'not-json' })).toEqual([[5, 2], [1]]);
    expect(ids({ deviceUid: 'd1', reason: 'not-json' })).toEqual([[5, 1]]);
    expect(ids({ deviceUid: 'nobody' })).toEqual([[]]);
  });

  it('tell all about each', () => {
    expect(rejected({ limit: 1 }).rejected).toEqual([
      {
        id: 5,
        topic: 'home/h/sensors/d/reading',
        deviceUid: 'd1',
        reason: 'not-json',
        detail: 'why',
        payload: '{',
        payloadBytes: 1,
        firstMs: 1004,
        lastMs: 2004,
        count: 3,
      },
    ]);
  });
});

describe('pages of gaps', () => {
  const store = new StoreRows(emptyDatabase());
  const gap = (seq: number, deviceUid: string, tsMs: number, fromTsMs: number | null, toTsMs: number | null) =>
    store.gap({
      ...{ deviceUid, epoch: 'e1', seq, tsMs, ofEpoch: 'e0', fromSeq: 1, toSeq: 2, count: 2, reason: 'dropped' },
      ...{ fromTsMs, toTsMs },
    });
  gap(1, 'd1', 100, 10, 20);
  gap(2, 'd1', 100, 30, 40);
  gap(1, 'd2', 100, 30, 40);
  gap(3, 'd1', 90, null, null);
  gap(4, 'd1', 300, 50, null);
  const { gaps } = createSqliteReader(store.db);
  const shown = (query: object): string[][] =>
    pages(gaps, query).map((page) => page.gaps.map(({ deviceUid, seq }) => `${deviceUid} ${seq}`));

  it('come newest first, and end without a next', () => {
    expect(shown({})).toEqual([['d1 4', 'd2 1'], ['d1 2', 'd1 1'], ['d1 3']]);
    expect(shown({ deviceUid: 'd1' })).toEqual([
      ['d1 4', 'd1 2'],
      ['d1 1', 'd1 3'],
    ]);
  });

  it('touch the stretch that is asked for; an end that nobody knows may be anywhere', () => {
    expect(shown({ fromMs: 20, toMs: 30 })).toEqual([['d1 1', 'd1 3']]);
    expect(shown({ fromMs: 21, toMs: 31 })).toEqual([['d2 1', 'd1 2'], ['d1 3']]);
    expect(shown({ fromMs: 1000 })).toEqual([['d1 4', 'd1 3']]);
    expect(shown({ toMs: 10 })).toEqual([['d1 3']]);
  });
});

describe('the place at which a page ended', () => {
  it('is refused when it is none of ours', () => {
    const { readings, rejected, gaps } = createSqliteReader(emptyDatabase());
    const query = { scope: 'all', fromMs: 0, toMs: 9, order: 'oldest-first', limit: 1 } as const;
    const texts = ['', 'x', '1', encodeCursor([]), encodeCursor(['1', 'd', 'e', 1]), encodeCursor([1, 'a b', 'e', 1])];
    texts.push(encodeCursor([1, 'd', 'e', null]), encodeCursor([1, 'd', null, 1]), encodeCursor([1.5, 'd', 'e', 1]));
    texts.push(Buffer.from('{"__proto__":1,"length":4}').toString('base64url'), encodeCursor([1, 'd', 'e', -1]));
    for (const after of texts) {
      for (const ask of [
        () => readings({ ...query, after }),
        () => gaps({ limit: 1, after }),
        () => rejected({ limit: 1, after }),
      ]) {
        expect(ask).toThrow(expect.objectContaining({ code: 'INVALID' }));
        expect(ask).toThrow(StoreError);
      }
    }
  });

  it('holds names and times only, and is safe in a URL', () => {
    const store = new StoreRows(emptyDatabase());
    for (let seq = 1; seq <= 3; seq += 1)
      store.reading({ deviceUid: 'd-1_x', epoch: 'e1', seq, tsMs: 1_757_537_685_793 });
    const { next } = createSqliteReader(store.db).readings({
      ...{ scope: 'all', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, order: 'newest-first', limit: 2 },
    });
    expect(next).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(decodeCursor(next!, isReadingCursor)).toEqual([1_757_537_685_793, 'd-1_x', 'e1', 2]);
  });
});
