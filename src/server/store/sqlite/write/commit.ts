import { encodeGapRecord, encodeReading, type GapRecord, type Reading } from '../../../../contract/reading.ts';
import { encodeStatus } from '../../../../contract/status.ts';
import type { CommitResult, IngestBatch, IngestMessage, ItemsMessage, RejectedMessage } from '../../ingest-store.ts';
import { StoreError } from '../../store.ts';
import type { Database } from '../database.ts';
import { sqliteCodeOf, storeErrorOf } from '../errors.ts';
import type { Registry } from './devices.ts';
import type { KeepItems } from './readings.ts';
import { type Rejects, rejectionOf } from './rejects.ts';
import type { StatusWriter } from './status.ts';
import type { WriteTransaction } from './transaction.ts';

/** What was being worked on when something went wrong. */
interface Cursor {
  message?: number | undefined;
  item?: number | undefined;
}

interface Poisoned {
  readonly at: Cursor;
  readonly error: unknown;
}

export interface CommitParts {
  readonly transaction: WriteTransaction;
  readonly keepItems: KeepItems;
  readonly keepStatus: StatusWriter;
  readonly rejects: Rejects;
  readonly registry: Registry;
}

/**
 * Carries out batches, each in one transaction. A message that can't be stored although it was understood (a bug on either side)
 * is blamed and rejected, and the batch is carried out again without it: nothing poisons the rest. @throws StoreError
 */
export function createCommit(
  db: Database,
  { transaction, keepItems, keepStatus, rejects, registry }: CommitParts,
): (batch: IngestBatch) => CommitResult {
  const attempt = (messages: readonly IngestMessage[], batch: IngestBatch): CommitResult | Poisoned => {
    const at: Cursor = {};
    const step = (item: number | undefined): void => {
      at.item = item;
    };
    try {
      return transaction((result) => {
        registry.bound(batch.atMost);
        for (const [index, message] of messages.entries()) {
          at.message = index;
          if (message.kind === 'items') keepItems(message, batch, result, step);
          else if (message.kind === 'status') keepStatus(message, batch.registration, result);
          else {
            rejects.keep(message, message.deviceUid ?? null, message);
            result.rejected(message.reason);
          }
        }
        at.message = undefined;
        rejects.trim(batch.maxRejected);
      });
    } catch (error) {
      const known = storeErrorOf(error, db.name);
      if (known instanceof StoreError || at.message === undefined) throw known;
      return { at, error };
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
        ...rejectionOf('bad-shape', detailOf(error), wireText(item)),
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

/** As it came, so that a version without the bug can read it again. */
function wireText(item: Reading | GapRecord): string {
  try {
    return 'gap' in item ? encodeGapRecord(item) : encodeReading(item);
  } catch {
    return textOf(item);
  }
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}
