import { asRecord, type JsonRecord, parseJson, WireError } from './json.ts';
import { isId } from './topics.ts';

/** The retained word of a device about itself, on `status`. Additions are always allowed; readers ignore what they do not know. */
export interface DeviceStatus {
  readonly state: 'online' | 'offline';
  readonly uid?: string;
  readonly label?: string;
  readonly room?: string;
  readonly version?: string;
  /** Epoch ms at which this was said. */
  readonly ts?: number;
  readonly interval_s?: number;
  readonly delivery?: 'receipt' | 'broker';
  readonly sensor?: {
    readonly state: 'ok' | 'fault' | 'starting';
    readonly description: string;
    readonly error?: string;
    readonly failures: number;
    readonly crc_errors: number;
    readonly missed: number;
  };
  readonly journal?: {
    readonly epoch: string;
    readonly state: 'ok' | 'memory';
    readonly buffered: number;
    readonly dropped: number;
    /** The oldest entry that waits; absent where none does, and in the words of older agents. */
    readonly oldest?: { readonly epoch: string; readonly seq: number };
    readonly error?: string;
  };
  readonly clock?: {
    readonly state: 'synced' | 'unsynced' | 'waiting';
    readonly last_step_ms?: number;
  };
  readonly config?: { readonly state: 'ok' | 'rejected'; readonly error?: string };
  readonly mqtt?: StatusOfMqtt;
  readonly last_error?: string;
}

/** How it stands between the device, the broker and the servers. */
export interface StatusOfMqtt {
  readonly protocol?: '5' | '3.1.1';
  /** `none`: the broker says that no program is subscribed to the readings; they stay in the journal. */
  readonly subscribers?: 'none';
  /** Nothing leaves the journal yet: a server may be about to announce itself. */
  readonly waiting_for_server?: true;
  /** What the device does not do any more, since the broker answers it by hanging up. */
  readonly left_out?: readonly string[];
  /** Entries of the journal that do not get through while others do. */
  readonly set_aside?: number;
  /** Messages that came and were not believed. */
  readonly ignored?: number;
  readonly servers?: readonly { readonly name: string; readonly state: string; readonly record?: string }[];
  /** All that is wrong at the moment, oldest first. */
  readonly problems?: readonly { readonly code: string; readonly message: string }[];
}

/** What the broker says for a device that vanished. */
export const OFFLINE_STATUS: DeviceStatus = { state: 'offline' };

export function encodeStatus(status: DeviceStatus): string {
  return JSON.stringify(status);
}

/** Texts of a status are for people; what is longer is cut. */
const MAX_TEXT = 500;
/** Nothing that a status lists is longer. */
const MAX_LIST = 16;
/** Half of a pair: legal in JSON, in no encoding. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/gu;
/** Wide enough for any time and any count. */
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/**
 * Reads what any agent says of itself. Only `state` must be right; every other field that is not what it should be is left out,
 * unknown ones are ignored and texts are cut, so that one odd field does not hide the rest. @throws WireError
 */
export function decodeStatus(text: string): DeviceStatus {
  const record = asRecord(parseJson(text), 'a status');
  const state = oneOf(record['state'], ['online', 'offline'] as const);
  if (state === undefined) throw new WireError('WIRE_SCHEMA', 'state must be "online" or "offline"');
  return withoutAbsent({
    state,
    uid: textOf(record['uid']),
    label: textOf(record['label']),
    room: textOf(record['room']),
    version: textOf(record['version']),
    ts: numberOf(record['ts']),
    interval_s: numberOf(record['interval_s']),
    delivery: oneOf(record['delivery'], ['receipt', 'broker'] as const),
    sensor: sensorOf(partOf(record['sensor'])),
    journal: journalOf(partOf(record['journal'])),
    clock: clockOf(partOf(record['clock'])),
    config: configOf(partOf(record['config'])),
    mqtt: record['mqtt'] === undefined ? undefined : mqttOf(partOf(record['mqtt'])),
    last_error: textOf(record['last_error']),
  });
}

function sensorOf(part: JsonRecord): DeviceStatus['sensor'] {
  const state = oneOf(part['state'], ['ok', 'fault', 'starting'] as const);
  if (state === undefined) return undefined;
  return withoutAbsent({
    state,
    description: textOf(part['description']) ?? '',
    error: textOf(part['error']),
    failures: numberOf(part['failures']) ?? 0,
    crc_errors: numberOf(part['crc_errors']) ?? 0,
    missed: numberOf(part['missed']) ?? 0,
  });
}

function journalOf(part: JsonRecord): DeviceStatus['journal'] {
  const state = oneOf(part['state'], ['ok', 'memory'] as const);
  const epoch = part['epoch'];
  if (state === undefined || typeof epoch !== 'string' || !isId(epoch)) return undefined;
  return withoutAbsent({
    epoch,
    state,
    buffered: numberOf(part['buffered']) ?? 0,
    dropped: numberOf(part['dropped']) ?? 0,
    oldest: placeOf(partOf(part['oldest'])),
    error: textOf(part['error']),
  });
}

function placeOf({ epoch, seq }: JsonRecord): { readonly epoch: string; readonly seq: number } | undefined {
  const isPlace = typeof epoch === 'string' && isId(epoch) && Number.isSafeInteger(seq) && (seq as number) >= 1;
  return isPlace ? { epoch, seq: seq as number } : undefined;
}

function clockOf(part: JsonRecord): DeviceStatus['clock'] {
  const state = oneOf(part['state'], ['synced', 'unsynced', 'waiting'] as const);
  return state === undefined ? undefined : withoutAbsent({ state, last_step_ms: numberOf(part['last_step_ms']) });
}

function configOf(part: JsonRecord): DeviceStatus['config'] {
  const state = oneOf(part['state'], ['ok', 'rejected'] as const);
  return state === undefined ? undefined : withoutAbsent({ state, error: textOf(part['error']) });
}

function mqttOf(part: JsonRecord): DeviceStatus['mqtt'] {
  const servers = listOf(part['servers'])
    .map(partOf)
    .map(({ name, state, record }) =>
      withoutAbsent({ name: textOf(name) ?? '', state: textOf(state) ?? '', record: textOf(record) }),
    );
  const problems = listOf(part['problems'])
    .map(partOf)
    .map(({ code, message }) => ({
      code: textOf(code) ?? '',
      message: textOf(message) ?? '',
    }));
  const leftOut = listOf(part['left_out'])
    .map(textOf)
    .filter((text) => text !== undefined);
  return withoutAbsent({
    protocol: oneOf(part['protocol'], ['5', '3.1.1'] as const),
    subscribers: oneOf(part['subscribers'], ['none'] as const),
    waiting_for_server: part['waiting_for_server'] === true ? (true as const) : undefined,
    left_out: leftOut.length === 0 ? undefined : leftOut,
    set_aside: numberOf(part['set_aside']),
    ignored: numberOf(part['ignored']),
    servers: servers.length === 0 ? undefined : servers,
    problems: problems.length === 0 ? undefined : problems,
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]).slice(0, MAX_LIST) : [];
}

function partOf(value: unknown): JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : {};
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((candidate) => candidate === value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT).replace(LONE_SURROGATE, '\u{FFFD}') : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) <= MAX_NUMBER ? value : undefined;
}

/** Absent, not undefined: a status is compared, stored and sent as JSON. */
function withoutAbsent<T extends object>(record: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}
