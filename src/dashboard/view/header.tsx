import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { pendingCount } from '../now/now-page.tsx';
import { usePage, useWatched } from './context.ts';
import { Glyph, type IconName, Link } from './controls.tsx';
import type { Route } from './navigation.ts';
import { SettingsDialog } from './settings-dialog.tsx';
import { ConnectionWord } from './status-marks.tsx';

const PAGES = [
  ['', 'now', 'home'],
  ['history', 'history', 'chart'],
  ['devices', 'devices', 'devices'],
] as const satisfies readonly (readonly [Route, string, IconName])[];

/** The house's name, whether it is live, and the ways to the other pages; on a phone those are below. */
export function Header({ route }: { readonly route: Route }): JSX.Element {
  const { t, session } = usePage();
  const state = useWatched(session.site);
  const connection = useWatched(session.connection);
  const [isOpen, setOpen] = useState(false);
  const isPaused = connection.kind === 'paused';
  const pending = pendingCount(state);
  return (
    <header class="top">
      <p class="brand">
        <Link route="">
          <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" class="logo">
            <path d="M12 3a2.5 2.5 0 0 0-2.5 2.5v8.2a4.5 4.5 0 1 0 5 0V5.5A2.5 2.5 0 0 0 12 3z" />
            <circle cx="12" cy="17.5" r="2.2" />
            <path d="M12 9v8" />
          </svg>
          <span class="site-name">{state.site?.name || t('appName')}</span>
        </Link>
      </p>
      <nav class="pages" aria-label={t('navigation')}>
        {PAGES.map(([page, word, icon]) => (
          <Link key={page} route={page} current={route === page}>
            <Glyph name={icon} />
            <span>{t(word)}</span>
            {page === 'devices' && pending > 0 && <span class="badge">{pending}</span>}
          </Link>
        ))}
      </nav>
      <ConnectionWord />
      <button
        type="button"
        class="plain"
        aria-pressed={isPaused}
        aria-label={isPaused ? t('resume') : t('pause')}
        title={isPaused ? t('resume') : t('pause')}
        onClick={() => session.setPaused(!isPaused)}
      >
        <Glyph name={isPaused ? 'play' : 'pause'} />
      </button>
      <button
        type="button"
        class="plain"
        aria-label={t('settings')}
        title={t('settings')}
        onClick={() => setOpen(true)}
      >
        <Glyph name="settings" />
      </button>
      {isOpen && <SettingsDialog onClose={() => setOpen(false)} />}
    </header>
  );
}
