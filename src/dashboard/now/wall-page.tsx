import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { ChartContent } from '../history/chart.ts';
import { ChartFigure } from '../history/chart-figure.tsx';
import { plotData } from '../history/plot-data.ts';
import { rangeOf, type View } from '../history/range.ts';
import { useMovingNow, useRevision, useSeries } from '../history/series.ts';
import { LEAST_SPAN, sourcesOf, UNITS } from '../history/sources.ts';
import { useNow, usePage, useWatched } from '../view/context.ts';
import { Link } from '../view/controls.tsx';
import { StatusMark, useIsOutdated } from '../view/status-marks.tsx';
import { SPARKLINE_BREAK_MS, SPARKLINE_MS, Sparkline, TrendMark } from './room-card.tsx';
import { factsOf, type RoomFacts } from './room-facts.ts';

const TICK_MS = 1_000;
const VIEW: View = { kind: 'last', period: '24h' };
/** A wall display is read from a distance, so the number of tiles is limited. The other pages show all rooms. */
const MOST_TILES = 12;

/** For a display on the wall: large and without controls. It shows clearly when its values are not live. */
export function WallPage(): JSX.Element {
  const { session, zone, t, format } = usePage();
  const state = useWatched(session.site);
  const connection = useWatched(session.connection);
  const nowMs = useNow(TICK_MS);
  const facts = factsOf(state, nowMs, zone).slice(0, MOST_TILES);
  useEffect(() => keepAwake(), []);
  const isOutdated = useIsOutdated();
  useEffect(() => {
    // A wall display has no user who could press a button.
    if (isOutdated) window.location.reload();
  }, [isOutdated]);
  const heardMs = session.heardMs();
  const isDead = connection.kind === 'lost';
  return (
    <div class="wall">
      <h1 class="visually-hidden">{t('wall')}</h1>
      <div class={`tiles columns-${columnsFor(facts.length)}`}>
        {facts.map((room) => (
          <Tile key={room.device.uid} facts={room} nowMs={nowMs} />
        ))}
      </div>
      <WallChart />
      <p class={`wall-foot ${isDead ? 'dead' : ''}`}>
        <span>
          {format.day(nowMs)} <strong>{format.clock(nowMs)}</strong>
        </span>
        <span data-connection={connection.kind}>
          {isDead
            ? t('noConnectionSince', { time: format.clock(heardMs ?? state.loadedMs ?? nowMs) })
            : heardMs === null
              ? t('connectionConnecting')
              : `${t('connectionLive')}, ${t('lastMessage', { age: format.age(Math.max(0, nowMs - newest(facts, heardMs))) })}`}
        </span>
        <Link route="">{t('leaveWall')}</Link>
      </p>
    </div>
  );
}

/** Rows as full as can be. */
function columnsFor(tiles: number): number {
  if (tiles <= 4) return Math.max(1, tiles);
  return tiles <= 6 ? 3 : tiles <= 8 ? 4 : tiles <= 10 ? 5 : 6;
}

function Tile({ facts, nowMs }: { readonly facts: RoomFacts; readonly nowMs: number }): JSX.Element {
  const { format } = usePage();
  const { device, title, reading, health, ageMs } = facts;
  const isOld = health === 'silent' || health === 'fault' || health === 'never';
  return (
    <article class={`card tile ${isOld ? 'old' : ''}`} data-device={device.uid}>
      <header>
        <h2>{title}</h2>
        <StatusMark health={health} />
      </header>
      <p class="tile-value">
        {reading === null ? '–' : format.number(reading.celsius)}
        <span class="unit">°</span>
      </p>
      <p class="tile-under">
        <span>{format.humidity(reading?.percent ?? null)}</span>
        {isOld && ageMs !== null ? <span class="age">{format.age(ageMs)}</span> : <TrendMark trend={facts.trend} />}
      </p>
      <Sparkline points={facts.points} fromMs={nowMs - SPARKLINE_MS} toMs={nowMs} breakMs={SPARKLINE_BREAK_MS} />
    </article>
  );
}

function WallChart(): JSX.Element | null {
  const { session, zone } = usePage();
  const { rooms, devices, ...state } = useWatched(session.site);
  const sources = useMemo(() => sourcesOf({ ...state, rooms, devices }).slice(0, MOST_TILES), [rooms, devices]);
  const nowMs = useMovingNow(VIEW);
  const range = useMemo(() => rangeOf(VIEW, nowMs, zone), [nowMs, zone]);
  const revision = useRevision(VIEW, range);
  const keys = useMemo(() => sources.map(({ key }) => key), [sources]);
  const { loaded, isBusy } = useSeries({ sources: keys, range, resolution: '5m', revision });
  const content = useMemo((): ChartContent | undefined => {
    if (loaded === undefined) return undefined;
    const order = new Map(loaded.series.sources.map((source) => [source.key, source]));
    const shown = sources.filter(({ key }) => order.has(key));
    const series = { ...loaded.series, sources: shown.flatMap(({ key }) => order.get(key) ?? []) };
    const intervals = new Map(shown.map((source) => [source.key, source.intervalMs]));
    const data = plotData(series, 'temperature', (key) => intervals.get(key) ?? 0);
    return { data, sources: shown, range, unit: UNITS.temperature, leastSpan: LEAST_SPAN.temperature };
  }, [loaded, sources, range]);
  if (content === undefined) return null;
  return (
    <section class="card wall-chart">
      <ChartFigure content={content} quantity="temperature" isBusy={isBusy} onRange={() => undefined} isQuiet />
      <p class="readout">
        {content.sources.map(({ key, name, colour, dash }) => (
          <span key={key} class={`readout-value c${colour}`}>
            <svg class="line-sample" viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
              <path d="M1 4h22" stroke-dasharray={dash.join(' ') || undefined} />
            </svg>{' '}
            {name}
          </span>
        ))}
      </p>
    </section>
  );
}

function newest(facts: readonly RoomFacts[], otherwise: number): number {
  const times = facts.flatMap(({ reading }) => (reading === null ? [] : [reading.tsMs]));
  return times.length === 0 ? otherwise : Math.max(...times);
}

/** Where the browser can (https, localhost) the screen stays on; elsewhere it has to be set in the system. */
function keepAwake(): () => void {
  const wakeLock = 'wakeLock' in navigator ? navigator.wakeLock : undefined;
  let isWanted = true;
  let lock: WakeLockSentinel | undefined;
  const request = async (): Promise<void> => {
    if (wakeLock === undefined || document.visibilityState !== 'visible') return;
    lock = await wakeLock.request('screen').catch(() => undefined);
    if (!isWanted) await lock?.release();
  };
  // Refusal means that the screen may go dark, which is what it would do anyway.
  const onVisible = (): void => void request();
  document.addEventListener('visibilitychange', onVisible);
  onVisible();
  return () => {
    isWanted = false;
    document.removeEventListener('visibilitychange', onVisible);
    void lock?.release();
  };
}
