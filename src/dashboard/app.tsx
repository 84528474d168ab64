import { type ComponentType, type JSX, render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { openZone, type Zone } from '../calendar/local-time.ts';
import { createApi } from './api/api.ts';
import { createApiClient } from './api/api-client.ts';
import { createTokens } from './api/tokens.ts';
import { NowPage } from './now/now-page.tsx';
import { browserPlatform } from './platform.ts';
import { createSession } from './state/session.ts';
import { createSnapshotStore, openKeyValue } from './state/snapshot.ts';
import { createWatched } from './state/store.ts';
import { createFormat, localeFor } from './text/format.ts';
import { createTranslate, type Language, type Texts } from './text/texts.ts';
import { createServerClock } from './time/server-clock.ts';
import { type Page, PageContext, useWatched } from './view/context.ts';
import { Header } from './view/header.tsx';
import { Lazy } from './view/lazy.tsx';
import { LiveRegion } from './view/live-region.tsx';
import { createNavigation, type Place } from './view/navigation.ts';
import { createPreferences } from './view/preferences.ts';
import { TokenDialog } from './view/settings-dialog.tsx';
import { LastKnown, UpdateNotice } from './view/status-marks.tsx';

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
