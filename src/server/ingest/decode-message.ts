import { isUtf8 } from 'node:buffer';
import { parseJson, WireError } from '../../contract/json.ts';
import { decodeItem, type GapRecord, MAX_SEQ, type Reading } from '../../contract/reading.ts';
import { decodeStatus } from '../../contract/status.ts';
import { isId, parseSensorTopic, type SensorTopic, type SensorTopicLeaf } from '../../contract/topics.ts';
import {
  type BadItem,
  type IngestMessage,
  ITEM_KEPT_BYTES,
  PAYLOAD_KEPT_BYTES,
  type Rejection,
} from '../store/ingest-store.ts';
import { type RejectReason, timeProblem } from '../store/stored.ts';

/** A message as the broker delivered it. */
export interface RawMessage {
  readonly topic: string;
  /** Less than `payloadBytes` where the rest was not kept. */
  readonly payload: Buffer;
  readonly payloadBytes: number;
  readonly isRetained: boolean;
}

export interface DecodeContext {
  /** Wall clock. */
  readonly nowMs: number;
  /** By what times in the future are judged. Infinity: by nothing, as a Pi without a clock of its own wakes up in the past. */
  readonly judgedByMs: number;
  readonly maxPayloadBytes: number;
}

/** What the server listens to. */
export const INGEST_LEAVES = ['reading', 'backlog', 'gap', 'status'] as const satisfies readonly SensorTopicLeaf[];

/** Readings in one message; five hundred times what an agent sends, and one transaction holds it. */
const MAX_ITEMS = 25_000;
const BYTE_ORDER_MARK = '\u{FEFF}';
/** Of what was wrong, for people. */
const MAX_DETAIL = 300;

/**
 * What a message says, for the store: pure, and whatever came it does not throw. Undefined for what is taken without a word: the
 * empty array by which an agent's doctor tries whether it may publish, and an empty payload, which clears a retained message.
 */
export function decodeMessage(raw: RawMessage, context: DecodeContext): IngestMessage | undefined {
  const topic = parseSensorTopic(raw.topic);
  if (raw.payloadBytes === 0) return undefined;
  try {
    if (topic === undefined || !INGEST_LEAVES.some((leaf) => leaf === topic.leaf))
      return rejected(raw, context, 'bad-topic', 'home/{home_id}/sensors/{device_uid}/… was expected');
    if (raw.payloadBytes > context.maxPayloadBytes || raw.payload.length < raw.payloadBytes) {
      return rejected(
        raw,
        context,
        'too-large',
        `${raw.payloadBytes} bytes; at most ${context.maxPayloadBytes} are taken`,
      );
    }
    if (!isUtf8(raw.payload)) return rejected(raw, context, 'not-utf8', 'the payload is not UTF-8 text');
    return decodeText(raw, topic, textOf(raw.payload), context);
  } catch (error) {
    // An error that is not the contract's is a fault of ours; the message must not be lost to it all the same.
    const isNoJson = error instanceof WireError && error.code === 'WIRE_NOT_JSON';
    return rejected(raw, context, isNoJson ? 'not-json' : 'bad-shape', (error as Error).message);
  }
}

function decodeText(
  raw: RawMessage,
  topic: SensorTopic,
  text: string,
  context: DecodeContext,
): IngestMessage | undefined {
  const { homeId, deviceUid } = topic;
  if (topic.leaf === 'status') {
    const status = decodeStatus(text);
    return {
      kind: 'status',
      topic: raw.topic,
      receivedMs: context.nowMs,
      homeId,
      deviceUid,
      status,
      isRetained: raw.isRetained,
    };
  }
  const value = parseJson(text);
  // A list on `reading` and a single one on `backlog` are unusual, and clear all the same.
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) return undefined;
  if (values.length > MAX_ITEMS) {
    return rejected(raw, context, 'too-large', `${values.length} items in one message; at most ${MAX_ITEMS} are taken`);
  }
  const items: (Reading | GapRecord)[] = [];
  const bad: BadItem[] = [];
  for (const each of values) {
    const item = itemOf(each, context);
    if (isBad(item)) bad.push(item);
    else items.push(item);
  }
  const message = {
    kind: 'items',
    topic: raw.topic,
    receivedMs: context.nowMs,
    homeId,
    deviceUid,
    items,
    bad,
  } as const;
  return raw.isRetained ? { ...message, isRetained: true } : message;
}

function itemOf(value: unknown, context: DecodeContext): Reading | GapRecord | BadItem {
  try {
    const item = decodeItem(value);
    // When a gap record was written down does not matter: the numbers that it names count.
    const problem = 'gap' in item ? undefined : timeProblem(item.tsMs, context.judgedByMs);
    return problem === undefined ? item : { ...badItem(value, 'bad-time', problem), tsMs: item.tsMs };
  } catch (error) {
    return badItem(value, 'bad-shape', (error as Error).message);
  }
}

function isBad(item: Reading | GapRecord | BadItem): item is BadItem {
  return 'reason' in item;
}

/** With its number where that can be read, so that its place in the record is explained and its sender need not send it again. */
function badItem(value: unknown, reason: RejectReason, detail: string): BadItem {
  const text = textOfItem(value);
  const kept = keptOf(Buffer.from(text), ITEM_KEPT_BYTES);
  return { reason, detail: cut(detail, MAX_DETAIL), ...kept, ...numberOf(value) };
}

function numberOf(value: unknown): { readonly epoch: string; readonly seq: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, seq } = value as { readonly epoch?: unknown; readonly seq?: unknown };
  if (typeof epoch !== 'string' || !isId(epoch)) return undefined;
  if (typeof seq !== 'number' || !Number.isInteger(seq) || seq < 1 || seq > MAX_SEQ) return undefined;
  return { epoch, seq };
}

function textOfItem(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    // JSON.parse reads any depth, JSON.stringify does not write it.
    return '[nested too deeply to be shown]';
  }
}

function rejected(raw: RawMessage, context: DecodeContext, reason: RejectReason, detail: string): IngestMessage {
  const deviceUid = parseSensorTopic(raw.topic)?.deviceUid;
  return {
    kind: 'rejected',
    topic: cut(raw.topic, MAX_DETAIL),
    receivedMs: context.nowMs,
    reason,
    detail: cut(detail, MAX_DETAIL),
    ...keptOf(raw.payload, PAYLOAD_KEPT_BYTES),
    payloadBytes: raw.payloadBytes,
    ...(deviceUid !== undefined && { deviceUid }),
  };
}

function keptOf(payload: Buffer, maxBytes: number): Pick<Rejection, 'payload' | 'payloadBytes'> {
  return { payload: payload.toString('utf8', 0, maxBytes), payloadBytes: payload.length };
}

function textOf(payload: Buffer): string {
  const text = payload.toString('utf8');
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
