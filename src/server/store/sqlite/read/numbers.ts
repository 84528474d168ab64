import type { Database } from 'better-sqlite3';
import type { AuditStore, DeviceNumbers, EpochNumbers } from '../../audit-store.ts';
import type { StoredGap } from '../../stored.ts';
import type { Sync } from '../sync.ts';
import { GAP_COLUMNS } from './gaps.ts';
import { createGrowingRanges, type GrowingRanges } from './growing-ranges.ts';

interface EpochTally {
  readonly epoch: string;
  readonly readings: GrowingRanges;
  readonly doubled: GrowingRanges;
  readonly gapRecords: GrowingRanges;
  readonly rejected: GrowingRanges;
  readonly quarantined: GrowingRanges;
  readonly gaps: StoredGap[];
  fromMs: number | null;
  toMs: number | null;
}

type NumberRow = readonly [epochId: number, seq: number];

/**
 * Goes along a device's readings in order of time, in which numbers come nearly in order, and keeps ranges only: memory grows with
 * the holes, not with the readings.
 */
export function createNumbers(db: Database): Sync<AuditStore>['numbers'] {
  const device = db.prepare<[string], number>('SELECT id FROM devices WHERE uid = ?').pluck();
  const epochs = db
    .prepare<[number], readonly [number, string]>('SELECT id, epoch FROM epochs WHERE device_id = ?')
    .raw();
  const readings = db
    .prepare<[number], readonly [...NumberRow, tsMs: number]>(
      'SELECT epoch_id, seq, ts_ms FROM readings WHERE device_id = ? ORDER BY ts_ms, epoch_id, seq',
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
  const gaps = db.prepare<[number], StoredGap>(`SELECT ${GAP_COLUMNS} WHERE g.device_id = ? ORDER BY g.ts_ms, g.id`);

  return (deviceUid): DeviceNumbers => {
    const deviceId = device.get(deviceUid);
    if (deviceId === undefined) return { epochs: [], unnumbered: 0 };
    const tallies = new Map(epochs.all(deviceId).map(([id, epoch]) => [id, tallyOf(epoch)]));
    let unnumbered = 0;
    for (const [epochId, seq, tsMs] of readings.iterate(deviceId)) {
      const tally = tallies.get(epochId);
      if (tally === undefined) unnumbered += 1;
      else note(tally, seq, tsMs);
    }
    for (const [epochId, seq] of gapRecords.iterate(deviceId)) tallies.get(epochId)?.gapRecords.add(seq);
    for (const [epochId, from, to] of rejected.iterate(deviceId)) {
      for (let seq = from; seq <= to; seq += 1) tallies.get(epochId)?.rejected.add(seq);
    }
    for (const [epochId, seq] of quarantined.iterate(deviceId)) tallies.get(epochId)?.quarantined.add(seq);
    const byName = new Map(Array.from(tallies.values(), (tally) => [tally.epoch, tally]));
    for (const gap of gaps.iterate(deviceId)) tallyNamed(byName, gap.ofEpoch).gaps.push(gap);
    return { epochs: [...byName.values()].sort(oldestFirst).map(result), unnumbered };
  };
}

function tallyOf(epoch: string): EpochTally {
  const empty = {
    readings: createGrowingRanges(),
    doubled: createGrowingRanges(),
    gapRecords: createGrowingRanges(),
    rejected: createGrowingRanges(),
    quarantined: createGrowingRanges(),
  };
  return { epoch, ...empty, gaps: [], fromMs: null, toMs: null };
}

function note(tally: EpochTally, seq: number, tsMs: number): void {
  if (!tally.readings.add(seq)) tally.doubled.add(seq);
  tally.fromMs ??= tsMs;
  tally.toMs = tsMs;
}

/** Of an epoch that is lost altogether, only its gap records know. */
function tallyNamed(byName: Map<string, EpochTally>, epoch: string): EpochTally {
  const tally = byName.get(epoch) ?? tallyOf(epoch);
  byName.set(epoch, tally);
  return tally;
}

function oldestFirst(a: EpochTally, b: EpochTally): number {
  return begin(a) - begin(b) || (a.epoch < b.epoch ? -1 : 1);
}

function begin(tally: EpochTally): number {
  return tally.fromMs ?? tally.gaps[0]?.fromTsMs ?? tally.gaps[0]?.tsMs ?? Number.MAX_SAFE_INTEGER;
}

function result({ readings, doubled, gapRecords, rejected, quarantined, ...rest }: EpochTally): EpochNumbers {
  return {
    ...rest,
    readings: readings.ranges,
    doubled: doubled.ranges,
    gapRecords: gapRecords.ranges,
    rejected: rejected.ranges,
    quarantined: quarantined.ranges,
  };
}
