import type { JSX } from 'preact';
import { HOUR_MS } from '../../calendar/local-time.ts';
import type { ComfortWord, HumidexBand, MouldLevel } from '../comfort.ts';
import type { Point, Trend } from '../state/snapshot.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage } from '../view/context.ts';
import { Link } from '../view/controls.tsx';
import { StatusMark } from '../view/status-marks.tsx';
import type { Comfort, RoomFacts } from './room-facts.ts';

const COMFORT_WORDS = {
  usual: 'comfortUsual',
  cool: 'comfortCool',
  warm: 'comfortWarm',
  dry: 'comfortDry',
  humid: 'comfortHumid',
} as const satisfies Record<ComfortWord, TextKey>;

const HUMIDEX_WORDS = {
  none: 'humidexNone',
  some: 'humidexSome',
  great: 'humidexGreat',
  dangerous: 'humidexDangerous',
} as const satisfies Record<HumidexBand, TextKey>;

const MOULD_WORDS = {
  ok: 'mouldOk',
  watch: 'mouldWatch',
  risk: 'mouldRisk',
  condensation: 'mouldCondensation',
} as const satisfies Record<MouldLevel, TextKey>;

/** What the air means for people and walls; unfolds. */
export function ComfortList({ comfort }: { readonly comfort: Comfort }): JSX.Element {
  const { t, format } = usePage();
  const { word, dewPoint, absoluteHumidity, humidex, mouldBelow, mould } = comfort;
  const isWarning = mould !== null && (mould.level === 'risk' || mould.level === 'condensation');
  return (
    <details class="comfort">
      <summary>
        {t(COMFORT_WORDS[word])}
        {isWarning && <span class="warning"> · {t('mouldRiskShort')}</span>}
      </summary>
      <dl title={t('comfortNorm')}>
        <dt>{t('dewPoint')}</dt>
        <dd>{format.temperature(dewPoint)}</dd>
        <dt>{t('absoluteHumidity')}</dt>
        <dd>{format.absoluteHumidity(absoluteHumidity)}</dd>
        {humidex !== null && (
          <>
            <dt>{t('humidex')}</dt>
            <dd>
              {format.integer(humidex.value)}, {t(HUMIDEX_WORDS[humidex.band])}
            </dd>
          </>
        )}
        {mouldBelow !== null && (
          <>
            <dt>{t('mould')}</dt>
            <dd title={t('mouldWhy')} class={isWarning ? 'warning' : ''}>
              {mould === null
                ? t('mouldBelow', { temperature: format.temperature(mouldBelow) })
                : t(MOULD_WORDS[mould.level], {
                    temperature: format.temperature(mould.wallCelsius),
                    percent: format.humidity(mould.wallHumidityPercent),
                  })}
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}

const WIDTH = 240;
const HEIGHT = 44;
const PAD = 3;
/** A flat line in the middle, not noise that fills the height: less than this is drawn as little. */
const LEAST_RANGE = 1;

/**
 * The last hours as a small line; what it means is said in words beside it.
 *
 * @param breakMs a longer silence is a gap in the line
 */
export function Sparkline({
  points,
  fromMs,
  toMs,
  breakMs,
}: {
  readonly points: readonly Point[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly breakMs: number;
}): JSX.Element {
  // The hour before its beginning too, so that the line begins at the edge.
  const shown = points.filter(({ tsMs }) => tsMs >= fromMs - HOUR_MS && tsMs <= toMs);
  const values = shown.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = Math.max(LEAST_RANGE, high - low);
  const bottom = (low + high) / 2 - range / 2;
  const x = (ms: number): string =>
    Math.max(PAD, PAD + ((ms - fromMs) / (toMs - fromMs)) * (WIDTH - 2 * PAD)).toFixed(1);
  const y = (value: number): string => (HEIGHT - PAD - ((value - bottom) / range) * (HEIGHT - 2 * PAD)).toFixed(1);
  const path = shown
    .map(({ tsMs, value }, index) => {
      const before = shown[index - 1];
      const command = before === undefined || tsMs - before.tsMs > breakMs ? 'M' : 'L';
      return `${command}${x(tsMs)} ${y(value)}`;
    })
    .join('');
  const last = shown.at(-1);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
      {last !== undefined && <path class="end" d={`M${x(last.tsMs)} ${y(last.value)}l0.01 0`} />}
    </svg>
  );
}

const ARROWS = {
  rising: 'M3 12 12 4M6 4h6v6',
  falling: 'M3 4l9 8M6 12h6V6',
  steady: 'M2 8h11M9.5 4.5 13 8l-3.5 3.5',
} as const;

/** Where the temperature is going, by arrow and in words. Empty while it is not known. */
export function TrendMark({ trend }: { readonly trend: Trend | null }): JSX.Element {
  const { t, format } = usePage();
  if (trend === null) return <span class="trend" />;
  const { direction, change, overMs } = trend;
  const words = t('trendOver', {
    change: format.temperatureChange(change),
    hours: Math.max(1, Math.round(overMs / 3_600_000)),
  });
  return (
    <span class={`trend trend-${direction}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={ARROWS[direction]} />
      </svg>
      {direction === 'steady' ? t('steady') : words}
    </span>
  );
}

export const SPARKLINE_MS = 12 * 3_600_000;
/** Its points are at most an hour apart. */
export const SPARKLINE_BREAK_MS = 2.2 * 3_600_000;

/** One room at a glance. */
export function RoomCard({ facts, nowMs }: { readonly facts: RoomFacts; readonly nowMs: number }): JSX.Element {
  const { t, format } = usePage();
  const { device, title, subtitle, reading, ageMs, health, today, comfort } = facts;
  const isOld = health === 'silent' || health === 'fault' || health === 'never';
  const search = `?show=${device.room === null ? `device:${device.uid}` : `room:${device.room.uid}`}&last=24h`;
  const note = [subtitle, facts.isOutdoors ? t('outdoors') : null].filter(Boolean).join(' · ');
  return (
    <article class={`card room ${isOld ? 'old' : ''}`} data-device={device.uid}>
      <header>
        <h2>
          <Link route="history" search={search} label={t('showHistory', { name: title })}>
            {title}
          </Link>
          {note !== '' && <span class="subtitle"> {note}</span>}
        </h2>
        <StatusMark health={health} />
      </header>
      <p class="values">
        <span class="value" data-value="temperature">
          {reading === null ? '–' : format.number(reading.celsius)}
          <span class="unit">&nbsp;°C</span>
        </span>
        <span class="value second" data-value="humidity">
          {format.humidity(reading?.percent ?? null)}
        </span>
      </p>
      <Sparkline points={facts.points} fromMs={nowMs - SPARKLINE_MS} toMs={nowMs} breakMs={SPARKLINE_BREAK_MS} />
      <p class="under">
        <TrendMark trend={facts.trend} />
        <span class="age" title={reading === null ? '' : format.exact(reading.tsMs)}>
          {ageMs === null ? t('noReadingYet') : format.age(ageMs)}
        </span>
      </p>
      {today !== null && (
        <p class="facts">
          <span>
            {t('today')} {format.number(today.min)} – {format.temperature(today.max)}
          </span>
          {comfort?.dewPoint !== undefined && comfort.dewPoint !== null && (
            <span>
              {t('dewPoint')} {format.temperature(comfort.dewPoint)}
            </span>
          )}
        </p>
      )}
      {comfort !== null && <ComfortList comfort={comfort} />}
    </article>
  );
}
