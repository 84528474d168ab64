import { type ComponentType, type JSX, render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { openZone, type Zone } from '../calendar/local-time.ts';
import { createApi } from './api/api.ts';
import { createApiClient, createTokens } from './api/api-client.ts';
import { NowPage } from './now/now-page.tsx';
import { factsOf } from './now/room-facts.ts';
import { browserPlatform, createServerClock } from './platform.ts';
import { isProblem } from './state/model.ts';
import { createSession } from './state/session.ts';
import { createSnapshotStore, openKeyValue } from './state/snapshot.ts';
import { createWatched, type Watched } from './state/store.ts';
import { createFormat, localeFor } from './text/format.ts';
import { createTranslate, type Language, type Texts } from './text/texts.ts';
import { type Page, PageContext, usePage, useWatched } from './view/context.ts';
import { Header } from './view/header.tsx';
import { createNavigation, type Place } from './view/navigation.ts';
import { createPreferences } from './view/preferences.ts';
import { TokenDialog } from './view/settings-dialog.tsx';
import { LastKnown, LoadProblem, UpdateNotice } from './view/status-marks.tsx';

export interface Spoken {
  readonly language: Language;
  readonly texts: Texts;
}

const loadHistory = async (): Promise<ComponentType> => (await import('./history/history-page.tsx')).HistoryPage;
const loadDevices = async (): Promise<ComponentType> => (await import('./devices/devices-page.tsx')).DevicesPage;
const loadWall = async (): Promise<ComponentType> => (await import('./now/wall-page.tsx')).WallPage;

/** Builds the page's parts and shows them; called once, by boot.ts. */
export function start(
  root: HTMLElement,
  spoken: Spoken,
  speak: (language: Language | undefined) => Promise<Spoken>,
): void {
  const storage = openKeyValue(() => window.localStorage);
  const navigation = createNavigation(window);
  const { base } = navigation;
  const platform = browserPlatform;
  const clock = createServerClock(platform);
  const tokens = createTokens(storage, base);
  const client = createApiClient({ base, fetch: window.fetch.bind(window), tokens, clock });
  const api = createApi(client);
  const session = createSession({ api, client, platform, clock, snapshots: createSnapshotStore(storage, base) });
  const preferences = createPreferences(storage, document.documentElement);
  const announcement = createWatched('');
  const announce = announcement.set;
  const parts = { session, api, tokens, clock, platform, preferences, navigation, announce };

  const isVisible = (): boolean => document.visibilityState === 'visible';
  document.addEventListener('visibilitychange', () => session.setVisible(isVisible()));
  window.addEventListener('online', () => session.retry());
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) session.retry();
  });
  session.setVisible(isVisible());
  // Ends with the page; what goes wrong is shown as a lost connection.
  void session.run(new AbortController().signal);

  root.replaceChildren();
  render(<App parts={parts} first={spoken} speak={speak} announcement={announcement} />, root);
}

type Parts = Omit<Page, 'language' | 't' | 'format' | 'zone'>;

interface AppProps {
  readonly parts: Parts;
  readonly first: Spoken;
  readonly speak: (language: Language | undefined) => Promise<Spoken>;
  readonly announcement: ReturnType<typeof createWatched<string>>;
}

function App({ parts, first, speak, announcement }: AppProps): JSX.Element {
  const { session, preferences, navigation, tokens } = parts;
  const place = useWatched(navigation.place);
  const { site } = useWatched(session.site);
  const wanted = useWatched(preferences.language);
  const question = useWatched(tokens.question);
  const [{ language, texts }, setSpoken] = useState(first);
  useEffect(() => {
    let isWanted = true;
    // If the language cannot be loaded, the present one stays.
    speak(wanted).then(
      (next) => isWanted && setSpoken(next),
      () => undefined,
    );
    return () => {
      isWanted = false;
    };
  }, [wanted, speak]);

  const page = useMemo((): Page => {
    const zone = zoneOrUtc(site?.timeZone);
    const t = createTranslate(texts, language);
    return {
      ...parts,
      language,
      t,
      zone,
      format: createFormat(localeFor(language, navigator.languages), zone.name, t),
    };
  }, [parts, language, texts, site?.timeZone]);
  const { t } = page;

  useEffect(() => {
    document.documentElement.lang = language;
    const title = t(TITLES[place.route]);
    document.title = `${title} · ${site?.name || t('appName')}`;
  }, [language, t, place.route, site?.name]);

  return (
    <PageContext.Provider value={page}>
      {place.route !== 'wall' && (
        <>
          <a class="skip" href="#content">
            {t('skipToContent')}
          </a>
          <Header route={place.route} />
          <LastKnown />
          <UpdateNotice />
        </>
      )}
      <main id="content" tabIndex={-1}>
        <Content place={place} />
      </main>
      {question !== null && <TokenDialog question={question} />}
      <LiveRegion announcement={announcement} />
    </PageContext.Provider>
  );
}

const TITLES = { '': 'now', history: 'history', devices: 'devices', wall: 'wall' } as const;

function Content({ place }: { readonly place: Place }): JSX.Element {
  switch (place.route) {
    case '':
      return <NowPage />;
    case 'history':
      return <Lazy key="history" load={loadHistory} />;
    case 'devices':
      return <Lazy key="devices" load={loadDevices} />;
    case 'wall':
      return <Lazy key="wall" load={loadWall} />;
  }
}

/** A zone that this browser doesn't know: an old browser, or a new zone. */
function zoneOrUtc(name: string | undefined): Zone {
  try {
    return openZone(name ?? 'UTC');
  } catch {
    return openZone('UTC');
  }
}

/** A page whose code is loaded when it is first wanted: the first view doesn't wait for the chart. */
export function Lazy({ load }: { readonly load: () => Promise<ComponentType> }): JSX.Element {
  const { t } = usePage();
  const [state, setState] = useState<{ readonly Page?: ComponentType; readonly error?: unknown }>({});
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let isWanted = true;
    load().then(
      (Page) => isWanted && setState({ Page }),
      (error: unknown) => isWanted && setState({ error }),
    );
    return () => {
      isWanted = false;
    };
  }, [load, attempt]);
  if (state.Page !== undefined) return <state.Page />;
  if (state.error !== undefined) {
    return <LoadProblem error={state.error} retry={() => setAttempt(attempt + 1)} />;
  }
  return (
    <p class="loading" aria-busy="true">
      {t('loading')}
    </p>
  );
}

/** Changes of state are announced at most this often. */
const TELL_EVERY_MS = 10_000;

/**
 * The only live region for screen readers. Results of actions are announced at once, changes of state from time to time,
 * values never, because there are too many of them.
 */
export function LiveRegion({ announcement }: { readonly announcement: Watched<string> }): JSX.Element {
  const { session, t, format, clock, platform, zone } = usePage();
  const said = useWatched(announcement);
  const before = useRef<string | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    platform.every(TELL_EVERY_MS, ending.signal, () => {
      const nowMs = clock.nowMs();
      const connection = session.connection.get();
      const troubles = factsOf(session.site.get(), nowMs, zone)
        .filter(({ health }) => isProblem(health))
        .map(({ title, health, heardMs }) =>
          health === 'fault' || heardMs === null
            ? t('problemFault', { name: title })
            : t('problemSilent', { name: title, time: format.moment(heardMs, nowMs) }),
        );
      const state = connection.kind === 'lost' ? t('errorUnreachable') : troubles.join('. ');
      if (before.current !== null && before.current !== state) {
        announcement.set(state === '' ? t('backLive') : state);
      }
      before.current = state;
    });
    return () => ending.abort();
  }, [session, t, format, clock, platform, zone, announcement]);
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  );
}
