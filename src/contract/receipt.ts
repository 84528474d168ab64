import { ID_RULE, isId } from './ids.ts';
import { asRecord, parseJson, textField, WireError } from './json.ts';
import { MAX_SEQ } from './reading.ts';
import type { SeqRange } from './seq-ranges.ts';

/** The server's word that these numbers are committed to its disk. */
export interface Receipt {
  readonly epoch: string;
  readonly stored: readonly SeqRange[];
}

/** `{"epoch":"k3v9x2","stored":[[1,1042],[1044,1044]]}` */
export function encodeReceipt(receipt: Receipt): string {
  return JSON.stringify({ epoch: receipt.epoch, stored: receipt.stored });
}

/** @throws WireError when the payload is not a receipt; nothing of a bad receipt is believed */
export function decodeReceipt(text: string): Receipt {
  const record = asRecord(parseJson(text), 'a receipt');
  const stored = record['stored'];
  if (!Array.isArray(stored)) throw new WireError('WIRE_SCHEMA', 'stored must be an array of [from, to] pairs');
  return { epoch: textField(record, 'epoch', ID_RULE, isId), stored: stored.map(decodeRange) };
}

function decodeRange(pair: unknown): SeqRange {
  if (Array.isArray(pair) && pair.length === 2) {
    const [from, to] = pair as readonly unknown[];
    if (isSeq(from) && isSeq(to) && from <= to) return [from, to];
  }
  throw new WireError('WIRE_SCHEMA', `stored must hold [from, to] pairs of numbers, found ${JSON.stringify(pair)}`);
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_SEQ;
}
