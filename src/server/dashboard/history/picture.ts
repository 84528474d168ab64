import type { Palette } from './palette.ts';

export interface PictureText {
  readonly title: string;
  readonly notes: readonly string[];
  /** Each in its colour. */
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
}

const PAD = 16;
const LINE = 22;

/** The chart as a PNG that says by itself what it shows: title, rooms, zone and resolution on the picture. */
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
