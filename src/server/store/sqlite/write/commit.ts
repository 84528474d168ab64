import { encodeStatus } from '../../../../contract/status.ts';
import type { CommitResult, IngestBatch, IngestMessage, ItemsMessage, RejectedMessage } from '../../ingest-store.ts';
import { StoreError } from '../../store.ts';
import type { Placing } from '../catalogue/placing.ts';
import type { RoomBook } from '../catalogue/room-book.ts';
import type { Database } from '../database.ts';
import { sqliteCodeOf, storeErrorOf } from '../errors.ts';
import { createItemKeeper } from './items.ts';
import type { KnownDevices } from './known-devices.ts';
import { createNewestKeeper } from './newest.ts';
import { createOutcome } from './outcome.ts';
import { createRegistry } from './registration.ts';
import { createRejects, rejectionOf } from './rejects.ts';
import type { Rollups } from './rollups.ts';
import { createStatusKeeper } from './status.ts';

/** What was being worked on when something went wrong. */
interface Cursor {
  message?: number | undefined;
  item?: number | undefined;
}

interface Poisoned {
  readonly at: Cursor;
  readonly error: unknown;
}

/**
 * Carries out batches, each in one transaction. A message that can't be stored although it was understood (a bug on either side)
 * is blamed and rejected, and the batch is carried out again without it: nothing poisons the rest. @throws StoreError
 */
export function createCommit(
  db: Database,
  shared: {
    readonly known: KnownDevices;
    readonly rooms: RoomBook;
    readonly placing: Placing;
    readonly rollups: Rollups;
  },
): (batch: IngestBatch) => CommitResult {
  const { known, rooms, placing, rollups } = shared;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const newest = createNewestKeeper(db);
  const rejects = createRejects(db);
  const registry = createRegistry(db, known, rooms, placing);
  const keepItems = createItemKeeper(db, { known, registry, rollups, rejects, newest });
  const keepStatus = createStatusKeeper(db, { known, registry, placing, rejects });

  const attempt = (messages: readonly IngestMessage[], batch: IngestBatch): CommitResult | Poisoned => {
    const at: Cursor = {};
    const outcome = createOutcome();
    const step = (item: number | undefined): void => {
      at.item = item;
    };
    try {
      begin.run();
      if (known.refresh() === 'forgotten') {
        rejects.forget();
        rollups.forgetStored();
      }
      registry.bound(batch.atMost);
      for (const [index, message] of messages.entries()) {
        at.message = index;
        if (message.kind === 'items') keepItems(message, batch.registration, outcome, step);
        else if (message.kind === 'status') keepStatus(message, batch.registration, outcome);
        else {
          rejects.keep(message, message.deviceUid ?? null, message);
          outcome.rejected(message.reason);
        }
      }
      at.message = undefined;
      rollups.write();
      const becameNewest = newest.write();
      rejects.trim(batch.maxRejected);
      commit.run();
      return outcome.result(becameNewest);
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      known.forget();
      rejects.forget();
      rollups.forgetStored();
      const known_ = storeErrorOf(error, db.name);
      if (known_ instanceof StoreError || at.message === undefined) throw known_;
      return { at, error };
    } finally {
      rollups.forget();
      newest.forget();
    }
  };

  return (batch) => {
    let messages = batch.messages;
    for (;;) {
      const result = attempt(messages, batch);
      if ('counts' in result) return result;
      messages = withoutPoison(messages, result);
    }
  };
}

/** The same messages with the one that was blamed turned into a rejection. @throws the error when that was one already */
function withoutPoison(messages: readonly IngestMessage[], { at, error }: Poisoned): readonly IngestMessage[] {
  const message = messages[at.message ?? -1];
  if (message === undefined || message.kind === 'rejected') throw error;
  const cured = message.kind === 'items' && at.item !== undefined ? withoutItem(message, at.item, error) : undefined;
  return messages.with(at.message ?? -1, cured ?? rejectedOf(message, error));
}

function withoutItem(message: ItemsMessage, index: number, error: unknown): ItemsMessage | undefined {
  const item = message.items[index];
  if (item === undefined) return undefined;
  const { epoch, seq } = item;
  return {
    ...message,
    items: message.items.toSpliced(index, 1),
    bad: [
      ...message.bad,
      {
        ...rejectionOf('bad-shape', detailOf(error), textOf(item)),
        ...(typeof epoch === 'string' && typeof seq === 'number' && Number.isSafeInteger(seq) && { epoch, seq }),
      },
    ],
  };
}

function rejectedOf(message: Exclude<IngestMessage, RejectedMessage>, error: unknown): RejectedMessage {
  const content = message.kind === 'status' ? encodeStatus(message.status) : textOf([...message.items, ...message.bad]);
  return {
    kind: 'rejected',
    topic: message.topic,
    receivedMs: message.receivedMs,
    deviceUid: message.deviceUid,
    ...rejectionOf('bad-shape', detailOf(error), content),
  };
}

function detailOf(error: unknown): string {
  const code = sqliteCodeOf(error);
  return `it can't be stored: ${error instanceof Error ? error.message : String(error)}${code === undefined ? '' : ` (${code})`}`;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}
