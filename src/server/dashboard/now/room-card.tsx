import type { JSX } from 'preact';
import { usePage } from '../view/context.ts';
import { Link } from '../view/link.tsx';
import { StatusMark } from '../view/status-mark.tsx';
import { ComfortList } from './comfort-list.tsx';
import type { RoomFacts } from './room-facts.ts';
import { Sparkline } from './sparkline.tsx';
import { TrendMark } from './trend-mark.tsx';

export const SPARKLINE_MS = 12 * 3_600_000;
/** Hours are its coarsest points. */
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
