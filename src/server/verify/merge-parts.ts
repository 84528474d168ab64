import type { SeqRange } from '../../contract/seq-ranges.ts';
import { normaliseRanges } from '../../contract/seq-ranges.ts';
import type { DeviceNumbers, EpochNumbers, NumbersPart } from '../store/audit-store.ts';

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
