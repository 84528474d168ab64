import { asRecord, parseJson, textField, WireError } from './json.ts';
import { MAX_SEQ } from './reading.ts';
import type { SeqRange } from './seq-ranges.ts';
import { ID_RULE, isId } from './topics.ts';

/** What a server says of itself, retained on `techtemp/server/{instance}`; its will says offline. */
export interface Announcement {
  readonly state: 'online' | 'offline';
  readonly accepts: readonly ServerAbility[];
  /** The identity of the record that receipts come from; older servers do not tell it. Another one is another record. */
  readonly record?: string;
}

/** `batch`: takes arrays on `backlog`. `receipt`: confirms what it has stored. */
export type ServerAbility = 'batch' | 'receipt';

/** `{"state":"online","accepts":["batch","receipt"],"record":"0f8c…"}` */
export function encodeAnnouncement(announcement: Announcement): string {
  return JSON.stringify(announcement);
}

/** Unknown abilities, and a record that cannot be an identity, are ignored: newer servers are understood. @throws WireError */
export function decodeAnnouncement(text: string): Announcement {
  const said = asRecord(parseJson(text), 'an announcement');
  const state = said['state'];
  if (state !== 'online' && state !== 'offline') throw new WireError('WIRE_SCHEMA', 'state must be online or offline');
  const accepts: readonly unknown[] = Array.isArray(said['accepts']) ? said['accepts'] : [];
  const record = said['record'];
  return {
    state,
    accepts: (['batch', 'receipt'] as const).filter((ability) => accepts.includes(ability)),
    ...(typeof record === 'string' && isId(record) && { record }),
  };
}

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

/** What anyone with the right to publish on `command` may ask of an agent. */
export interface Command {
  readonly action: 'measure';
}

/** `{"action":"measure"}`. @throws WireError when the action is none of ours */
export function decodeCommand(text: string): Command {
  const record = asRecord(parseJson(text), 'a command');
  if (record['action'] !== 'measure') {
    throw new WireError('WIRE_SCHEMA', `action must be "measure", found ${JSON.stringify(record['action'] ?? null)}`);
  }
  return { action: 'measure' };
}
