import type { KeyValue } from '../state/snapshot.ts';
import { createWatched, type Watched } from '../state/store.ts';
import { LANGUAGES, type Language } from '../text/texts.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** What this browser's reader chose. */
export interface Preferences {
  readonly theme: Watched<Theme>;
  /** Undefined: as the browser says. */
  readonly language: Watched<Language | undefined>;
}

export const THEME_KEY = 'techtemp.theme';
export const LANGUAGE_KEY = 'techtemp.language';

export function createPreferences(storage: KeyValue, root: HTMLElement): Preferences {
  const theme = createWatched(readTheme(storage.get(THEME_KEY)));
  const language = createWatched(LANGUAGES.find((known) => known === storage.get(LANGUAGE_KEY)));
  applyTheme(root, theme.get());
  theme.watch((chosen) => {
    if (chosen === 'system') storage.remove(THEME_KEY);
    else storage.set(THEME_KEY, chosen);
    applyTheme(root, chosen);
  });
  language.watch((chosen) => {
    if (chosen === undefined) storage.remove(LANGUAGE_KEY);
    else storage.set(LANGUAGE_KEY, chosen);
  });
  return { theme, language };
}

export function readTheme(text: string | null): Theme {
  return THEMES.find((theme) => theme === text) ?? 'system';
}

/** A class, because an inline style would be against the page's own policy. */
export function applyTheme(root: HTMLElement, theme: Theme): void {
  root.classList.toggle('light', theme === 'light');
  root.classList.toggle('dark', theme === 'dark');
}
