import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { localIso } from '../../calendar/local-time.ts';
import { usePage } from '../view/context.ts';
import { Glyph } from '../view/controls.tsx';
import type { ChartContent } from './chart.ts';
import { drawPicture, toCsv } from './export.ts';
import type { Quantity } from './range.ts';
import { QUANTITY_WORDS, readPalette } from './sources.ts';

export interface ExportBarProps {
  readonly content: ChartContent;
  readonly quantity: Quantity;
  readonly notes: readonly string[];
  readonly canvas: () => HTMLCanvasElement | undefined;
  readonly isTable: boolean;
  readonly onTable: (isTable: boolean) => void;
}

/** Exports what is shown: as numbers, as a picture, or as a link. */
export function ExportBar({ content, quantity, notes, canvas, isTable, onTable }: ExportBarProps): JSX.Element {
  const { t, zone, format, announce } = usePage();
  const [address, setAddress] = useState<string>();
  const fileName = `techtemp-${quantity}-${localIso(content.range.fromMs, zone).slice(0, 10)}`;
  const csv = (): void => {
    const { range, data } = content;
    const inView = { ...data, times: data.times.filter((time) => time >= range.fromMs && time < range.toMs) };
    const first = data.times.findIndex((time) => time >= range.fromMs);
    const cut = <T,>(column: readonly T[]): readonly T[] =>
      column.slice(Math.max(0, first), Math.max(0, first) + inView.times.length);
    const columns = content.sources.flatMap(({ name }, index) => {
      const line = data.lines[index];
      return line === undefined
        ? []
        : [{ name, line: { ...line, mean: cut(line.mean), least: cut(line.least), most: cut(line.most) } }];
    });
    // A byte order mark: without it spreadsheets do not read the file as UTF-8.
    const text = `\ufeff${toCsv({ ...inView, spans: cut(data.spans) }, columns, content.unit, zone)}`;
    download(new Blob([text], { type: 'text/csv;charset=utf-8' }), `${fileName}.csv`);
  };
  const png = async (): Promise<void> => {
    const source = canvas();
    if (source === undefined) return;
    const palette = readPalette(document.documentElement);
    const title = t('chartOf', {
      quantity: t(QUANTITY_WORDS[quantity]),
      from: format.exact(content.range.fromMs),
      to: format.exact(content.range.toMs),
    });
    const legend = content.sources.map(({ name, colour }) => ({ name, colour: palette.lines[colour] ?? palette.ink }));
    download(await drawPicture(source, { title, notes, legend }, palette), `${fileName}.png`);
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      announce(t('copied'));
      setAddress(undefined);
    } catch {
      // On plain http a page may not write to the clipboard.
      setAddress(window.location.href);
    }
  };
  return (
    <div class="exports">
      <p class="actions">
        <button type="button" aria-pressed={isTable} onClick={() => onTable(!isTable)}>
          <Glyph name="table" />
          {t('table')}
        </button>
        <button type="button" onClick={csv}>
          <Glyph name="down" />
          {t('exportCsv')}
        </button>
        {/* A browser without canvas pictures would not have drawn the chart either. */}
        <button type="button" onClick={() => void png()}>
          <Glyph name="down" />
          {t('exportPng')}
        </button>
        <button type="button" onClick={() => void copy()}>
          <Glyph name="link" />
          {t('copyLink')}
        </button>
      </p>
      {address !== undefined && (
        <label class="field">
          <span>{t('copyByHand')}</span>
          <input readOnly value={address} ref={(input) => input?.select()} />
        </label>
      )}
    </div>
  );
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
