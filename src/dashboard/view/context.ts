import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Zone } from '../../calendar/local-time.ts';
import type { Api } from '../api/api.ts';
import type { Tokens } from '../api/api-client.ts';
import type { Platform, ServerClock } from '../platform.ts';
import type { Session } from '../state/session.ts';
import type { Watched } from '../state/store.ts';
import type { Format } from '../text/format.ts';
import type { Language, Translate } from '../text/texts.ts';
import type { Navigation } from './navigation.ts';
import type { Preferences } from './preferences.ts';

/** What every part of the page may use. Made once, by `app.tsx`; a language or zone that changes makes a new one. */
export interface Page {
  readonly session: Session;
  readonly api: Api;
  readonly tokens: Tokens;
  readonly clock: ServerClock;
  readonly platform: Platform;
  readonly preferences: Preferences;
  readonly navigation: Navigation;
  readonly language: Language;
  readonly t: Translate;
  readonly format: Format;
  /** The house's. */
  readonly zone: Zone;
  /** Announces a sentence to users of a screen reader. */
  readonly announce: (sentence: string) => void;
}

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === null) throw new Error('a part of the page stands outside of it');
  return page;
}

export function useWatched<T>(watched: Watched<T>): T {
  const [value, setValue] = useState(watched.get());
  useEffect(() => {
    setValue(() => watched.get());
    return watched.watch((next) => setValue(() => next));
  }, [watched]);
  return value;
}

/** The server's time, again every `everyMs`. */
export function useNow(everyMs: number): number {
  const { clock, platform } = usePage();
  const [nowMs, setNowMs] = useState(clock.nowMs());
  useEffect(() => {
    const ending = new AbortController();
    platform.every(everyMs, ending.signal, () => setNowMs(clock.nowMs()));
    return () => ending.abort();
  }, [clock, platform, everyMs]);
  // A reading that has just come may be newer than the last tick.
  return Math.max(nowMs, clock.nowMs());
}
