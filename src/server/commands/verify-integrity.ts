import type { RecordIntegrity } from '../store/audit-store.ts';
import type { Store } from '../store/store.ts';
import type { Device } from '../store/stored.ts';

/** Whether the tables of the record agree with each other, and which record it is. */
export interface IntegrityFound {
  readonly record: RecordIntegrity;
  /** For people, one a line. */
  readonly faults: readonly string[];
}

/** One device at a time. @throws the signal's reason */
export async function integrityOf(
  store: Pick<Store, 'integrity' | 'recordIntegrity'>,
  devices: readonly Pick<Device, 'uid'>[],
  signal: AbortSignal,
): Promise<IntegrityFound> {
  const record = await store.recordIntegrity();
  const faults: string[] = [];
  if (record.strayDevices > 0)
    faults.push(`readings of ${record.strayDevices} device(s) that the record does not know`);
  for (const { uid } of devices) {
    signal.throwIfAborted();
    const { newest, hours, wrongHours, firstWrongHourMs, strayEpochs } = await store.integrity(uid);
    if (newest === 'missing') faults.push(`${uid}: it has readings, but no newest one`);
    if (newest === 'without-reading') faults.push(`${uid}: its newest reading is not among its readings`);
    if (wrongHours > 0 && firstWrongHourMs !== null) {
      const first = new Date(firstWrongHourMs).toISOString();
      faults.push(
        `${uid}: ${wrongHours} of ${hours} hourly sums do not agree with the readings, the first of ${first}`,
      );
    }
    if (strayEpochs > 0) faults.push(`${uid}: readings of ${strayEpochs} epoch(s) that are not known`);
  }
  return { record, faults };
}

export function integrityReport({ record, faults }: IntegrityFound): string {
  const { id, createdMs, formerIds } = record;
  const former =
    formerIds.length === 0
      ? ''
      : `It was taken over from a copy (${formerIds.join(', ')} before): what was stored after that copy is not in it.\n`;
  const tables =
    faults.length === 0
      ? 'Its tables agree with each other.\n'
      : `Its tables do not agree with each other; a part of it was damaged or replaced:\n${faults.map((fault) => `  ${fault}\n`).join('')}`;
  return `Record ${id}, made ${new Date(createdMs).toISOString()}.\n${former}${tables}\n`;
}

export function integrityRecord({ record, faults }: IntegrityFound): object {
  const { id, createdMs, formerIds } = record;
  return { record: id, created: new Date(createdMs).toISOString(), former: formerIds, faults };
}
