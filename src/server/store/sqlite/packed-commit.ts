import type { Reading } from '../../../contract/reading.ts';
import type {
  CommitResult,
  IngestBatch,
  IngestMessage,
  ItemsMessage,
  ReceiptFor,
  StoreChange,
} from '../ingest-store.ts';
import type { StoredReading } from '../stored.ts';
import { NOTHING, type Packed, Packer, Unpacker } from './packer.ts';

/**
 * Commits on their way between threads. A structured clone of thousands of small objects takes four times as long (measured): what
 * nearly all of them are, readings, goes as numbers in one array and texts in one table. All else is cloned.
 */
export interface PackedBatch extends Omit<IngestBatch, 'messages'> {
  readonly messages: Packed<IngestMessage>;
}

export interface PackedResult {
  readonly counts: CommitResult['counts'];
  /** How many receipts, these, then the changes: both speak of the same devices. */
  readonly said: Packed<StoreChange>;
}

const FLAG_UNSYNCED = 1;
const FLAG_ON_DEMAND = 2;

export function packBatch({ messages, ...batch }: IngestBatch): PackedBatch {
  const packer = new Packer<IngestMessage>();
  for (const message of messages) {
    if (message.kind === 'items' && isPlain(message)) packMessage(packer, message);
    else packer.other(message);
  }
  return { ...batch, messages: packer.packed() };
}

export function unpackBatch({ messages, ...batch }: PackedBatch): IngestBatch {
  return { ...batch, messages: unpackEach(new Unpacker(messages), unpackMessage) };
}

export function packResult({ counts, receipts, changes }: CommitResult): PackedResult {
  const packer = new Packer<StoreChange>();
  packer.number(receipts.length);
  for (const receipt of receipts) packReceipt(packer, receipt);
  for (const change of changes) {
    if (change.kind === 'reading') packStored(packer, change.reading);
    else packer.other(change);
  }
  return { counts, said: packer.packed() };
}

export function unpackResult({ counts, said }: PackedResult): CommitResult {
  const from = new Unpacker(said);
  const receipts: ReceiptFor[] = [];
  for (let left = from.number(); left > 0; left -= 1) receipts.push(unpackReceipt(from));
  return { counts, receipts, changes: unpackEach(from, unpackStored) };
}

/** Whether numbers and texts say all of it; anything unusual is left to the clone, and to the code that judges it. */
function isPlain({ bad, items, isRetained }: ItemsMessage): boolean {
  return (
    bad.length === 0 &&
    isRetained !== true &&
    items.every((item) => !('gap' in item) && (item.epoch === undefined) === (item.seq === undefined))
  );
}

function packMessage(
  packer: Packer<IngestMessage>,
  { topic, homeId, deviceUid, receivedMs, items }: ItemsMessage,
): void {
  packer.text(topic);
  packer.text(homeId);
  packer.text(deviceUid);
  packer.number(receivedMs);
  packer.number(items.length);
  for (const item of items as readonly Reading[]) {
    packer.number(item.temperatureCelsius);
    packer.number(item.humidityPercent);
    packer.number(item.tsMs);
    packer.text(item.epoch);
    packer.number(item.seq ?? NOTHING);
    packer.number((item.clock === undefined ? 0 : FLAG_UNSYNCED) | (item.trigger === undefined ? 0 : FLAG_ON_DEMAND));
  }
}

function unpackMessage(from: Unpacker<IngestMessage>, topic: string): ItemsMessage {
  const homeId = from.text();
  const deviceUid = from.text();
  const receivedMs = from.number();
  const items: Reading[] = [];
  for (let left = from.number(); left > 0; left -= 1) items.push(unpackReading(from));
  return { kind: 'items', topic, homeId, deviceUid, receivedMs, items, bad: [] };
}

function unpackReading(from: Unpacker<IngestMessage>): Reading {
  const temperatureCelsius = from.number();
  const humidityPercent = from.number();
  const tsMs = from.number();
  const epoch = from.textOrNull();
  const seq = from.number();
  const flags = from.number();
  const values = { temperatureCelsius, humidityPercent, tsMs };
  const reading = epoch === null ? values : { temperatureCelsius, humidityPercent, tsMs, epoch, seq };
  if (flags === 0) return reading;
  return {
    ...reading,
    ...((flags & FLAG_UNSYNCED) !== 0 && { clock: 'unsynced' as const }),
    ...((flags & FLAG_ON_DEMAND) !== 0 && { trigger: 'command' as const }),
  };
}

function packReceipt(packer: Packer<StoreChange>, { homeId, deviceUid, epoch, stored }: ReceiptFor): void {
  packer.text(homeId);
  packer.text(deviceUid);
  packer.text(epoch);
  packer.number(stored.length);
  for (const [first, last] of stored) {
    packer.number(first);
    packer.number(last);
  }
}

function unpackReceipt(from: Unpacker<StoreChange>): ReceiptFor {
  const homeId = from.text();
  const deviceUid = from.text();
  const epoch = from.text();
  const stored: (readonly [number, number])[] = [];
  for (let left = from.number(); left > 0; left -= 1) stored.push([from.number(), from.number()]);
  return { homeId, deviceUid, epoch, stored };
}

function packStored(packer: Packer<StoreChange>, reading: StoredReading): void {
  packer.text(reading.deviceUid);
  packer.text(reading.roomUid ?? undefined);
  packer.number(reading.tsMs);
  packer.number(reading.temperatureCelsius);
  packer.number(reading.humidityPercent);
  packer.text(reading.epoch ?? undefined);
  packer.number(reading.seq ?? NOTHING);
  packer.number((reading.isUnsynced ? FLAG_UNSYNCED : 0) | (reading.isOnDemand ? FLAG_ON_DEMAND : 0));
}

function unpackStored(from: Unpacker<StoreChange>, deviceUid: string): StoreChange {
  const roomUid = from.textOrNull();
  const tsMs = from.number();
  const temperatureCelsius = from.number();
  const humidityPercent = from.number();
  const epoch = from.textOrNull();
  const seq = from.number();
  const flags = from.number();
  const reading: StoredReading = {
    deviceUid,
    roomUid,
    tsMs,
    temperatureCelsius,
    humidityPercent,
    epoch,
    seq: seq === NOTHING ? null : seq,
    isUnsynced: (flags & FLAG_UNSYNCED) !== 0,
    isOnDemand: (flags & FLAG_ON_DEMAND) !== 0,
  };
  return { kind: 'reading', reading };
}

/** Each entry begins with a text, or is one of the rest. */
function unpackEach<Entry>(
  from: Unpacker<Entry>,
  unpack: (from: Unpacker<Entry>, first: string) => Entry,
): readonly Entry[] {
  const entries: Entry[] = [];
  while (!from.isOver()) entries.push(from.other() ?? unpack(from, from.text()));
  return entries;
}
