import type { GapRecord, Reading } from '../../../../contract/reading.ts';
import type { QuarantineChoice, QuarantineJudged, QuarantineStep, QuarantineStore } from '../../audit-store.ts';
import { StoreError } from '../../store.ts';
import { arrivalAsKnown, type NotedArrival, timeProblem } from '../../stored.ts';
import type { Sync } from '../calls.ts';
import type { Database } from '../database.ts';
import { storeErrorOf } from '../errors.ts';
import type { CommitResultBuilder } from './commit-result.ts';
import type { KnownDevice, KnownDevices } from './devices.ts';
import { DROPPED, itemIn } from './quarantine.ts';
import type { KeepOne } from './readings.ts';
import type { RejectedRanges } from './rejects.ts';
import type { WriteTransaction } from './transaction.ts';

export type QuarantineWrites = Sync<Pick<QuarantineStore, 'judgeQuarantine' | 'releaseQuarantine' | 'dropQuarantine'>>;

interface Row extends Omit<NotedArrival, 'wasConfirmed'> {
  readonly id: number;
  readonly deviceUid: string;
  readonly homeUid: string;
  readonly topic: string;
  readonly item: string;
  readonly wasConfirmed: number;
}

interface Choice {
  readonly deviceUid: string | null;
  readonly id: number | null;
}

type Dropping = Choice & Pick<QuarantineStep, 'limit'>;

interface DropRow {
  readonly deviceId: number;
  readonly epochId: number;
  readonly seq: number;
  readonly receivedMs: number;
}

const MAX_NOTE = 500;

/** What becomes of quarantined items: stored once with their own time, or dropped by a person with a trace. */
export function createQuarantineWrites(
  db: Database,
  {
    transaction,
    keepOne,
    known,
    ranges,
    forget,
  }: {
    readonly transaction: WriteTransaction;
    readonly keepOne: KeepOne;
    readonly known: KnownDevices;
    readonly ranges: RejectedRanges;
    /** The number of those that wait has changed. */
    readonly forget: () => void;
  },
): QuarantineWrites {
  // Of a device that is refused nothing is stored until somebody approves it.
  const select = db.prepare<[Choice & Pick<QuarantineStep, 'afterId' | 'limit'>], Row>(`
    SELECT q.id, d.uid AS deviceUid, coalesce(h.uid, '') AS homeUid, q.topic, q.item, q.received_ms AS receivedMs, q.boot AS bootId,
      q.monotonic_ms AS monotonicMs, q.was_confirmed AS wasConfirmed
    FROM quarantine q JOIN devices d ON d.id = q.device_id LEFT JOIN homes h ON h.id = d.home_id
    WHERE q.id > :afterId AND d.state <> 'refused' AND (:deviceUid IS NULL OR d.uid = :deviceUid) AND (:id IS NULL OR q.id = :id)
    ORDER BY q.id LIMIT :limit`);
  const remove = db.prepare<[number]>('DELETE FROM quarantine WHERE id = ?');
  const chosen = `FROM quarantine q JOIN devices d ON d.id = q.device_id LEFT JOIN epochs e ON e.id = q.epoch_id
    WHERE q.id IN (SELECT c.id FROM quarantine c JOIN devices cd ON cd.id = c.device_id
      WHERE (:deviceUid IS NULL OR cd.uid = :deviceUid) AND (:id IS NULL OR c.id = :id) ORDER BY c.id LIMIT :limit)`;
  const selectDropped = db.prepare<[Dropping], DropRow>(
    `SELECT q.device_id AS deviceId, q.epoch_id AS epochId, q.seq, q.received_ms AS receivedMs ${chosen} ORDER BY q.epoch_id, q.seq`,
  );
  const trace = db.prepare<[Dropping & { readonly note: string; readonly nowMs: number }]>(`
    INSERT INTO quarantine_drops (device_uid, epoch, from_seq, to_seq, count, reason, note, from_ts_ms, to_ts_ms, first_ms, last_ms, dropped_ms)
    SELECT d.uid, e.epoch, nullif(min(q.seq), 0), nullif(max(q.seq), 0), count(*), q.reason, :note, min(q.ts_ms), max(q.ts_ms),
      min(q.received_ms), max(q.received_ms), :nowMs
    ${chosen} GROUP BY d.uid, e.epoch, q.reason`);
  const removeChosen = db.prepare<[Dropping]>(`DELETE FROM quarantine WHERE id IN (SELECT q.id ${chosen})`);

  const release = (
    row: Row,
    device: KnownDevice,
    item: Reading | GapRecord,
    arrivedMs: number,
    result: CommitResultBuilder,
  ): void => {
    const { topic, homeUid, deviceUid } = row;
    const message = { topic, homeId: homeUid, deviceUid, receivedMs: arrivedMs };
    keepOne({ message, device, item, isLive: false, isLate: true }, result);
    remove.run(row.id);
  };

  const walk = (
    { afterId, limit, time, deviceUid, id }: QuarantineStep & QuarantineChoice,
    isRight: (item: Reading | GapRecord, arrivedMs: number) => boolean,
  ): QuarantineJudged => {
    let [released, kept] = [0, 0];
    let nextId: number | undefined;
    const { changes } = transaction((result) => {
      const rows = select.all({ afterId, limit: limit + 1, deviceUid: deviceUid ?? null, id: id ?? null });
      if (rows.length > limit) nextId = rows[limit - 1]?.id;
      for (const row of rows.slice(0, limit)) {
        const item = itemIn(row.item);
        const device = known.find(row.deviceUid);
        const arrivedMs = arrivalAsKnown({ ...row, wasConfirmed: row.wasConfirmed === 1 }, time);
        if (item === undefined || device === undefined || !isRight(item, arrivedMs)) {
          kept += 1;
          continue;
        }
        try {
          release(row, device, item, arrivedMs, result);
          released += 1;
        } catch (error) {
          // What the tables refuse stays where it is; anything else is the store's trouble.
          if (storeErrorOf(error, db.name) instanceof StoreError) throw error;
          kept += 1;
        }
      }
    });
    if (released > 0) forget();
    return { released, kept, changes, ...(nextId !== undefined && { nextId }) };
  };

  return {
    judgeQuarantine: (step) =>
      walk(step, (item, arrivedMs) => 'gap' in item || timeProblem(item.tsMs, arrivedMs) === undefined),
    releaseQuarantine: (step) => walk(step, () => true),
    dropQuarantine({ deviceUid, id, limit, note, nowMs }) {
      const why = note.trim().slice(0, MAX_NOTE);
      if (why === '') throw new StoreError('INVALID', 'A reason is needed: it is kept in place of what is dropped');
      const choice: Dropping = { deviceUid: deviceUid ?? null, id: id ?? null, limit };
      let dropped = 0;
      transaction(() => {
        for (const { deviceId, epochId, seq, receivedMs } of selectDropped.all(choice)) {
          if (epochId === 0 || ranges.add(deviceId, epochId, seq, DROPPED, receivedMs)) continue;
          throw new StoreError(
            'INVALID',
            'The numbers are too scattered to be noted; drop fewer at once, or release them',
          );
        }
        trace.run({ ...choice, note: why, nowMs });
        dropped = removeChosen.run(choice).changes;
      });
      forget();
      return { dropped };
    },
  };
}
