import type { Database } from 'better-sqlite3';
import type {
  AuditStore,
  DayCount,
  EpochNumbers,
  NumbersPart,
  Takeover,
  TimeRange,
  TimeStretch,
} from '../../audit-store.ts';
import type { ReadingStore } from '../../store.ts';
import type { StoredGap } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import { createGrowingRanges, GAP_COLUMNS, type GapRow, type GrowingRanges, toGap } from './gaps.ts';
import { FLAG_UNSYNCED } from './readings.ts';

interface IntervalRow {
  readonly fromMs: number;
  readonly intervalMs: number;
}

const INTERVALS = `
  SELECT i.from_ms AS fromMs, i.interval_ms AS intervalMs
  FROM intervals i JOIN devices d ON d.id = i.device_id
  WHERE d.uid = ? AND i.interval_ms > 0 ORDER BY i.from_ms`;

/** Sums of quotients: 2,879.999999999 are 2,880. */
const ROUNDING = 1e-6;

/**
 * A bucket's share is how often the intervals in force fit into it, rounded down: as many as any schedule must give, so that a
 * device that skipped nothing is never said to have skipped one. What lies behind `nowMs` or before the first known interval
 * adds nothing.
 */
export function createExpected(db: Database): Sync<ReadingStore>['expected'] {
  const intervals = db.prepare<[string], IntervalRow>(INTERVALS);
  return (deviceUid, edgesMs, nowMs) => {
    const known = intervals.all(deviceUid);
    const firstMs = known[0]?.fromMs ?? Number.POSITIVE_INFINITY;
    return edgesMs.slice(1).map((toMs, index) => {
      if (toMs <= firstMs) return null;
      return Math.floor(fitting(known, edgesMs[index] ?? toMs, Math.min(toMs, nowMs)) + ROUNDING);
    });
  };
}

function fitting(known: readonly IntervalRow[], fromMs: number, toMs: number): number {
  return known.reduce((sum, { fromMs: since, intervalMs }, index) => {
    const until = known[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    return sum + Math.max(0, Math.min(until, toMs) - Math.max(since, fromMs)) / intervalMs;
  }, 0);
}

interface EpochTally {
  readonly epoch: string;
  readonly heardMs: number | null;
  readonly readings: GrowingRanges;
  readonly doubled: GrowingRanges;
  readonly gapRecords: GrowingRanges;
  readonly rejected: GrowingRanges;
  readonly quarantined: GrowingRanges;
  readonly gaps: StoredGap[];
  takeover: Takeover | null;
  fromMs: number | null;
  toMs: number | null;
  lowestSeq: number;
  isLowestUnsynced: boolean;
}

type NumberRow = readonly [epochId: number, seq: number];
type ReadingRow = readonly [...NumberRow, tsMs: number, flags: number];

const DAY_MS = 86_400_000;
const ALL_TIME: TimeStretch = { fromMs: Number.MIN_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER };

/**
 * Goes along a device's readings in order of time, in which numbers come nearly in order, and keeps ranges only: memory grows with
 * the holes, not with the readings.
 */
export function createNumbers(db: Database): Pick<Sync<AuditStore>, 'numbers' | 'numbersPart' | 'recordBegan'> {
  const device = db.prepare<[string], number>('SELECT id FROM devices WHERE uid = ?').pluck();
  const epochs = db
    .prepare<[number], readonly [number, string, number | null]>(
      'SELECT id, epoch, heard_ms FROM epochs WHERE device_id = ?',
    )
    .raw();
  const readings = db
    .prepare<[number, number, number], ReadingRow>(
      `SELECT epoch_id, seq, ts_ms, flags FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?
       ORDER BY ts_ms, epoch_id, seq`,
    )
    .raw();
  const gapRecords = db
    .prepare<[number], NumberRow>('SELECT epoch_id, seq FROM gaps WHERE device_id = ? ORDER BY epoch_id, seq')
    .raw();
  // A number in conflict is among the readings with other values.
  const rejected = db
    .prepare<[number], readonly [epochId: number, fromSeq: number, toSeq: number]>(
      `SELECT r.epoch_id, r.from_seq, r.to_seq FROM epochs e JOIN rejected_ranges r ON r.epoch_id = e.id
       WHERE e.device_id = ? AND r.reason <> 'conflict' ORDER BY 1, 2`,
    )
    .raw();
  const quarantined = db
    .prepare<[number], NumberRow>(
      'SELECT epoch_id, seq FROM quarantine WHERE device_id = ? AND epoch_id <> 0 ORDER BY epoch_id, seq',
    )
    .raw();
  const gaps = db.prepare<[number], GapRow>(`SELECT ${GAP_COLUMNS} WHERE g.device_id = ? ORDER BY g.ts_ms, g.id`);
  const days = db
    .prepare<[number], DayCount>(
      `SELECT hour_ms / ${DAY_MS} * ${DAY_MS}, sum(count) FROM rollups_hourly WHERE device_id = ? GROUP BY 1 ORDER BY 1`,
    )
    .raw();
  const hasTable = (name: string): boolean =>
    db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
  const takeovers = hasTable('takeovers')
    ? db
        .prepare<[number], readonly [epochId: number, lastSeq: number, takenMs: number]>(
          'SELECT t.epoch_id, t.last_seq, t.taken_ms FROM epochs e JOIN takeovers t ON t.epoch_id = e.id WHERE e.device_id = ?',
        )
        .raw()
    : undefined;
  // A record that is older than its identity, or was put into a new file, began when it first heard of a device.
  const began = db
    .prepare<[], number | null>(
      `SELECT min(ms) FROM (SELECT min(created_ms) AS ms FROM devices ${hasTable('record') ? 'UNION ALL SELECT created_ms FROM record' : ''})`,
    )
    .pluck();

  const tell = (deviceId: number, { fromMs, toMs, readingsOnly = false }: TimeStretch): Omit<NumbersPart, 'days'> => {
    const tallies = new Map(epochs.all(deviceId).map(([id, epoch, heardMs]) => [id, tallyOf(epoch, heardMs)]));
    let unnumbered = 0;
    let unnumberedTimes: TimeRange | null = null;
    for (const [epochId, seq, tsMs, flags] of readings.iterate(deviceId, fromMs, toMs)) {
      const tally = tallies.get(epochId);
      if (tally === undefined) {
        unnumbered += 1;
        unnumberedTimes = [unnumberedTimes?.[0] ?? tsMs, tsMs];
      } else note(tally, seq, tsMs, flags);
    }
    if (readingsOnly) {
      const touched = [...tallies.values()].filter(({ readings: { ranges } }) => ranges.length > 0);
      return { epochs: touched.map(result), unnumbered, unnumberedTimes };
    }
    for (const [epochId, seq] of gapRecords.iterate(deviceId)) tallies.get(epochId)?.gapRecords.add(seq);
    for (const [epochId, from, to] of rejected.iterate(deviceId)) {
      for (let seq = from; seq <= to; seq += 1) tallies.get(epochId)?.rejected.add(seq);
    }
    for (const [epochId, seq] of quarantined.iterate(deviceId)) tallies.get(epochId)?.quarantined.add(seq);
    for (const [epochId, lastSeq, takenMs] of takeovers?.all(deviceId) ?? []) {
      const tally = tallies.get(epochId);
      if (tally !== undefined) tally.takeover = { lastSeq, takenMs };
    }
    const byName = new Map(Array.from(tallies.values(), (tally) => [tally.epoch, tally]));
    for (const gap of gaps.iterate(deviceId)) tallyNamed(byName, gap.ofEpoch).gaps.push(toGap(gap));
    return { epochs: [...byName.values()].sort(oldestFirst).map(result), unnumbered, unnumberedTimes };
  };

  return {
    numbers(deviceUid) {
      const deviceId = device.get(deviceUid);
      if (deviceId === undefined) return { epochs: [], unnumbered: 0 };
      const { epochs: told, unnumbered } = tell(deviceId, ALL_TIME);
      return { epochs: told, unnumbered };
    },
    numbersPart(deviceUid, stretch) {
      const deviceId = device.get(deviceUid);
      if (deviceId === undefined) return { epochs: [], unnumbered: 0, unnumberedTimes: null, days: [] };
      return { ...tell(deviceId, stretch), days: days.all(deviceId) };
    },
    recordBegan: () => began.get() ?? null,
  };
}

function tallyOf(epoch: string, heardMs: number | null): EpochTally {
  const empty = {
    readings: createGrowingRanges(),
    doubled: createGrowingRanges(),
    gapRecords: createGrowingRanges(),
    rejected: createGrowingRanges(),
    quarantined: createGrowingRanges(),
  };
  return {
    epoch,
    heardMs,
    ...empty,
    gaps: [],
    takeover: null,
    fromMs: null,
    toMs: null,
    lowestSeq: Number.POSITIVE_INFINITY,
    isLowestUnsynced: false,
  };
}

function note(tally: EpochTally, seq: number, tsMs: number, flags: number): void {
  if (!tally.readings.add(seq, tsMs)) tally.doubled.add(seq);
  tally.fromMs ??= tsMs;
  tally.toMs = tsMs;
  if (seq > tally.lowestSeq) return;
  tally.lowestSeq = seq;
  tally.isLowestUnsynced = (flags & FLAG_UNSYNCED) !== 0;
}

/** Of an epoch that is lost altogether, only its gap records know. */
function tallyNamed(byName: Map<string, EpochTally>, epoch: string): EpochTally {
  const tally = byName.get(epoch) ?? tallyOf(epoch, null);
  byName.set(epoch, tally);
  return tally;
}

function oldestFirst(a: EpochTally, b: EpochTally): number {
  return begin(a) - begin(b) || (a.epoch < b.epoch ? -1 : 1);
}

function begin(tally: EpochTally): number {
  return tally.fromMs ?? tally.gaps[0]?.fromTsMs ?? tally.gaps[0]?.tsMs ?? Number.MAX_SAFE_INTEGER;
}

function result(tally: EpochTally): EpochNumbers {
  const { epoch, readings, doubled, gapRecords, rejected, quarantined, gaps, fromMs, toMs } = tally;
  return {
    epoch,
    readings: readings.ranges,
    gapRecords: gapRecords.ranges,
    rejected: rejected.ranges,
    quarantined: quarantined.ranges,
    doubled: doubled.ranges,
    fromMs,
    toMs,
    gaps,
    readingTimes: readings.times,
    isLowestUnsynced: tally.isLowestUnsynced,
    heardMs: tally.heardMs,
    takeover: tally.takeover,
  };
}
