import type { JSX } from 'preact';
import { LANGUAGE_NAMES, LANGUAGES } from '../text/texts.ts';
import { usePage, useWatched } from './context.ts';
import { Dialog } from './dialog.tsx';
import { Link } from './link.tsx';
import { THEMES } from './preferences.ts';

const THEME_WORDS = { system: 'themeSystem', light: 'themeLight', dark: 'themeDark' } as const;

/** What a reader can choose; it stays in this browser. */
export function SettingsDialog({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const { t, preferences, tokens, navigation, session } = usePage();
  const theme = useWatched(preferences.theme);
  const language = useWatched(preferences.language);
  const { house } = useWatched(session.house);
  return (
    <Dialog title={t('settings')} onClose={onClose}>
      <fieldset class="segments">
        <legend>{t('theme')}</legend>
        {THEMES.map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name="theme"
              checked={theme === choice}
              onChange={() => preferences.theme.set(choice)}
            />
            <span>{t(THEME_WORDS[choice])}</span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        <span>{t('language')}</span>
        <select
          value={language ?? ''}
          onChange={({ currentTarget }) =>
            preferences.language.set(LANGUAGES.find((known) => known === currentTarget.value))
          }
        >
          <option value="">{t('languageBrowser')}</option>
          {LANGUAGES.map((choice) => (
            <option key={choice} value={choice} lang={choice}>
              {LANGUAGE_NAMES[choice]}
            </option>
          ))}
        </select>
      </label>
      <p>
        <Link route="wall">{t('wall')}</Link>
      </p>
      {tokens.current() !== undefined && (
        <p>
          <button
            type="button"
            onClick={() => {
              tokens.forget();
              onClose();
            }}
          >
            {t('tokenForget')}
          </button>
        </p>
      )}
      <p class="subtitle">
        {house !== null && house.version !== '' && t('version', { version: house.version })} ·{' '}
        <a href={`${navigation.base}docs`}>{t('apiDocs')}</a>
      </p>
    </Dialog>
  );
}
