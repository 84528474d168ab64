import { normaliseRanges } from '../../../../contract/seq-ranges.ts';
import type { CommitResult, StoreChange } from '../../ingest-store.ts';
import type { RejectReason, StoredReading } from '../../stored.ts';

type Counts = { -readonly [K in keyof CommitResult['counts']]: CommitResult['counts'][K] };

interface Receipted {
  readonly homeId: string;
  readonly deviceUid: string;
  readonly epoch: string;
  readonly ranges: [number, number][];
}

/** Gathers what a commit answers while its batch is carried out. */
export interface CommitResultBuilder {
  readonly counts: Omit<Counts, 'rejected' | 'quarantined'>;
  rejected(reason: RejectReason): void;
  quarantined(): void;
  receipt(homeId: string, deviceUid: string, epoch: string, seq: number): void;
  deviceChanged(deviceUid: string): void;
  gapCame(deviceUid: string): void;
  /** A reading that did not become its device's newest, or did so for a moment only. */
  history(deviceUid: string, tsMs: number): void;
  /** @param newest what became the newest of their devices */
  build(newest: readonly StoredReading[]): CommitResult;
}

export function createCommitResultBuilder(): CommitResultBuilder {
  const counts = { stored: 0, duplicates: 0, corrected: 0, gaps: 0, statuses: 0, registered: 0 };
  const rejected: Partial<Record<RejectReason, number>> = {};
  let quarantined = 0;
  const receipts = new Map<string, Receipted>();
  const devices = new Set<string>();
  const gaps = new Set<string>();
  const stretches = new Map<string, { fromMs: number; toMs: number; count: number }>();

  return {
    counts,
    rejected: (reason) => {
      rejected[reason] = (rejected[reason] ?? 0) + 1;
    },
    quarantined: () => {
      quarantined += 1;
    },
    receipt(homeId, deviceUid, epoch, seq) {
      // No id holds a slash.
      const key = `${homeId}/${deviceUid}/${epoch}`;
      const receipt = receipts.get(key);
      if (receipt === undefined) receipts.set(key, { homeId, deviceUid, epoch, ranges: [[seq, seq]] });
      else append(receipt.ranges, seq);
    },
    deviceChanged: (deviceUid) => {
      devices.add(deviceUid);
    },
    gapCame: (deviceUid) => {
      gaps.add(deviceUid);
    },
    history(deviceUid, tsMs) {
      const stretch = stretches.get(deviceUid);
      if (stretch === undefined) {
        stretches.set(deviceUid, { fromMs: tsMs, toMs: tsMs, count: 1 });
        return;
      }
      stretch.count += 1;
      if (tsMs < stretch.fromMs) stretch.fromMs = tsMs;
      if (tsMs > stretch.toMs) stretch.toMs = tsMs;
    },
    build: (newest) => ({
      counts: { ...counts, rejected, ...(quarantined > 0 && { quarantined }) },
      receipts: Array.from(receipts.values(), ({ ranges, ...receipt }) => ({
        ...receipt,
        stored: normaliseRanges(ranges),
      })),
      changes: [
        ...Array.from(devices, (deviceUid): StoreChange => ({ kind: 'device', deviceUid })),
        ...Array.from(stretches, ([deviceUid, stretch]): StoreChange => ({ kind: 'history', deviceUid, ...stretch })),
        ...newest.map((reading): StoreChange => ({ kind: 'reading', reading })),
        ...Array.from(gaps, (deviceUid): StoreChange => ({ kind: 'gap', deviceUid })),
        ...rejectedChange(rejected),
      ],
    }),
  };
}

/** Backlogs come in order: mostly the last range grows. */
function append(ranges: [number, number][], seq: number): void {
  const last = ranges.at(-1);
  if (last?.[1] === seq - 1) last[1] = seq;
  else ranges.push([seq, seq]);
}

function rejectedChange(rejected: Partial<Record<RejectReason, number>>): readonly StoreChange[] {
  const count = Object.values(rejected).reduce((sum, one) => sum + one, 0);
  return count === 0 ? [] : [{ kind: 'rejected', count }];
}
