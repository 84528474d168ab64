import { localIso, type Zone } from '../../calendar/local-time.ts';
import { csvLine } from '../../contract/csv.ts';
import type { PlotData, PlotLine } from './plot-data.ts';
import type { Palette } from './sources.ts';

export interface CsvColumn {
  readonly name: string;
  readonly line: PlotLine;
}

/**
 * What the chart shows, as RFC 4180 text: UTC and local time, then mean, least and most of each source. Numbers with a point
 * whatever the reader's language, so that programs read them.
 */
export function toCsv({ times, spans }: PlotData, columns: readonly CsvColumn[], unit: string, zone: Zone): string {
  const head = [
    'from_utc',
    `from_local (${zone.name})`,
    ...columns.flatMap(({ name }) => [`${name} mean (${unit})`, `${name} min`, `${name} max`]),
  ];
  const rows = times.flatMap((_, index) => {
    const fromMs = spans[index]?.fromMs ?? 0;
    const values = columns.flatMap(({ line }) => [line.mean[index], line.least[index], line.most[index]]);
    if (values.every((value) => typeof value !== 'number')) return [];
    return [[new Date(fromMs).toISOString(), localIso(fromMs, zone), ...values.map(rounded)]];
  });
  return [head, ...rows].map(csvLine).join('');
}

function rounded(value: number | null | undefined): number | undefined {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : undefined;
}

export interface PictureText {
  readonly title: string;
  readonly notes: readonly string[];
  /** Each in its colour. */
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
}

const PAD = 16;
const LINE = 22;

/** The chart as a PNG that can be understood alone: it has the title, rooms, zone and resolution on it. */
export async function drawPicture(chart: HTMLCanvasElement, text: PictureText, palette: Palette): Promise<Blob> {
  const ratio = devicePixelRatio;
  const head = PAD + LINE * 2;
  const foot = LINE * text.notes.length + PAD;
  const canvas = document.createElement('canvas');
  canvas.width = chart.width + 2 * PAD * ratio;
  canvas.height = chart.height + (head + foot) * ratio;
  const ctx = canvas.getContext('2d');
  if (ctx === null) throw new Error('this browser draws no pictures');
  ctx.fillStyle = palette.card;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(chart, PAD * ratio, head * ratio);
  ctx.scale(ratio, ratio);
  ctx.font = '600 16px system-ui, sans-serif';
  ctx.fillStyle = palette.ink;
  ctx.fillText(text.title, PAD, PAD + 12);
  ctx.font = '13px system-ui, sans-serif';
  let x = PAD;
  for (const { name, colour } of text.legend) {
    ctx.fillStyle = colour;
    ctx.fillRect(x, PAD + LINE + 6, 14, 4);
    ctx.fillStyle = palette.ink;
    ctx.fillText(name, x + 20, PAD + LINE + 13);
    x += 36 + ctx.measureText(name).width;
  }
  ctx.fillStyle = palette.quiet;
  text.notes.forEach((note, line) => ctx.fillText(note, PAD, head + chart.height / ratio + 16 + line * LINE));
  return await new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Error('this browser makes no PNG')) : resolve(blob)),
      'image/png',
    ),
  );
}
