import type uPlot from 'uplot';
import type { ChartContent } from './chart-content.ts';
import type { Palette } from './palette.ts';
import { loneIndices } from './plot-data.ts';

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
