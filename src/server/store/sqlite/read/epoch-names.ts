import type { Database } from 'better-sqlite3';

/** Epochs by name and by internal number. 0 stands for the readings without numbers, whose epoch is null. */
export interface EpochNames {
  /** Remembers what it has looked up: one per question. */
  lookup(): (epochId: number) => string | null;
  idOf(deviceUid: string, epoch: string | null): number | undefined;
}

export function createEpochNames(db: Database): EpochNames {
  const name = db.prepare<[number], string>('SELECT epoch FROM epochs WHERE id = ?').pluck();
  const id = db
    .prepare<[string, string], number>(
      'SELECT e.id FROM epochs e JOIN devices d ON d.id = e.device_id WHERE d.uid = ? AND e.epoch = ?',
    )
    .pluck();
  return {
    lookup() {
      const known = new Map<number, string | null>([[0, null]]);
      return (epochId) => {
        const found = known.get(epochId);
        if (found !== undefined) return found;
        const epoch = name.get(epochId) ?? null;
        known.set(epochId, epoch);
        return epoch;
      };
    },
    idOf: (deviceUid, epoch) => (epoch === null ? 0 : id.get(deviceUid, epoch)),
  };
}
