import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { localIso } from '../../calendar/local-time.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage } from '../view/context.ts';
import { Glyph, type IconName } from '../view/controls.tsx';
import {
  PERIODS,
  type Period,
  pan,
  QUANTITIES,
  type Quantity,
  type SourceKey,
  step,
  type TimeRange,
  type View,
  zoom,
} from './range.ts';
import { QUANTITY_WORDS, type Source } from './sources.ts';

/** Which rooms and devices are in the chart. Each keeps its colour, in the chart or not. */
export function SourcePicker({
  all,
  chosen,
  onChange,
}: {
  readonly all: readonly Source[];
  readonly chosen: readonly Source[];
  readonly onChange: (keys: readonly SourceKey[]) => void;
}): JSX.Element {
  const { t } = usePage();
  const chosenKeys = chosen.map(({ key }) => key);
  const offered = [...all, ...chosen.filter(({ key }) => !all.some((source) => source.key === key))];
  const toggle = (key: SourceKey, isOn: boolean): void =>
    onChange(
      isOn
        ? offered.map((one) => one.key).filter((one) => one === key || chosenKeys.includes(one))
        : chosenKeys.filter((one) => one !== key),
    );
  return (
    <fieldset class="sources">
      <legend>{t('roomsToShow')}</legend>
      {offered.map(({ key, name, colour, dash }) => (
        <label key={key} class={`source c${colour}`}>
          <input
            type="checkbox"
            checked={chosenKeys.includes(key)}
            onChange={({ currentTarget }) => toggle(key, currentTarget.checked)}
          />
          <svg class="line-sample" viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
            <path d="M1 4h22" stroke-dasharray={dash.join(' ') || undefined} />
          </svg>
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

const PERIOD_WORDS = {
  '1h': 'period1h',
  '6h': 'period6h',
  '24h': 'period24h',
  '7d': 'period7d',
  '30d': 'period30d',
  '1y': 'period1y',
  '5y': 'period5y',
} as const satisfies Record<Period, TextKey>;

const SHORT_WORDS = {
  '1h': 'short1h',
  '6h': 'short6h',
  '24h': 'short24h',
  '7d': 'short7d',
  '30d': 'short30d',
  '1y': 'short1y',
  '5y': 'short5y',
} as const satisfies Record<Period, TextKey>;

export interface ToolbarProps {
  readonly quantity: Quantity;
  readonly view: View;
  readonly range: TimeRange;
  readonly onQuantity: (quantity: Quantity) => void;
  readonly onView: (view: View) => void;
}

/** Everything that fingers and wheels do in the chart, as buttons and fields. */
export function Toolbar({ quantity, view, range, onQuantity, onView }: ToolbarProps): JSX.Element {
  const { t, clock, zone, format } = usePage();
  const nowMs = clock.nowMs();
  const middle = (range.fromMs + range.toMs) / 2;
  const button = (icon: IconName, word: TextKey, action: () => void, isOff = false): JSX.Element => (
    <button type="button" class="plain framed" aria-label={t(word)} title={t(word)} onClick={action} disabled={isOff}>
      <Glyph name={icon} />
    </button>
  );
  return (
    <div class="toolbar">
      <label class="field">
        <span>{t('whatToShow')}</span>
        <select
          value={quantity}
          onChange={({ currentTarget }) =>
            onQuantity(QUANTITIES.find((one) => one === currentTarget.value) ?? quantity)
          }
        >
          {QUANTITIES.map((choice) => (
            <option key={choice} value={choice}>
              {t(QUANTITY_WORDS[choice])}
            </option>
          ))}
        </select>
      </label>
      <fieldset class="segments periods">
        <legend>{t('period')}</legend>
        {PERIODS.map((period) => (
          <label key={period}>
            <input
              type="radio"
              name="period"
              checked={view.kind === 'last' && view.period === period}
              onChange={() => onView({ kind: 'last', period })}
            />
            <span>
              <span class="long">{t(PERIOD_WORDS[period])}</span>
              <span class="short">{t(SHORT_WORDS[period])}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="steps">
        {button('left', 'earlier', () => onView(step(view, -1, nowMs, zone)))}
        <span class="range-words">{format.span(range.fromMs, range.toMs)}</span>
        {button('right', 'later', () => onView(step(view, 1, nowMs, zone)), view.kind === 'last')}
        {button('minus', 'zoomOut', () => onView(zoom(range, 2, view.kind === 'last' ? range.toMs : middle, nowMs)))}
        {button('plus', 'zoomIn', () => onView(zoom(range, 0.5, middle, nowMs)))}
        {button('reset', 'reset', () => onView({ kind: 'last', period: '24h' }), view.kind === 'last')}
      </div>
      <FromTo key={`${range.fromMs}-${range.toMs}`} range={range} onView={onView} />
    </div>
  );
}

/** Two fields for a range that is too far away to reach by dragging. */
function FromTo({ range, onView }: { readonly range: TimeRange; readonly onView: (view: View) => void }): JSX.Element {
  const { t, zone, clock } = usePage();
  const field = (ms: number): string => localIso(ms, zone).slice(0, 16);
  const [from, setFrom] = useState(field(range.fromMs));
  const [to, setTo] = useState(field(range.toMs));
  const instant = (text: string): number => {
    const [year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN] = text.split(/\D/).map(Number);
    return zone.instant({ year, month, day, hour, minute, second: 0 });
  };
  const isRight = from < to && from.length === 16 && to.length === 16;
  return (
    <details class="from-to">
      <summary>
        {t('from')} / {t('to')}
      </summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isRight)
            onView(pan({ fromMs: instant(from), toMs: instant(to) }, 0, Math.max(clock.nowMs(), instant(to))));
        }}
      >
        <label class="field">
          <span>{t('from')}</span>
          <input
            type="datetime-local"
            required
            value={from}
            onInput={({ currentTarget }) => setFrom(currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>{t('to')}</span>
          <input
            type="datetime-local"
            required
            value={to}
            onInput={({ currentTarget }) => setTo(currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={!isRight}>
          {t('apply')}
        </button>
      </form>
    </details>
  );
}
