import { normaliseRanges, type SeqRange } from '../../contract/seq-ranges.ts';
import type {
  AuditStore,
  DayCount,
  DeviceNumbers,
  EpochNumbers,
  NumbersPart,
  TimeRange,
} from '../store/audit-store.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Read at once: some 30 ms of the reading thread on a Pi. */
const READINGS_AT_ONCE = 20_000;
/** While a backlog is taken in, what was read changes behind our back; then it is read again, this often. */
const MAX_ROUNDS = 5;
/** More pieces than that are a matter for `techtemp-server verify`: a thinned journal leaves one for each reading. */
const MAX_RANGES = 200_000;

/** The numbers of a device, and when its readings without numbers were taken. */
export interface NumbersRead extends DeviceNumbers {
  readonly unnumberedTimes: readonly TimeRange[];
}

/** Remembers what it has read of the closed days of one device. */
export interface NumbersReader {
  /** @returns undefined where the record changes too fast, or is in too many pieces, to be judged beside the service's work */
  read(signal: AbortSignal): Promise<NumbersRead | undefined>;
}

/** Days that are read together, and how many readings they hold: as long as that number stays, so does what was read. */
interface Block {
  readonly fromMs: number;
  readonly toMs: number;
  readonly readings: number;
}

/**
 * Reads the numbers of a device in steps, so that a record of ten years blocks nothing else: between two steps the reading thread serves
 * others. What has not changed since the last time is not read again.
 */
export function createNumbersReader(store: Pick<AuditStore, 'numbersPart'>, deviceUid: string): NumbersReader {
  let known = new Map<string, readonly NumbersPart[]>();

  const stepsOf = async (block: Block, signal: AbortSignal): Promise<readonly NumbersPart[]> => {
    const stepMs = block.readings > READINGS_AT_ONCE && block.toMs - block.fromMs === DAY_MS ? HOUR_MS : Infinity;
    const parts: NumbersPart[] = [];
    for (let fromMs = block.fromMs; fromMs < block.toMs; fromMs += stepMs) {
      signal.throwIfAborted();
      const toMs = Math.min(block.toMs, fromMs + stepMs);
      parts.push(await store.numbersPart(deviceUid, { fromMs, toMs, readingsOnly: true }));
    }
    return parts;
  };

  return {
    async read(signal) {
      const nothing = { fromMs: 0, toMs: 0, readingsOnly: true };
      let { days } = await store.numbersPart(deviceUid, nothing);
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const closed = blocksOf(days.slice(0, -1));
        const current = new Map<string, readonly NumbersPart[]>();
        for (const block of closed)
          current.set(keyOf(block), known.get(keyOf(block)) ?? (await stepsOf(block, signal)));
        known = current;
        // The newest day with all that is not by time, in one look, together with the counts that all the rest is held against.
        const fromMs = days.at(-1)?.[0] ?? Number.MIN_SAFE_INTEGER;
        const tail = await store.numbersPart(deviceUid, { fromMs, toMs: Number.MAX_SAFE_INTEGER });
        const before = tail.days.filter(([dayMs]) => dayMs < fromMs);
        if (
          blocksOf(before).every((block) => current.has(keyOf(block))) &&
          sumOf(before) === sumOf(days.slice(0, -1))
        ) {
          const parts = [...[...current.values()].flat(), tail];
          const ranges = parts.reduce(
            (sum, { epochs }) => sum + epochs.reduce((count, { readings }) => count + readings.length, 0),
            0,
          );
          if (ranges > MAX_RANGES) return undefined;
          const unnumberedTimes = parts.flatMap((part) =>
            part.unnumberedTimes === null ? [] : [part.unnumberedTimes],
          );
          return { ...mergeParts(parts), unnumberedTimes };
        }
        days = tail.days;
      }
      return undefined;
    },
  };
}

function blocksOf(days: readonly DayCount[]): readonly Block[] {
  const blocks: { fromMs: number; toMs: number; readings: number }[] = [];
  for (const [dayMs, readings] of days) {
    const last = blocks.at(-1);
    if (last !== undefined && last.readings + readings <= READINGS_AT_ONCE) {
      last.readings += readings;
      last.toMs = dayMs + DAY_MS;
    } else blocks.push({ fromMs: dayMs, toMs: dayMs + DAY_MS, readings });
  }
  return blocks;
}

function keyOf({ fromMs, toMs, readings }: Block): string {
  return `${fromMs} ${toMs} ${readings}`;
}

function sumOf(days: readonly DayCount[]): number {
  return days.reduce((sum, [, readings]) => sum + readings, 0);
}

type Timed = readonly [from: number, to: number, fromMs: number, toMs: number];

/**
 * Puts together what was read of one device in steps, each a stretch of time, in order. The last part also holds what is not by time.
 * The same as reading it at once. Pure.
 */
export function mergeParts(parts: readonly NumbersPart[]): DeviceNumbers {
  const last = parts.at(-1);
  if (last === undefined) return { epochs: [], unnumbered: 0 };
  const names = new Set(parts.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch)));
  const rest = new Map(last.epochs.map((epoch) => [epoch.epoch, epoch]));
  const epochs = [...names].flatMap((name) => {
    const found = parts.flatMap((part) => part.epochs.filter(({ epoch }) => epoch === name));
    const base = rest.get(name) ?? found.at(-1);
    return base === undefined ? [] : [merged(base, found)];
  });
  return {
    epochs: epochs.sort((a, b) => begin(a) - begin(b) || (a.epoch < b.epoch ? -1 : 1)),
    unnumbered: parts.reduce((sum, { unnumbered }) => sum + unnumbered, 0),
  };
}

function merged(base: EpochNumbers, found: readonly EpochNumbers[]): EpochNumbers {
  const timed = found
    .flatMap(({ readings, readingTimes = [] }) =>
      readings.map(([from, to], index): Timed => [from, to, ...(readingTimes[index] ?? ([0, 0] as const))]),
    )
    .sort((a, b) => a[0] - b[0]);
  const readings: [number, number][] = [];
  const readingTimes: [number, number][] = [];
  const doubled: SeqRange[] = found.flatMap((part) => part.doubled);
  for (const [from, to, fromMs, toMs] of timed) {
    const last = readings.at(-1);
    const lastTimes = readingTimes.at(-1);
    if (last === undefined || lastTimes === undefined || from > last[1] + 1) {
      readings.push([from, to]);
      readingTimes.push([fromMs, toMs]);
      continue;
    }
    if (from <= last[1]) doubled.push([from, Math.min(to, last[1])]);
    if (to > last[1]) [last[1], lastTimes[1]] = [to, toMs];
  }
  const withReadings = found.filter(({ fromMs }) => fromMs !== null);
  const lowest = found.reduce(
    (low, part) => ((part.readings[0]?.[0] ?? Infinity) < (low.readings[0]?.[0] ?? Infinity) ? part : low),
    base,
  );
  return {
    ...base,
    readings,
    readingTimes,
    doubled: normaliseRanges(doubled),
    isLowestUnsynced: lowest.isLowestUnsynced ?? false,
    fromMs: withReadings[0]?.fromMs ?? null,
    toMs: withReadings.at(-1)?.toMs ?? null,
  };
}

function begin({ fromMs, gaps }: EpochNumbers): number {
  return fromMs ?? gaps[0]?.fromTsMs ?? gaps[0]?.tsMs ?? Number.MAX_SAFE_INTEGER;
}
