import { rangesOf } from '../../src/contract/seq-ranges.ts';
import type { CommitResult, IngestBatch, IngestMessage, IngestStore } from '../../src/server/store/ingest-store.ts';

/** The store as ingest sees it, in memory, for tests of what happens around it: it can stall, fail and say when it resolves. */
export class RecordingStore implements IngestStore {
  readonly batches: IngestBatch[] = [];
  readonly messages: IngestMessage[] = [];
  /** Called before anything is kept; throws what the commit is to reject with, or waits. */
  before: (batch: IngestBatch) => Promise<void> | void = () => undefined;
  /** Commits under way. */
  running = 0;

  async commit(batch: IngestBatch): Promise<CommitResult> {
    this.running += 1;
    try {
      await this.before(batch);
      this.batches.push(batch);
      this.messages.push(...batch.messages);
      return resultOf(batch);
    } finally {
      this.running -= 1;
    }
  }

  /** `uid/epoch/seq` or `uid/ts` of every item, in order. */
  items(): string[] {
    return this.messages.flatMap((message) =>
      message.kind === 'items'
        ? message.items.map((item) => `${message.deviceUid}/${item.epoch ?? ''}/${item.seq ?? item.tsMs}`)
        : [],
    );
  }
}

function resultOf(batch: IngestBatch): CommitResult {
  const numbers = new Map<string, { homeId: string; deviceUid: string; epoch: string; seqs: number[] }>();
  let stored = 0;
  for (const message of batch.messages) {
    if (message.kind !== 'items') continue;
    stored += message.items.length;
    for (const { epoch, seq } of [...message.items, ...message.bad]) {
      if (epoch === undefined || seq === undefined) continue;
      const { homeId, deviceUid } = message;
      const key = `${homeId}/${deviceUid}/${epoch}`;
      const known = numbers.get(key) ?? { homeId, deviceUid, epoch, seqs: [] };
      known.seqs.push(seq);
      numbers.set(key, known);
    }
  }
  return {
    counts: { stored, duplicates: 0, corrected: 0, gaps: 0, statuses: 0, rejected: {}, registered: 0 },
    receipts: [...numbers.values()].map(({ seqs, ...rest }) => ({ ...rest, stored: rangesOf(seqs) })),
    changes: [],
  };
}
