import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { DAY_MS, MINUTE_MS } from '../../calendar/local-time.ts';
import { usePage, useWatched } from '../view/context.ts';
import { LoadProblem } from '../view/status-marks.tsx';
import { VerdictWord } from '../view/verdict-word.tsx';
import type { ChartContent } from './chart.ts';
import { ChartFigure } from './chart-figure.tsx';
import { ExportBar } from './export-bar.tsx';
import { plotData } from './plot-data.ts';
import {
  BUCKET_MS,
  type HistoryAddress,
  pan,
  rangeOf,
  readHistoryAddress,
  resolutionFor,
  type TimeRange,
  writeHistoryAddress,
} from './range.ts';
import { useMovingNow, useRevision, useSeries } from './series.ts';
import { chosenSources, isDerived, LEAST_SPAN, sourcesOf, UNITS } from './sources.ts';
import { SourcePicker, Toolbar } from './toolbar.tsx';
import { GapList, ValueTable } from './value-table.tsx';

/** What the plot's axes and the page's edges take of the width. */
const AXIS_PX = 100;

/** Past values of any rooms over any time. The address bar holds the whole choice. */
export function HistoryPage(): JSX.Element {
  const { session, navigation, t, zone, clock } = usePage();
  const { search } = useWatched(navigation.place);
  const state = useWatched(session.site);
  const address = useMemo(() => readHistoryAddress(search), [search]);
  const { quantity, view } = address;
  const change = (part: Partial<HistoryAddress>): void =>
    navigation.replace(writeHistoryAddress({ ...address, ...part }));

  const all = useMemo(() => sourcesOf(state), [state.rooms, state.devices]);
  const chosen = useMemo(() => chosenSources(all, address.sources, state), [all, address.sources, state.devices]);
  const [width, setWidth] = useState(() => window.innerWidth - AXIS_PX);
  useEffect(() => {
    const onResize = (): void => setWidth(window.innerWidth - AXIS_PX);
    window.addEventListener('resize', onResize);
    return () => window.removeEventListener('resize', onResize);
  }, []);

  const nowMs = useMovingNow(view);
  const range = useMemo(() => rangeOf(view, nowMs, zone), [view, nowMs, zone]);
  const intervalMs = Math.min(DAY_MS, ...chosen.map((source) => source.intervalMs));
  const resolution = resolutionFor({ range, widthPx: width, sources: chosen.length, intervalMs });
  const revision = useRevision(view, range);
  const keys = useMemo(() => chosen.map(({ key }) => key), [chosen]);
  const { loaded, isBusy, error, retry } = useSeries({ sources: keys, range, resolution, revision });

  const content = useMemo((): ChartContent | undefined => {
    if (loaded === undefined) return undefined;
    // The server answers devices first, then rooms: back into the order of the page.
    const order = new Map(loaded.series.sources.map((source) => [source.key, source]));
    const sources = chosen.filter(({ key }) => order.has(key));
    const series = { ...loaded.series, sources: sources.flatMap(({ key }) => order.get(key) ?? []) };
    const intervals = new Map(sources.map((source) => [source.key, source.intervalMs]));
    const data = plotData(series, quantity, (key) => intervals.get(key) ?? 0);
    return { data, sources, range: loaded.range, unit: UNITS[quantity], leastSpan: LEAST_SPAN[quantity] };
  }, [loaded, chosen, quantity]);
  const shown = useMemo(() => content && { ...content, range }, [content, range]);

  // A chart that follows the time moves on every second; the server is asked once a minute.
  const settled = useMemo(
    () => wholeMinutes(range),
    [Math.floor(range.fromMs / MINUTE_MS), Math.ceil(range.toMs / MINUTE_MS)],
  );
  const canvas = useRef<HTMLCanvasElement>(undefined);
  const [isTable, setTable] = useState(false);
  const notes = useNotes(loaded?.series.bucket ?? resolution, quantity);
  const gaps = loaded?.series.sources.flatMap((source) => source.gaps.filter((gap) => touches(gap, range))) ?? [];
  const nameOf = (uid: string): string => {
    const device = state.devices.find((one) => one.uid === uid);
    return device?.label ?? device?.room?.name ?? uid;
  };

  return (
    <div class="history">
      <h1 class="visually-hidden">{t('history')}</h1>
      <Toolbar
        quantity={quantity}
        view={view}
        range={range}
        onQuantity={(next) => change({ quantity: next })}
        onView={(next) => change({ view: next })}
      />
      <SourcePicker all={all} chosen={chosen} onChange={(sources) => change({ sources })} />
      <section class="card chart-card">
        {error !== undefined && <LoadProblem error={error} retry={retry} />}
        {chosen.length === 0 && <p class="plot-empty">{t('chartNothingChosen')}</p>}
        {shown === undefined ? (
          <div class="plot" aria-busy={isBusy} />
        ) : (
          <ChartFigure
            content={shown}
            quantity={quantity}
            isBusy={isBusy}
            onRange={(next) => change({ view: pan(next, 0, clock.nowMs()) })}
            onReset={() => change({ view: { kind: 'last', period: '24h' } })}
            onCanvas={(found) => {
              canvas.current = found;
            }}
          />
        )}
        <p class="notes">{notes.join(' · ')}</p>
      </section>
      {shown !== undefined && (
        <ExportBar
          content={shown}
          quantity={quantity}
          notes={notes}
          canvas={() => canvas.current}
          isTable={isTable}
          onTable={setTable}
        />
      )}
      {isTable && shown !== undefined && <ValueTable content={shown} quantity={quantity} />}
      <section class="card">
        <h2>{t('missing')}</h2>
        <VerdictWord range={settled} nameOf={nameOf} />
        {gaps.length === 0 ? <p class="subtitle">{t('nothingMissing')}</p> : <GapList gaps={gaps} nameOf={nameOf} />}
        {loaded?.series.sources.some(({ hasMoreGaps }) => hasMoreGaps) === true && (
          <p class="subtitle">{t('moreGaps')}</p>
        )}
      </section>
      <p class="subtitle hint">{t('chartHint')}</p>
    </div>
  );
}

/** What one point stands for, and in which zone the times are. */
function useNotes(bucket: 'raw' | keyof typeof BUCKET_MS, quantity: HistoryAddress['quantity']): string[] {
  const { t, format, zone } = usePage();
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return [
    bucket === 'raw' ? t('resolutionRaw') : t('resolutionBucket', { duration: format.duration(BUCKET_MS[bucket]) }),
    ...(bucket !== 'raw' && isDerived(quantity) ? [t('resolutionOfMeans')] : []),
    own === zone.name ? t('zoneSame', { zone: zone.name }) : t('zoneOfHouse', { zone: zone.name, own }),
  ];
}

function wholeMinutes({ fromMs, toMs }: TimeRange): TimeRange {
  return { fromMs: Math.floor(fromMs / MINUTE_MS) * MINUTE_MS, toMs: Math.ceil(toMs / MINUTE_MS) * MINUTE_MS };
}

function touches(
  { fromMs, toMs }: { readonly fromMs: number | null; readonly toMs: number | null },
  range: { readonly fromMs: number; readonly toMs: number },
): boolean {
  return fromMs === null || toMs === null || (fromMs <= range.toMs && toMs >= range.fromMs);
}
