import { absoluteHumidityGramsPerCubicMetre, dewPointCelsius } from '../../contract/climate.ts';
import type { Series, SeriesSource } from '../api/api.ts';
import type { Bucket, Gap, Spread } from '../state/model.ts';
import { BUCKET_MS, type Quantity, type SourceKey, type TimeRange } from './range.ts';

/** A number is drawn, null breaks the line, undefined means that this line has no value here, but another line has. */
export type Value = number | null | undefined;

/** What the chart, the table and the exports show: columns over one axis of times. */
export interface PlotData {
  /** Ascending; the middle of a bucket, or the time of a reading. */
  readonly times: readonly number[];
  /** The period that each of `times` stands for. */
  readonly spans: readonly TimeRange[];
  readonly lines: readonly PlotLine[];
}

export interface PlotLine {
  readonly key: SourceKey;
  readonly mean: readonly Value[];
  readonly least: readonly Value[];
  readonly most: readonly Value[];
  /** Stretches without readings that are longer than they should be. */
  readonly holes: readonly TimeRange[];
  /** The gap records of the devices. */
  readonly gaps: readonly Gap[];
}

/** A line breaks where two readings are missing at least; with buckets wider than that, where one bucket is empty. */
const BREAK_AFTER_INTERVALS = 2.5;
const BREAK_AFTER_BUCKETS = 1.5;

/** @param intervalOf how often the devices of a source are to send a reading */
export function plotData(series: Series, quantity: Quantity, intervalOf: (key: SourceKey) => number): PlotData {
  const bucketMs = series.bucket === 'raw' ? 0 : BUCKET_MS[series.bucket];
  const drawn = series.sources.map((source) => {
    const breakMs = Math.max(BREAK_AFTER_INTERVALS * intervalOf(source.key), BREAK_AFTER_BUCKETS * bucketMs);
    return pointsOf(source, quantity, breakMs);
  });
  const spans = new Map<number, TimeRange>();
  for (const { points } of drawn) {
    for (const [time, { span }] of points) {
      if (!spans.has(time)) spans.set(time, span);
    }
  }
  const times = [...spans.keys()].sort((a, b) => a - b);
  return {
    times,
    spans: times.map((time) => spans.get(time) ?? { fromMs: time, toMs: time }),
    lines: drawn.map(({ source, points, holes }) => {
      const column = (pick: (spread: Spread) => number): Value[] =>
        times.map((time) => {
          const spread = points.get(time)?.spread;
          if (spread !== undefined && spread !== null) return pick(spread);
          // Null at every time of a hole: next to an undefined value uPlot would draw the line into the hole.
          return holes.some(({ fromMs, toMs }) => time >= fromMs && time <= toMs) ? null : undefined;
        });
      return {
        key: source.key,
        mean: column(({ avg }) => avg),
        least: column(({ min }) => min),
        most: column(({ max }) => max),
        holes,
        gaps: source.gaps,
      };
    }),
  };
}

interface Point {
  readonly span: TimeRange;
  /** Null: the line breaks here. */
  readonly spread: Spread | null;
}

interface SourcePoints {
  readonly source: SeriesSource;
  readonly points: ReadonlyMap<number, Point>;
  readonly holes: readonly TimeRange[];
}

function pointsOf(source: SeriesSource, quantity: Quantity, breakMs: number): SourcePoints {
  const points = new Map<number, Point>();
  const holes: TimeRange[] = [];
  let before: Bucket | undefined;
  for (const bucket of source.buckets) {
    const spread = spreadOf(bucket, quantity);
    if (spread === null) continue;
    const time = middle(bucket);
    if (before !== undefined && time - middle(before) > breakMs) {
      const hole = { fromMs: before.toMs, toMs: bucket.fromMs };
      holes.push(hole);
      const inside = Math.round((hole.fromMs + hole.toMs) / 2);
      points.set(inside, { span: hole, spread: null });
    }
    points.set(time, { span: bucket, spread });
    before = bucket;
  }
  return { source, points, holes };
}

function middle({ fromMs, toMs }: TimeRange): number {
  return Math.round((fromMs + toMs) / 2);
}

/** Dew point and absolute humidity of a bucket come from its means: both extremes may be from different times. */
function spreadOf({ count, temperature, humidity }: Bucket, quantity: Quantity): Spread | null {
  if (count === 0 || temperature === null || humidity === null) {
    return null;
  }
  switch (quantity) {
    case 'temperature':
      return temperature;
    case 'humidity':
      return humidity;
    case 'dew-point':
      return single(dewPointCelsius(temperature.avg, humidity.avg));
    case 'absolute-humidity':
      return single(absoluteHumidityGramsPerCubicMetre(temperature.avg, humidity.avg));
  }
}

function single(value: number | null): Spread | null {
  return value === null ? null : { min: value, avg: value, max: value };
}

/** Points without a neighbour: a line alone would not show them. */
export function loneIndices(values: readonly Value[]): number[] {
  const known = values.flatMap((value, index) => (value === undefined ? [] : [index]));
  return known.filter((index, at) => {
    const [before, after] = [known[at - 1], known[at + 1]].map((n) => (n === undefined ? null : values[n]));
    return values[index] !== null && before === null && after === null;
  });
}

/** Why a source has no reading at an instant: a hole, and the gap record that explains it, if there is one. */
export function absenceAt(line: PlotLine, ms: number): { readonly gap: Gap | undefined } | undefined {
  const isHole = line.holes.some(({ fromMs, toMs }) => ms >= fromMs && ms <= toMs);
  const gap = line.gaps.find(({ fromMs, toMs }) => fromMs !== null && toMs !== null && ms >= fromMs && ms <= toMs);
  return isHole || gap !== undefined ? { gap } : undefined;
}

/** Least, mean and most of what is drawn; null for an empty line. */
export function extremes(line: PlotLine): Spread | null {
  let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
  line.mean.forEach((mean, index) => {
    if (typeof mean !== 'number') return;
    min = Math.min(min, line.least[index] ?? mean);
    max = Math.max(max, line.most[index] ?? mean);
    sum += mean;
    count += 1;
  });
  return count === 0 ? null : { min, max, avg: sum / count };
}
