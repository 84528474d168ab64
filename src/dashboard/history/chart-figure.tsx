import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { localIso } from '../../calendar/local-time.ts';
import { usePage, useWatched } from '../view/context.ts';
import { type Chart, type ChartContent, createChart } from './chart.ts';
import { addGestures } from './gestures.ts';
import { absenceAt, extremes } from './plot-data.ts';
import type { Quantity, TimeRange } from './range.ts';
import { formatQuantity, QUANTITY_WORDS, readPalette } from './sources.ts';
import { reasonText } from './value-table.tsx';

export interface ChartFigureProps {
  readonly content: ChartContent;
  readonly quantity: Quantity;
  readonly isBusy: boolean;
  readonly onRange: (range: TimeRange) => void;
  readonly onReset?: () => void;
  /** The canvas of the chart, for the export as a picture. */
  readonly onCanvas?: (canvas: HTMLCanvasElement) => void;
  /** Without a cursor: for a wall. */
  readonly isQuiet?: boolean;
}

const ZOOM_STEP = 0.5;
const PAN_STEP = 0.25;

/**
 * The chart, usable without a mouse and with a screen reader: it has a caption in words, and the time cursor is a slider
 * whose text tells the values.
 */
export function ChartFigure(props: ChartFigureProps): JSX.Element {
  const { content, quantity, isBusy, onRange, onReset, onCanvas, isQuiet = false } = props;
  const page = usePage();
  const { t, format, zone, preferences, platform } = page;
  const theme = useWatched(preferences.theme);
  const mount = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart>(null);
  const latest = useRef(props);
  const [cursor, setCursor] = useState<number | null>(null);
  latest.current = props;

  const lines = content.sources.map(({ key, colour, dash }) => `${key}${colour}${dash.join()}`).join();
  useEffect(() => {
    const root = mount.current;
    if (root === null) return undefined;
    const created = createChart({
      root,
      format,
      zone,
      content: latest.current.content,
      palette: readPalette(root),
      width: Math.max(200, root.clientWidth),
      height: Math.max(160, root.clientHeight),
      onCursor: setCursor,
      onSelect: (range) => latest.current.onRange(range),
    });
    chart.current = created;
    onCanvas?.(created.plot.ctx.canvas);
    const settle = (range: TimeRange): void => latest.current.onRange(range);
    addGestures({
      area: created.plot.over,
      range: () => latest.current.content.range,
      preview: created.preview,
      settle,
    });
    const observer = new ResizeObserver(() => {
      if (root.clientWidth > 0) created.setSize(root.clientWidth, Math.max(160, root.clientHeight));
    });
    observer.observe(root);
    return () => {
      observer.disconnect();
      created.destroy();
      chart.current = null;
    };
  }, [lines, format, zone]);

  useEffect(() => {
    chart.current?.show(content);
  }, [content]);

  useEffect(() => {
    const root = mount.current;
    if (root === null) return undefined;
    const repaint = (): void => chart.current?.setPalette(readPalette(root));
    const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) => matchMedia(query));
    for (const query of queries) query.addEventListener('change', repaint);
    repaint();
    return () => {
      for (const query of queries) query.removeEventListener('change', repaint);
    };
  }, [theme, platform]);

  const { times, lines: drawn } = content.data;
  const index = cursor !== null && cursor < times.length ? cursor : null;
  const shown = index ?? times.length - 1;
  const move = (next: number): void => {
    setCursor(next);
    chart.current?.setCursor(next);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { fromMs, toMs } = content.range;
    const at = (index === null ? undefined : times[index]) ?? (fromMs + toMs) / 2;
    const zoomBy = (factor: number): void =>
      onRange({ fromMs: at - (at - fromMs) * factor, toMs: at + (toMs - at) * factor });
    const panBy = (share: number): void =>
      onRange({ fromMs: fromMs + share * (toMs - fromMs), toMs: toMs + share * (toMs - fromMs) });
    const actions: Readonly<Record<string, () => void>> = {
      '+': () => zoomBy(ZOOM_STEP),
      '=': () => zoomBy(ZOOM_STEP),
      '-': () => zoomBy(1 / ZOOM_STEP),
      ...(event.shiftKey && { ArrowLeft: () => panBy(-PAN_STEP), ArrowRight: () => panBy(PAN_STEP) }),
      ...(onReset !== undefined && { Escape: onReset }),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (action !== undefined) {
      event.preventDefault();
      action();
    }
  };

  const valueText = (line: number, at: number): string => {
    const found = drawn[line];
    const time = times[at];
    if (found === undefined || time === undefined) return t('noReading');
    const mean = found.mean[at] ?? nearest(found.mean, at);
    const absence = absenceAt(found, time);
    if (typeof mean === 'number' && absence === undefined) {
      const [least, most] = [found.least[at], found.most[at]];
      const band =
        typeof least === 'number' && typeof most === 'number' && most - least >= 0.1
          ? ` (${format.number(least)} – ${format.number(most)})`
          : '';
      return `${formatQuantity(format, quantity, mean)}${band}`;
    }
    return absence?.gap === undefined
      ? t('noReading')
      : t('noReadingBecause', { reason: reasonText(absence.gap.reason, t) });
  };
  const timeText = (at: number): string => {
    const span = content.data.spans[at];
    if (span === undefined) return '';
    // The offset tells the two hours apart that the clock shows twice in autumn.
    const offset = localIso(span.fromMs, zone).slice(-6);
    return span.toMs - span.fromMs < 60_000
      ? format.exact(span.fromMs)
      : `${format.span(span.fromMs, span.toMs)} (${offset})`;
  };
  const spoken = (at: number): string =>
    [timeText(at), ...content.sources.map(({ name }, line) => `${name} ${valueText(line, at)}`)].join(', ');

  const summary = content.sources.flatMap(({ name }, line) => {
    const found = drawn[line];
    const spread = found === undefined ? null : extremes(found);
    if (spread === null) return [];
    const [min, max, avg] = [spread.min, spread.max, spread.avg].map((value) =>
      formatQuantity(format, quantity, value),
    );
    return [t('chartSummary', { name, min: min ?? '', max: max ?? '', avg: avg ?? '' })];
  });
  const caption = t('chartOf', {
    quantity: t(QUANTITY_WORDS[quantity]),
    from: format.exact(content.range.fromMs),
    to: format.exact(content.range.toMs),
  });

  return (
    <figure class={`chart ${isQuiet ? 'quiet' : ''}`} onKeyDown={isQuiet ? undefined : onKeyDown} aria-label={caption}>
      <div class={`plot ${isBusy ? 'busy' : ''}`} ref={mount} aria-hidden="true" onDblClick={onReset} />
      {times.length === 0 && !isBusy && <p class="plot-empty">{t('chartEmpty')}</p>}
      {!isQuiet && times.length > 0 && (
        <>
          <input
            class="cursor"
            type="range"
            min={0}
            max={times.length - 1}
            value={shown}
            aria-label={t('cursor')}
            aria-valuetext={spoken(shown)}
            onInput={({ currentTarget }) => move(Number(currentTarget.value))}
            onFocus={() => move(shown)}
          />
          <p class="readout" data-cursor={index === null ? 'none' : 'set'}>
            <span class="readout-time">{timeText(shown)}</span>
            {content.sources.map(({ key, name, colour }, line) => (
              <span key={key} class={`readout-value c${colour}`}>
                <span class="swatch" /> {name} <strong>{valueText(line, shown)}</strong>
              </span>
            ))}
          </p>
        </>
      )}
      <figcaption class="visually-hidden">
        {caption}. {summary.length === 0 ? t('chartEmpty') : summary.join('. ')}
      </figcaption>
    </figure>
  );
}

/** Where rooms were not measured at the same instants: this room's value beside it. */
function nearest(values: readonly (number | null | undefined)[], at: number): number | null {
  for (let distance = 1; distance <= 3; distance += 1) {
    for (const index of [at - distance, at + distance]) {
      const value = values[index];
      if (typeof value === 'number') return value;
      if (value === null) return null;
    }
  }
  return null;
}
