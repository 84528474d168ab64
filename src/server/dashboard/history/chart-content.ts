import type { PlotData } from './plot-data.ts';
import type { TimeRange } from './range.ts';
import type { Source } from './sources.ts';

/** What the chart shows; a new object for each change. */
export interface ChartContent {
  readonly data: PlotData;
  /** In the order of `data.lines`. */
  readonly sources: readonly Source[];
  readonly range: TimeRange;
  readonly unit: string;
  readonly leastSpan: number;
}
