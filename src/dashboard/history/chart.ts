import uPlot from 'uplot';
import type { Zone } from '../../calendar/local-time.ts';
import type { Format } from '../text/format.ts';
import { tickStep, ticks } from '../time/ticks.ts';
import { loneIndices, type PlotData } from './plot-data.ts';
import type { TimeRange } from './range.ts';
import type { Palette, Source } from './sources.ts';

/** What the chart shows; a new object for each change. */
export interface ChartContent {
  readonly data: PlotData;
  /** In the order of `data.lines`. */
  readonly sources: readonly Source[];
  readonly range: TimeRange;
  readonly unit: string;
  readonly leastSpan: number;
}

const HATCH_PX = 8;
const STRIP_PX = 7;

/**
 * Stretches that a gap record explains, hatched: over the whole height where one room is shown, else as a strip at the foot in
 * the room's colour, because another room may have been measured at that time.
 */
export function drawGaps(plot: uPlot, { data, sources }: ChartContent, palette: Palette): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const ratio = devicePixelRatio;
  data.lines.forEach(({ gaps }, line) => {
    const colour =
      data.lines.length === 1 ? palette.hatch : (palette.lines[sources[line]?.colour ?? 0] ?? palette.hatch);
    const strip = STRIP_PX * ratio;
    const area =
      data.lines.length === 1 ? { y: top, h: height } : { y: top + height - (line + 1) * strip, h: strip - ratio };
    for (const { fromMs, toMs } of gaps) {
      if (fromMs === null || toMs === null) continue;
      const from = Math.max(left, plot.valToPos(fromMs, 'x', true));
      const to = Math.min(left + width, plot.valToPos(toMs, 'x', true));
      if (to <= left || from >= left + width) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(from, area.y, Math.max(2 * ratio, to - from), area.h);
      ctx.clip();
      hatch(ctx, { x: from, y: area.y, w: Math.max(2 * ratio, to - from), h: area.h }, colour, ratio);
      ctx.restore();
    }
  });
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

function hatch(ctx: CanvasRenderingContext2D, { x, y, w, h }: Box, colour: string, ratio: number): void {
  const gap = HATCH_PX * ratio;
  ctx.strokeStyle = colour;
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = ratio;
  ctx.beginPath();
  // Counted from the canvas, so that hatches side by side are one.
  for (let at = Math.floor((x - h) / gap) * gap; at < x + w + h; at += gap) {
    ctx.moveTo(at, y + h);
    ctx.lineTo(at + h, y);
  }
  ctx.stroke();
}

/** A bucket alone between two gaps has a least and a most too, but no area: a stroke. */
export function drawLoneBands(plot: uPlot, { data, sources }: ChartContent, palette: Palette): void {
  const { ctx } = plot;
  data.lines.forEach(({ mean, least, most }, line) => {
    ctx.save();
    ctx.strokeStyle = palette.lines[sources[line]?.colour ?? 0] ?? palette.ink;
    ctx.globalAlpha = 0.4;
    ctx.lineWidth = 3 * devicePixelRatio;
    ctx.beginPath();
    for (const index of loneIndices(mean)) {
      const [time, low, high] = [data.times[index], least[index], most[index]];
      if (time === undefined || typeof low !== 'number' || typeof high !== 'number' || low === high) continue;
      const x = plot.valToPos(time, 'x', true);
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
      ctx.moveTo(x, plot.valToPos(low, 'y', true));
      ctx.lineTo(x, plot.valToPos(high, 'y', true));
    }
    ctx.stroke();
    ctx.restore();
  });
}

export interface ChartOptions {
  readonly root: HTMLElement;
  readonly format: Format;
  readonly zone: Zone;
  readonly content: ChartContent;
  readonly palette: Palette;
  readonly width: number;
  readonly height: number;
  /** The index in `data.times` under the pointer; null: the pointer is not on the chart. */
  readonly onCursor: (index: number | null) => void;
  /** A stretch was selected with the mouse. */
  readonly onSelect: (range: TimeRange) => void;
}

/** uPlot, with our own time axis, gaps and colours. */
export interface Chart {
  /** @returns false when other lines are to be drawn: then a new chart is needed */
  show(content: ChartContent): boolean;
  /** Moves the view at once, before its data are there. */
  readonly preview: (range: TimeRange) => void;
  setCursor(index: number | null): void;
  setSize(width: number, height: number): void;
  setPalette(palette: Palette): void;
  readonly plot: uPlot;
  destroy(): void;
}

const AXIS_FONT = '13px system-ui, sans-serif';
const TICK_PX = 70;
const BAND_ALPHA = '2e';

export function createChart(options: ChartOptions): Chart {
  const { root, format, zone, onCursor, onSelect } = options;
  let { content, palette } = options;
  let range = content.range;
  let isOurs = false;

  const step = (plot: uPlot) => tickStep(range.toMs - range.fromMs, plot.width - 60, TICK_PX);
  const colourOf = (line: number): string => palette.lines[content.sources[line]?.colour ?? 0] ?? palette.ink;
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  content.sources.forEach(({ dash }, line) => {
    const first = series.length;
    const edge: uPlot.Series = { width: 0, points: { show: false }, stroke: () => colourOf(line) };
    series.push(
      edge,
      { ...edge },
      {
        width: 2,
        stroke: () => colourOf(line),
        ...(dash.length > 0 && { dash: [...dash] }),
        points: {
          show: true,
          size: 6,
          fill: () => colourOf(line),
          filter: (plot, index) => loneIndices(plot.data[index] as (number | null | undefined)[]),
        },
      },
    );
    bands.push({ series: [first, first + 1], fill: () => `${colourOf(line)}${BAND_ALPHA}` });
  });

  const axis: uPlot.Axis = {
    font: AXIS_FONT,
    stroke: () => palette.quiet,
    grid: { stroke: () => palette.grid, width: 1 },
    ticks: { stroke: () => palette.grid, width: 1, size: 5 },
  };
  const plot = new uPlot(
    {
      ms: 1,
      width: options.width,
      height: options.height,
      padding: [12, 12, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => [range.fromMs, range.toMs] },
        y: { range: (_plot, low, high) => spanOf(low, high, content.leastSpan) },
      },
      axes: [
        {
          ...axis,
          size: 34,
          splits: (self) => ticks(range.fromMs, range.toMs, step(self), zone),
          values: (self, marks) => marks.map((ms) => format.tick(ms, step(self)).line),
        },
        {
          ...axis,
          size: 62,
          values: (_self, marks) =>
            marks.map((value, index) => {
              const text = format.number(value).replace(/[.,]0$/, '');
              return index === marks.length - 1 ? `${text} ${content.unit}` : text;
            }),
        },
      ],
      series,
      bands,
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        points: { size: 8, fill: (_self, index) => colourOf(lineOf(index)), width: 0, show: showsPoint },
      },
      hooks: {
        drawClear: [(self) => drawGaps(self, content, palette)],
        draw: [(self) => drawLoneBands(self, content, palette)],
        setCursor: [
          (self) =>
            !isOurs &&
            onCursor(self.cursor.left === undefined || self.cursor.left < 0 ? null : (self.cursor.idx ?? null)),
        ],
        setSelect: [
          (self) => {
            const { left, width } = self.select;
            if (width < 4) return;
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            onSelect({ fromMs: self.posToVal(left, 'x'), toMs: self.posToVal(left + width, 'x') });
          },
        ],
      },
    },
    aligned(content.data),
    root,
  );

  return {
    plot,
    show(next) {
      if (next.sources.map(({ key }) => key).join() !== content.sources.map(({ key }) => key).join()) return false;
      const isSameData = next.data === content.data;
      content = next;
      range = next.range;
      if (isSameData) plot.setScale('x', { min: range.fromMs, max: range.toMs });
      else plot.setData(aligned(content.data));
      return true;
    },
    preview(next) {
      range = next;
      plot.setScale('x', { min: range.fromMs, max: range.toMs });
    },
    setCursor(index) {
      const time = index === null ? undefined : content.data.times[index];
      isOurs = true;
      plot.setCursor({ left: time === undefined ? -10 : plot.valToPos(time, 'x'), top: time === undefined ? -10 : 0 });
      isOurs = false;
    },
    setSize: (width, height) => plot.setSize({ width, height }),
    setPalette(next) {
      palette = next;
      plot.redraw(false);
    },
    destroy: () => plot.destroy(),
  };
}

/** Columns as uPlot wants them: times, then most, least and mean of each line. */
function aligned({ times, lines }: PlotData): uPlot.AlignedData {
  return [[...times], ...lines.flatMap(({ most, least, mean }) => [[...most], [...least], [...mean]])];
}

function lineOf(seriesIndex: number): number {
  return Math.floor((seriesIndex - 1) / 3);
}

/** Only the mean has a point at the cursor. */
function showsPoint(plot: uPlot, seriesIndex: number): HTMLElement {
  const point = document.createElement('div');
  if (seriesIndex % 3 !== 0) point.classList.add('u-off-edge');
  plot.over.append(point);
  return point;
}

function spanOf(low: number | null, high: number | null, least: number): [number, number] {
  if (low === null || high === null) return [0, least];
  const missing = Math.max(0, least - (high - low)) / 2;
  const pad = (high - low) * 0.06;
  return [low - missing - pad, high + missing + pad];
}
