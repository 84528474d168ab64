import { useEffect, useRef, useState } from 'preact/hooks';
import type { Series } from '../api/api.ts';
import { usePage } from '../view/context.ts';
import { BUCKET_MS, type Resolution, type SourceKey, type TimeRange, type View } from './range.ts';

/** A chart of the last hour moves on by about a pixel at a time; one of a year once a minute. */
const FASTEST_MS = 5_000;
const SLOWEST_MS = 60_000;
const STEPS_ACROSS = 700;
const LONGEST_LIVE_MS = 366 * 86_400_000;

/** The present time for a view that ends now. For other views it does not change. */
export function useMovingNow(view: View): number {
  const { clock, platform } = usePage();
  const [nowMs, setNowMs] = useState(clock.nowMs());
  const word = view.kind === 'last' ? view.period : '';
  useEffect(() => {
    setNowMs(clock.nowMs());
    if (word === '') return undefined;
    const ending = new AbortController();
    platform.every(word.endsWith('h') ? FASTEST_MS : SLOWEST_MS, ending.signal, () => setNowMs(clock.nowMs()));
    return () => ending.abort();
  }, [word, clock, platform]);
  return nowMs;
}

/** Counts the changes that make an answer out of date: new readings at the edge of a view that ends now, and changes of the past. */
export function useRevision(view: View, { fromMs, toMs }: TimeRange): number {
  const { session, platform } = usePage();
  const [revision, setRevision] = useState(0);
  const everyMs = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, (toMs - fromMs) / STEPS_ACROSS));
  const isLive = view.kind === 'last' && toMs - fromMs < LONGEST_LIVE_MS;
  useEffect(() => {
    const ending = new AbortController();
    let isOld = false;
    const stops = [
      session.pastChanges.watch(() => {
        isOld = true;
      }),
      session.site.watch(() => {
        isOld ||= isLive;
      }),
    ];
    platform.every(everyMs, ending.signal, () => {
      if (!isOld) return;
      isOld = false;
      setRevision((count) => count + 1);
    });
    return () => {
      ending.abort();
      for (const stop of stops) stop();
    };
  }, [session, platform, isLive, everyMs]);
  return revision;
}

export interface SeriesDemand {
  readonly sources: readonly SourceKey[];
  readonly range: TimeRange;
  readonly resolution: Resolution;
  /** Counts up when what was loaded may be out of date. */
  readonly revision: number;
}

interface Question {
  /** Sources, resolution and zone. */
  readonly subject: string;
  readonly revision: number;
  readonly askedMs: number;
  readonly range: TimeRange;
}

interface UnderWay extends Question {
  readonly ending: AbortController;
}

export interface Loaded extends Question {
  readonly series: Series;
}

export interface SeriesState {
  /** What is drawn: until the next answer is there, the one before. */
  readonly loaded: Loaded | undefined;
  readonly isBusy: boolean;
  readonly error: unknown;
}

/** A zoom or a drag asks for many views; the last one counts. */
const SETTLE_MS = 120;
/** More than is visible is loaded on both sides, so that a small move needs no request. */
const MARGIN = 0.35;
const KEPT_ANSWERS = 20;

/** Loads the data of the chart. Answers are kept, so that going back to a view shows it at once. */
export function useSeries(demand: SeriesDemand): SeriesState & { readonly retry: () => void } {
  const { api, platform, zone, clock } = usePage();
  const answers = useRef<readonly Loaded[]>([]);
  const underWay = useRef<UnderWay>(undefined);
  const [state, setState] = useState<SeriesState>({ loaded: undefined, isBusy: true, error: undefined });
  const [attempt, setAttempt] = useState(0);
  const { sources, range, resolution, revision } = demand;
  const subject = `${sources.join()}|${resolution}|${zone.name}`;

  useEffect(() => {
    const found = answers.current.find((kept) => kept.subject === subject && covers(kept, range));
    if (sources.length === 0 || (found !== undefined && found.revision >= revision)) {
      underWay.current?.ending.abort();
      setState({ loaded: found, isBusy: false, error: undefined });
      return;
    }
    // An older answer is better than none. The same request is not sent twice.
    setState((before) => ({ ...before, ...(found !== undefined && { loaded: found }), isBusy: true }));
    if (underWay.current?.subject === subject && covers(underWay.current, range)) return;
    underWay.current?.ending.abort();

    const ending = new AbortController();
    const isOver = (): boolean => ending.signal.aborted;
    const askedMs = clock.nowMs();
    const question = { subject, revision, askedMs, range: widened(range, resolution, askedMs) };
    underWay.current = { ...question, ending };
    const ask = async (): Promise<void> => {
      // The first request is sent without a delay.
      if (answers.current.length > 0) await platform.sleep(SETTLE_MS, ending.signal);
      if (isOver()) return;
      try {
        const series = await api.series(
          { sources, range: question.range, bucket: resolution, timeZone: zone.name },
          ending.signal,
        );
        const loaded = { ...question, series };
        answers.current = [loaded, ...answers.current].slice(0, KEPT_ANSWERS);
        setState({ loaded, isBusy: false, error: undefined });
      } catch (error) {
        if (!isOver()) setState((before) => ({ ...before, isBusy: false, error }));
      } finally {
        if (underWay.current?.ending === ending) underWay.current = undefined;
      }
    };
    void ask();
  }, [subject, revision, range.fromMs, range.toMs, attempt]);
  useEffect(() => () => underWay.current?.ending.abort(), []);

  return { ...state, retry: () => setAttempt(attempt + 1) };
}

/** An answer is complete up to the time of its request. Later readings belong to the next revision. */
function covers(has: Question, { fromMs, toMs }: TimeRange): boolean {
  return has.range.fromMs <= fromMs && has.range.toMs >= Math.min(toMs, has.askedMs);
}

/** Snapped to the buckets, so that the first and the last one are whole; the future is not asked for. */
function widened({ fromMs, toMs }: TimeRange, resolution: Resolution, nowMs: number): TimeRange {
  const margin = (toMs - fromMs) * MARGIN;
  const grid = resolution === 'raw' ? 60_000 : Math.min(BUCKET_MS[resolution], BUCKET_MS['1h']);
  return {
    fromMs: Math.floor((fromMs - margin) / grid) * grid,
    toMs: Math.min(Math.ceil((toMs + margin) / grid) * grid, Math.max(toMs, Math.ceil(nowMs / 1000) * 1000)),
  };
}
