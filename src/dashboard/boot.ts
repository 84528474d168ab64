import type { Spoken } from './app.tsx';
import { chooseLanguage, LANGUAGES, type Language, type Texts } from './text/texts.ts';
import { applyTheme, LANGUAGE_KEY, readTheme, THEME_KEY } from './view/preferences.ts';

/**
 * The first code that runs. It sets the chosen colours before the page is drawn, loads the page and its language side by
 * side, and shows a message when that fails (after an update an old page may ask for files that no longer exist).
 */

const LOADERS: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => (await import('./text/en.ts')).en,
  fr: async () => (await import('./text/fr.ts')).fr,
  nl: async () => (await import('./text/nl.ts')).nl,
  de: async () => (await import('./text/de.ts')).de,
};
const RELOADED = 'techtemp-reloaded';
const SORRY: Readonly<Record<Language, string>> = {
  en: 'This page could not be loaded. Is the server running? Please reload.',
  fr: 'Cette page n’a pas pu être chargée. Le serveur fonctionne-t-il ? Veuillez recharger.',
  nl: 'Deze pagina kon niet worden geladen. Draait de server? Laad de pagina opnieuw.',
  de: 'Diese Seite konnte nicht geladen werden. Läuft der Server? Bitte laden Sie die Seite neu.',
};

const kept = (key: string): string | null => {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
};

const speak = async (wanted: Language | undefined): Promise<Spoken> => {
  const language = wanted ?? chooseLanguage(navigator.languages);
  return { language, texts: await LOADERS[language]() };
};

async function boot(): Promise<void> {
  applyTheme(document.documentElement, readTheme(kept(THEME_KEY)));
  const root = document.getElementById('app');
  if (root === null) throw new Error('index.html has no element "app"');
  const wanted = LANGUAGES.find((known) => known === kept(LANGUAGE_KEY));
  try {
    const [{ start }, spoken] = await Promise.all([import('./app.tsx'), speak(wanted)]);
    start(root, spoken, speak);
  } catch (error) {
    console.error(error);
    const here = new URL(window.location.href);
    if (!here.searchParams.has(RELOADED)) {
      here.searchParams.set(RELOADED, '1');
      window.location.replace(here);
      return;
    }
    root.textContent = SORRY[wanted ?? chooseLanguage(navigator.languages)];
  }
  if (window.isSecureContext && 'serviceWorker' in navigator) {
    // Without it the page works all the same, but not offline.
    await navigator.serviceWorker.register('service-worker.js').catch(() => undefined);
  }
}

void boot();
