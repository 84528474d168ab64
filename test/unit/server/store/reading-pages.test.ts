import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSqliteReader, type SqliteReader } from '../../../../src/server/store/sqlite/reader.ts';
import type { ReadingQuery, ReadingScope } from '../../../../src/server/store/store.ts';
import type { StoredReading } from '../../../../src/server/store/stored.ts';
import { cases } from '../../../support/cases.ts';
import { emptyDatabase, StoreRows } from '../../../support/store-rows.ts';

type Question = Omit<ReadingQuery, 'after'>;

describe('pages of readings', () => {
  it('give what a model gives, for any readings, moves, scope, order and size of page', () => {
    fc.assert(
      fc.property(world, question, (rows, asked) => {
        const db = emptyDatabase();
        const store = new StoreRows(db);
        for (const uid of ['d1', 'd2', 'd3']) store.device(uid);
        for (const { deviceUid, roomUid, fromMs, toMs } of rows.placements) {
          store.placement(deviceUid, roomUid, fromMs, toMs);
        }
        for (const reading of rows.readings) store.reading(reading);
        expect(everyPage(createSqliteReader(db), asked)).toEqual(model(rows, asked));
        db.close();
      }),
      { seed: 20261121, numRuns: cases(40, 200) },
    );
  });

  it('keep the order of devices where many readings of one have the same time, and are read in two goes', () => {
    for (const order of ['oldest-first', 'newest-first'] as const) {
      const [many, one] = order === 'oldest-first' ? ['d1', 'd2'] : ['d2', 'd1'];
      const store = new StoreRows(emptyDatabase());
      for (let seq = 1; seq <= 8; seq += 1) store.reading({ deviceUid: many, epoch: 'e1', seq, tsMs: 50 });
      store.reading({ deviceUid: one, epoch: 'e1', seq: 1, tsMs: 50 });
      const query = { scope: 'all', fromMs: 0, toMs: 100, order, limit: 9 } as const;
      const uids = createSqliteReader(store.db)
        .readings(query)
        .readings.map(({ deviceUid: uid }) => uid);
      expect(uids).toEqual([...Array.from({ length: 8 }, () => many), one]);
    }
  });
});

/** All pages, one after the other; each but the last is full. */
function everyPage(reader: SqliteReader, asked: Question): string[] {
  const lines: string[] = [];
  let after: string | undefined;
  do {
    const page = reader.readings(after === undefined ? asked : { ...asked, after });
    if (page.next !== undefined) expect(page.readings).toHaveLength(asked.limit);
    lines.push(...page.readings.map(shown));
    after = page.next;
  } while (after !== undefined);
  return lines;
}

function shown({ tsMs, deviceUid, epoch, seq, roomUid }: StoredReading): string {
  return [tsMs, deviceUid, epoch, seq, roomUid].join(' ');
}

function model({ readings, placements }: World, { scope, fromMs, toMs, order }: Question): string[] {
  const found = readings
    .map((reading) => {
      const placement = placements.find(
        (each) =>
          each.deviceUid === reading.deviceUid &&
          each.fromMs <= reading.tsMs &&
          (each.toMs === null || reading.tsMs < each.toMs),
      );
      return { ...reading, roomUid: placement?.roomUid ?? null };
    })
    .filter(({ tsMs }) => tsMs >= fromMs && tsMs < toMs)
    .filter(({ deviceUid, roomUid }) => {
      if (scope === 'all') return true;
      return 'deviceUid' in scope ? deviceUid === scope.deviceUid : roomUid === scope.roomUid;
    })
    .sort(
      (a, b) => a.tsMs - b.tsMs || (a.deviceUid < b.deviceUid ? -1 : a.deviceUid > b.deviceUid ? 1 : a.seq - b.seq),
    );
  if (order === 'newest-first') found.reverse();
  return found.map(({ tsMs, deviceUid, epoch, seq, roomUid }) => [tsMs, deviceUid, epoch, seq, roomUid].join(' '));
}

interface World {
  readonly readings: readonly { deviceUid: string; tsMs: number; epoch: string; seq: number }[];
  readonly placements: readonly { deviceUid: string; roomUid: string; fromMs: number; toMs: number | null }[];
}

const deviceUid = fc.constantFrom('d1', 'd2', 'd3');
// Few moments for many readings: devices share most of them.
const time = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 18, max: 24 }));
const moves = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 5 }),
    fc.array(fc.constantFrom('r1', 'r2', ''), { minLength: 5, maxLength: 5 }),
  )
  .map(([times, rooms]) => {
    const sorted = [...times].sort((a, b) => a - b);
    return sorted.map((fromMs, index) => ({ fromMs, toMs: sorted[index + 1] ?? null, roomUid: rooms[index]! }));
  });
const world: fc.Arbitrary<World> = fc.record({
  readings: fc
    .uniqueArray(fc.record({ deviceUid, tsMs: time, seq: fc.integer({ min: 1, max: 6 }) }), {
      maxLength: 120,
      selector: ({ deviceUid: uid, tsMs, seq }) => `${uid} ${tsMs} ${seq}`,
    })
    .map((rows) => rows.map((row) => ({ ...row, epoch: 'e1' }))),
  placements: fc
    .tuple(moves, moves, moves)
    .map((all) =>
      all
        .flatMap((each, index) => each.map((move) => ({ ...move, deviceUid: `d${index + 1}` })))
        .filter((each) => each.roomUid !== ''),
    ),
});
const scope: fc.Arbitrary<ReadingScope> = fc.constantFrom<ReadingScope>(
  'all',
  { deviceUid: 'd1' },
  { deviceUid: 'nobody' },
  { roomUid: 'r1' },
  { roomUid: 'r2' },
  { roomUid: 'nowhere' },
);
const question: fc.Arbitrary<Question> = fc.record({
  scope,
  fromMs: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 16, max: 22 })),
  toMs: fc.integer({ min: 20, max: 70 }),
  order: fc.constantFrom('oldest-first', 'newest-first'),
  limit: fc.integer({ min: 1, max: 30 }),
});
