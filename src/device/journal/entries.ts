import { MAX_SEQ } from '../../contract/reading.ts';
import type { NewReading, ReadingEntry, Settlement, Stamp } from './journal.ts';

/** What a slot can hold; the chips that we know stay far inside. */
const MAX_ABS_TEMPERATURE_CELSIUS = 300;
const MAX_FRAME_BYTES = 7;

/** A settlement and how far it reaches. */
export interface BoundedSettlement extends Settlement {
  readonly uptoSeq: number;
}

/** Gives a reading its number; values are rounded to two decimals. @throws RangeError for what no sensor can have said */
export function numberReading(reading: NewReading, seq: number): ReadingEntry {
  const { temperatureCelsius, humidityPercent, monotonicMs, frame } = reading;
  if (
    !(Math.abs(temperatureCelsius) <= MAX_ABS_TEMPERATURE_CELSIUS) ||
    !(humidityPercent >= 0 && humidityPercent <= 100)
  ) {
    throw new RangeError(`not a reading: ${temperatureCelsius} °C, ${humidityPercent} %RH`);
  }
  if (!Number.isFinite(monotonicMs) || !Number.isFinite(reading.stamp.tsMs)) {
    throw new RangeError(`not a time: ${reading.stamp.tsMs} ms, monotonic ${monotonicMs} ms`);
  }
  if (frame !== undefined && frame.length > MAX_FRAME_BYTES) {
    throw new RangeError(`a frame has up to ${MAX_FRAME_BYTES} bytes, found ${frame.length}`);
  }
  return {
    kind: 'reading',
    seq,
    temperatureCelsius: roundToCents(temperatureCelsius),
    humidityPercent: roundToCents(humidityPercent),
    stamp: { state: reading.stamp.state, tsMs: wholeMs(reading.stamp.tsMs) },
    bootId: reading.bootId,
    monotonicMs,
    ...(reading.isTimeRough === true && { isTimeRough: true as const }),
    ...(reading.trigger !== undefined && { trigger: reading.trigger }),
    ...(frame !== undefined && frame.length > 0 && { frame: Uint8Array.from(frame) }),
  };
}

/** The reading with its final time, or undefined while it has none. The first settlement that reaches it counts for ever. */
export function withFinalTime(
  entry: ReadingEntry,
  settlements: readonly BoundedSettlement[],
): ReadingEntry | undefined {
  if (entry.stamp.state !== 'pending') return entry;
  const settlement = settlements.find(({ bootId, uptoSeq }) => bootId === entry.bootId && uptoSeq >= entry.seq);
  if (settlement === undefined) return undefined;
  return { ...entry, stamp: settledStamp(entry, settlement) };
}

export function settledStamp(entry: ReadingEntry, { wallMinusMonotonicMs, state: settled }: Settlement): Stamp {
  const state = entry.isTimeRough === true ? 'unsynced' : settled;
  if (wallMinusMonotonicMs === 'as-stamped') return { state, tsMs: entry.stamp.tsMs };
  return { state, tsMs: wholeMs(wallMinusMonotonicMs + entry.monotonicMs) };
}

/** Whole milliseconds, within what the wire and a record can carry. */
export function wholeMs(ms: number): number {
  return Math.min(MAX_SEQ, Math.max(0, Math.round(ms)));
}

function roundToCents(value: number): number {
  // Adding 0 turns -0 into 0.
  return Math.round(value * 100) / 100 + 0;
}
