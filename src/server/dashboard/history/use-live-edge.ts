import { useEffect, useState } from 'preact/hooks';
import { usePage } from '../view/context.ts';
import type { TimeRange, View } from './range.ts';

/** A chart of the last hour moves on by about a pixel at a time; one of a year once a minute. */
const FASTEST_MS = 5_000;
const SLOWEST_MS = 60_000;
const STEPS_ACROSS = 700;
const LONGEST_LIVE_MS = 366 * 86_400_000;

/** Now, for a view that ends now; it stands still for one that doesn't. */
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

/** Counts what makes an answer old: new readings at the edge of a view that ends now, and changes of the past. */
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
      session.house.watch(() => {
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
