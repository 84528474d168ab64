import { asRecord, integerField, type JsonRecord, numberField, textField, WireError } from './json.ts';
import { ID_RULE, isId } from './topics.ts';

/**
 * A measurement with its time and its number, as it goes over the wire.
 * (device_uid, ts, epoch, seq) is its identity; none of them ever changes once it has been sent.
 */
export interface Reading {
  /** °C, two decimals. */
  readonly temperatureCelsius: number;
  /** %RH, two decimals. */
  readonly humidityPercent: number;
  /** Epoch milliseconds UTC at which the measurement ended. */
  readonly tsMs: number;
  /** Names the journal that numbered this reading; absent in readings of older agents. */
  readonly epoch?: string;
  /** Counts from 1 within an epoch, without holes; absent in readings of older agents. */
  readonly seq?: number;
  /**
   * Present when the time cannot be relied on: the clock was never synchronised, or was stepped since, or the agent was kept from
   * running while it measured, so that the moment is known only roughly.
   */
  readonly clock?: 'unsynced';
  /** Present when a command asked for this reading. */
  readonly trigger?: 'command';
}

/** A stretch of numbers of which some are gone for good, and why. It has a number of its own and is receipted like a reading. */
export interface Gap {
  /** The epoch whose numbers are gone (not always the epoch that carries this record). */
  readonly ofEpoch: string;
  readonly from: number;
  /** Last number of the stretch; absent when the end cannot be known (the file's end was cut off). */
  readonly to?: number;
  /** How many numbers of the stretch are gone; absent when that cannot be known. */
  readonly count?: number;
  readonly reason: GapReason;
  /** Time of the first and last reading that is gone, as far as known. */
  readonly fromTsMs?: number;
  readonly toTsMs?: number;
}

export const GAP_REASONS = ['thinned', 'dropped', 'damaged', 'lost-in-memory'] as const;
export type GapReason = (typeof GAP_REASONS)[number];

export interface GapRecord {
  readonly gap: Gap;
  readonly tsMs: number;
  readonly epoch: string;
  readonly seq: number;
}

/** Largest sequence number: 2^48 - 1, far beyond any journal and exact in a double. */
export const MAX_SEQ = 2 ** 48 - 1;
/** 9999-12-31, the last day that ISO 8601 writes with four digits. */
const MAX_TS_MS = 253_402_300_799_999;

/** `{"temperature_c":21.02,"humidity_pct":63.33,"ts":1757537685793,"epoch":"k3v9x2","seq":1042}` */
export function encodeReading(reading: Reading): string {
  return JSON.stringify(readingToWire(reading));
}

/** `{"gap":{"epoch":"k3v9x2","from":10,"to":19,"count":5,"reason":"thinned"},"ts":…,"epoch":…,"seq":…}` */
export function encodeGapRecord(record: GapRecord): string {
  return JSON.stringify(gapRecordToWire(record));
}

/** A JSON array for the `backlog` topic, oldest first. */
export function encodeBacklog(items: readonly (Reading | GapRecord)[]): string {
  return JSON.stringify(items.map((item) => ('gap' in item ? gapRecordToWire(item) : readingToWire(item))));
}

/** What one message of a `backlog` array (or of `reading`, `gap`) says. Unknown fields are ignored. @throws WireError */
export function decodeItem(value: unknown): Reading | GapRecord {
  const record = asRecord(value, 'a reading');
  return record['gap'] === undefined ? decodeReading(record) : decodeGapRecord(record);
}

function readingToWire(reading: Reading): JsonRecord {
  return {
    temperature_c: reading.temperatureCelsius,
    humidity_pct: reading.humidityPercent,
    ts: reading.tsMs,
    ...(reading.epoch !== undefined && { epoch: reading.epoch }),
    ...(reading.seq !== undefined && { seq: reading.seq }),
    ...(reading.clock !== undefined && { clock: reading.clock }),
    ...(reading.trigger !== undefined && { trigger: reading.trigger }),
  };
}

function gapRecordToWire({ gap, tsMs, epoch, seq }: GapRecord): JsonRecord {
  return {
    gap: {
      epoch: gap.ofEpoch,
      from: gap.from,
      ...(gap.to !== undefined && { to: gap.to }),
      ...(gap.count !== undefined && { count: gap.count }),
      reason: gap.reason,
      ...(gap.fromTsMs !== undefined && { from_ts: gap.fromTsMs }),
      ...(gap.toTsMs !== undefined && { to_ts: gap.toTsMs }),
    },
    ts: tsMs,
    epoch,
    seq,
  };
}

function decodeReading(record: JsonRecord): Reading {
  const temperatureCelsius = numberField(record, 'temperature_c', -100, 200);
  const humidityPercent = numberField(record, 'humidity_pct', 0, 100);
  const tsMs = integerField(record, 'ts', 0, MAX_TS_MS);
  // Written out for the usual ones, which come by the hundred thousand: no objects are spread.
  const reading = isNumbered(record)
    ? { temperatureCelsius, humidityPercent, tsMs, epoch: epochOf(record), seq: seqOf(record) }
    : { temperatureCelsius, humidityPercent, tsMs };
  const isUnsynced = record['clock'] === 'unsynced';
  const isOnDemand = record['trigger'] === 'command';
  if (!isUnsynced && !isOnDemand) return reading;
  return {
    ...reading,
    ...(isUnsynced && { clock: 'unsynced' as const }),
    ...(isOnDemand && { trigger: 'command' as const }),
  };
}

function isNumbered(record: JsonRecord): boolean {
  return record['epoch'] !== undefined || record['seq'] !== undefined;
}

function epochOf(record: JsonRecord): string {
  return textField(record, 'epoch', ID_RULE, isId);
}

function seqOf(record: JsonRecord): number {
  return integerField(record, 'seq', 1, MAX_SEQ);
}

function decodeGapRecord(record: JsonRecord): GapRecord {
  const gap = asRecord(record['gap'], 'gap');
  const reason = GAP_REASONS.find((candidate) => candidate === gap['reason']);
  if (reason === undefined) {
    throw new WireError('WIRE_SCHEMA', `gap.reason must be one of ${GAP_REASONS.join(', ')}`);
  }
  const from = integerField(gap, 'from', 1, MAX_SEQ);
  return {
    gap: {
      ofEpoch: textField(gap, 'epoch', ID_RULE, isId),
      from,
      ...(gap['to'] !== undefined && { to: integerField(gap, 'to', from, MAX_SEQ) }),
      ...(gap['count'] !== undefined && { count: integerField(gap, 'count', 0, MAX_SEQ) }),
      reason,
      ...(gap['from_ts'] !== undefined && { fromTsMs: integerField(gap, 'from_ts', 0, MAX_TS_MS) }),
      ...(gap['to_ts'] !== undefined && { toTsMs: integerField(gap, 'to_ts', 0, MAX_TS_MS) }),
    },
    tsMs: integerField(record, 'ts', 0, MAX_TS_MS),
    epoch: epochOf(record),
    seq: seqOf(record),
  };
}
