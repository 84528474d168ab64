import type { en } from './en.ts';

export type TextKey = keyof typeof en;
/** A language: every text that English has, or it does not compile. */
export type Texts = Readonly<Record<TextKey, string>>;

export const LANGUAGES = ['en', 'fr', 'nl', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];
/** The name of each language, written in that language. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: 'English',
  fr: 'Français',
  nl: 'Nederlands',
  de: 'Deutsch',
};

export type Translate = (key: TextKey, values?: Readonly<Record<string, string | number>>) => string;

/** The first language that the reader prefers and we have; else English. */
export function chooseLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const language = LANGUAGES.find((known) => known === tag.toLowerCase().split('-')[0]);
    if (language !== undefined) {
      return language;
    }
  }
  return 'en';
}

/** Texts are plain text: what is filled in is never taken for markup. */
export function createTranslate(texts: Texts, language: Language): Translate {
  const plural = new Intl.PluralRules(language);
  return (key, values = {}) => {
    const [one, many = one] = texts[key].split('|') as [string, string?];
    const count = values['count'];
    const form = typeof count === 'number' && plural.select(count) === 'one' ? one : many;
    return form.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  };
}
