import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { TokenQuestion } from '../api/api-client.ts';
import { LANGUAGE_NAMES, LANGUAGES } from '../text/texts.ts';
import { usePage, useWatched } from './context.ts';
import { Dialog, Link } from './controls.tsx';
import { THEMES } from './preferences.ts';

const THEME_WORDS = { system: 'themeSystem', light: 'themeLight', dark: 'themeDark' } as const;

/** The choices of the reader; they are kept in this browser. */
export function SettingsDialog({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const { t, preferences, tokens, navigation, session } = usePage();
  const theme = useWatched(preferences.theme);
  const language = useWatched(preferences.language);
  const { site } = useWatched(session.site);
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
        {site !== null && site.version !== '' && t('version', { version: site.version })} ·{' '}
        <a href={`${navigation.base}docs`}>{t('apiDocs')}</a>
      </p>
    </Dialog>
  );
}

/** Asks for a token, once, when the server says that it needs one. Pasting and password managers work. */
export function TokenDialog({ question }: { readonly question: TokenQuestion }): JSX.Element {
  const { t } = usePage();
  const [token, setToken] = useState('');
  const [keep, setKeep] = useState(true);
  const isAnswered = useRef(false);
  const answer = (given: string | undefined): void => {
    if (isAnswered.current) return;
    isAnswered.current = true;
    question.answer(given, keep);
  };
  return (
    <Dialog title={t('tokenTitle')} onClose={() => answer(undefined)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') answer(token.trim());
        }}
      >
        {question.isWrong && (
          <p class="warning" role="alert">
            {t('tokenWrong')}
          </p>
        )}
        <p>{t(question.why === 'write' ? 'tokenWhyWrite' : 'tokenWhyRead')}</p>
        <p class="subtitle">{t('tokenHow')}</p>
        <label class="field">
          <span>{t('token')}</span>
          <input
            type="password"
            autocomplete="current-password"
            required
            autofocus
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={keep} onChange={({ currentTarget }) => setKeep(currentTarget.checked)} />
          <span>{t('tokenRemember')}</span>
        </label>
        <p class="actions">
          <button type="button" onClick={() => answer(undefined)}>
            {t('cancel')}
          </button>
          <button type="submit" class="primary">
            {t('useToken')}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
