import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { de } from '../../../src/dashboard/text/de.ts';
import { en } from '../../../src/dashboard/text/en.ts';
import { createFormat, localeFor } from '../../../src/dashboard/text/format.ts';
import { fr } from '../../../src/dashboard/text/fr.ts';
import { nl } from '../../../src/dashboard/text/nl.ts';
import {
  chooseLanguage,
  createTranslate,
  LANGUAGES as KNOWN,
  LANGUAGE_NAMES,
  type Language,
  type TextKey,
  type Texts,
} from '../../../src/dashboard/text/texts.ts';

const LANGUAGES = { en, fr, nl, de } as const satisfies Record<Language, Texts>;
const TRANSLATIONS = ['fr', 'nl', 'de'] as const;
const SOURCE = resolve(import.meta.dirname, '../../../src/dashboard');
/** Names, signs and words that really are the same in English. All other texts have to differ. */
const SAME_EVERYWHERE: readonly TextKey[] = ['appName', 'connectionToBroker', 'exportCsv', 'humidex', 'version'];
const SAME_AS_ENGLISH: Readonly<Record<(typeof TRANSLATIONS)[number], readonly TextKey[]>> = {
  fr: ['configuration', 'navigation', 'short1h', 'short6h', 'short24h', 'softwareVersion'],
  nl: ['connectionLive', 'healthOnline', 'interval', 'later', 'sensor', 'short7d', 'short30d', 'token'],
  de: [
    ...(['connectionLive', 'healthOnline', 'name', 'sensor', 'softwareVersion', 'token'] as const),
    ...(['short1h', 'short6h', 'short24h', 'trendOver'] as const),
  ],
};

describe('texts', () => {
  it('every language of the settings has its texts and its name', () => {
    expect(Object.keys(LANGUAGES)).toEqual([...KNOWN]);
    expect(Object.keys(LANGUAGE_NAMES)).toEqual([...KNOWN]);
  });

  it.each(TRANSLATIONS)('%s has every text, filled in at the same places', (language) => {
    const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    for (const key of Object.keys(en) as TextKey[]) {
      const text = LANGUAGES[language][key];
      expect(
        text.split('|').map((form) => form.trim()),
        key,
      ).not.toContain('');
      // One of something may be written without its number; the form for many needs it.
      expect(placeholders(text), key).toEqual(placeholders(en[key]));
      expect(placeholders(text.split('|').at(-1) ?? ''), key).toEqual(placeholders(en[key].split('|').at(-1) ?? ''));
      expect(text.split('|').length, key).toBe(en[key].split('|').length);
      expect(text.replaceAll(/\{\w+\}/g, ''), key).not.toMatch(/[{}]/);
    }
    expect(Object.keys(LANGUAGES[language]).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(TRANSLATIONS)('%s repeats no English text by accident', (language) => {
    const same = (Object.keys(en) as TextKey[]).filter((key) => LANGUAGES[language][key] === en[key]);
    expect(same.sort()).toEqual([...SAME_EVERYWHERE, ...SAME_AS_ENGLISH[language]].sort());
  });

  it('every text is shown somewhere', () => {
    const code = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('text/'))
      .map((name) => readFileSync(join(SOURCE, name), 'utf8'))
      .concat(readFileSync(join(SOURCE, 'text/format.ts'), 'utf8'))
      .join('\n');
    expect(Object.keys(en).filter((key) => !new RegExp(`['"]${key}['"]`).test(code))).toEqual([]);
  });

  it.each([
    [['nl-BE', 'fr'], 'nl'],
    [['it', 'fr-FR'], 'fr'],
    [['de-AT', 'en'], 'de'],
    [['it'], 'en'],
    [[], 'en'],
    [['EN-us'], 'en'],
  ] as const)('a reader of %j gets %s', (preferred, language) => {
    expect(chooseLanguage(preferred)).toBe(language);
  });

  it('fills in, counts, and takes nothing for markup or for a place of its own', () => {
    const t = createTranslate(en, 'en');
    expect(t('problemSilent', { name: '<img src=x onerror=alert(1)>', time: '14:20' })).toBe(
      '<img src=x onerror=alert(1)>: silent since 14:20',
    );
    expect(t('removeTitle', { name: '{name} $& {time}' })).toBe('Remove {name} $& {time}?');
    expect([1, 2].map((count) => t('readingsCount', { count }))).toEqual(['1 reading', '2 readings']);
    expect(createTranslate(fr, 'fr')('readingsCount', { count: 0 })).toBe('0 mesure');
  });
});

describe('numbers and times as people write them', () => {
  const of = (language: Language, zone = 'Europe/Brussels', preferred: readonly string[] = []) =>
    createFormat(localeFor(language, preferred), zone, createTranslate(LANGUAGES[language], language));
  const at = (text: string): number => Date.parse(text);
  const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ');

  it('a minus is a minus, nothing is below zero by rounding, no value is a dash', () => {
    expect(plain(of('en').temperature(-3.04))).toBe('−3.0 °C');
    expect(plain(of('fr').temperature(21.55))).toMatch(/^21,[56] °C$/);
    expect(plain(of('en').temperature(0))).toBe('0.0 °C');
    expect(of('en').temperature(null)).toBe('–');
    // D7
    for (const language of KNOWN) {
      expect(plain(of(language).temperature(-0.04))).toMatch(/^0[.,]0 °C$/);
      expect(plain(of(language).temperature(-0))).toMatch(/^0[.,]0 °C$/);
      expect(plain(of(language).temperature(-0.06))).toMatch(/^−0[.,]1 °C$/);
      expect(plain(of(language).temperatureChange(-0.04))).toMatch(/^0[.,]0 °C$/);
      expect(of(language).number(-0.04)).toMatch(/^0[.,]0$/);
      expect(of(language).integer(-0.4)).toBe('0');
    }
    expect(plain(of('en').humidity(0))).toBe('0 %');
    expect(plain(of('nl').temperatureChange(0.4))).toBe('+0,4 °C');
  });

  it('times are those of the house, and an hour that comes twice is told apart', () => {
    const [first, second] = [at('2026-10-25T00:30Z'), at('2026-10-25T01:30Z')];
    expect(of('en').clock(first)).toBe('02:30');
    expect(of('en').exact(first)).toContain('GMT+2');
    expect(of('en').exact(second)).toContain('GMT+1');
    expect(of('en', 'Asia/Kathmandu').clock(at('2026-11-21T12:00Z'))).toBe('17:45');
  });

  it('a moment says the day only where it is another one, and the year where that is', () => {
    const now = at('2026-11-21T12:00Z');
    expect(of('en').moment(at('2026-11-21T06:00Z'), now)).toBe('07:00');
    expect(of('en').moment(at('2026-11-20T22:59Z'), now)).toBe('20 Nov, 23:59');
    expect(of('en').moment(at('2025-11-20T22:59Z'), now)).toContain('2025');
    expect(of('en').span(at('2026-11-20T06:00Z'), now)).toBe('20 Nov, 07:00 – 21 Nov, 13:00');
    expect(of('en').span(at('2026-11-21T06:00Z'), now)).toBe('21 Nov, 07:00 – 13:00');
  });

  it.each([
    [4_000, 'just now'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_600_000, '1 h ago'],
    [11_400_000, '3 h 10 min ago'],
    [47 * 3_600_000, '47 h ago'],
    [48 * 3_600_000, '2 days ago'],
  ])('%d ms is %s', (ms, text) => {
    expect(of('en').age(ms)).toBe(text);
  });

  it('a bucket’s width in words', () => {
    expect([5 * 60_000, 3_600_000, 86_400_000, 30_000].map((ms) => of('en').duration(ms))).toEqual([
      '5 minutes',
      '1 hour',
      '1 day',
      '30 seconds',
    ]);
    expect(of('fr').duration(7 * 86_400_000)).toMatch(/^7\sjours$/);
  });

  it.each([
    ['en', ['en-US'], 'en-US'],
    ['de', ['fr-BE', 'de', 'de-AT'], 'de-AT'],
    ['de', ['de'], 'de-DE'],
    ['nl', ['en-US', 'nl-NL'], 'nl-NL'],
    ['fr', [], 'fr-BE'],
    ['en', ['en-US@posix', 'C', ''], 'en-GB'],
  ] as const)('%s for a browser with %j is written as in %s', (language, preferred, locale) => {
    expect(localeFor(language, preferred)).toBe(locale);
  });

  it('German numbers and dates, and those of other regions', () => {
    const at14 = at('2026-11-21T13:05Z');
    expect(plain(of('de').temperature(-3.04))).toBe('−3,0 °C');
    expect(of('de').clock(at14)).toBe('14:05');
    expect(of('de').day(at14)).toBe('Samstag, 21. November');
    expect(plain(of('de').duration(7 * 86_400_000))).toBe('7 Tage');
    expect([1, 2].map((days) => of('de').age(days * 86_400_000 * 2 - 1))).toEqual(['vor 47 h', 'vor 3 Tagen']);
    expect(plain(of('de', 'Europe/Zurich', ['de-CH']).temperature(21.5))).toBe('21.5 °C');
  });

  it('12 hours with AM and PM where the region writes so, also on the axis', () => {
    const american = of('en', 'America/New_York', ['en-US']);
    expect(plain(american.clock(at('2026-11-21T19:05Z')))).toBe('2:05 PM');
    expect(plain(american.day(at('2026-11-21T19:05Z')))).toBe('Saturday, November 21');
    expect(american.tick(at('2026-11-21T05:00Z'), { unit: 'hour', count: 3 })).toEqual({ line: 'Nov 21', isDay: true });
    expect(plain(american.tick(at('2026-11-21T08:00Z'), { unit: 'hour', count: 3 }).line)).toBe('3:00 AM');
    expect(plain(american.tick(at('2026-11-21T08:00:15Z'), { unit: 'ms', count: 15_000 }).line)).toBe('3:00:15 AM');
  });

  it('marks of the axis: the day at midnight, the year in January', () => {
    const hour = { unit: 'hour', count: 3 } as const;
    expect(of('en').tick(at('2026-11-20T23:00Z'), hour)).toEqual({ line: '21 Nov', isDay: true });
    expect(of('en').tick(at('2026-11-21T02:00Z'), hour)).toEqual({ line: '03:00', isDay: false });
    expect(of('en').tick(at('2026-12-31T23:00Z'), { unit: 'month', count: 1 }).line).toBe('2027');
    expect(of('en').tick(at('2026-06-30T22:00Z'), { unit: 'month', count: 1 }).line).toBe('Jul');
    expect(of('en').tick(at('2026-11-21T02:00:15Z'), { unit: 'ms', count: 15_000 }).line).toBe('03:00:15');
  });
});
