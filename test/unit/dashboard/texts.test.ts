import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { en } from '../../../src/dashboard/text/en.ts';
import { createFormat } from '../../../src/dashboard/text/format.ts';
import { fr } from '../../../src/dashboard/text/fr.ts';
import { nl } from '../../../src/dashboard/text/nl.ts';
import { chooseLanguage, createTranslate, type TextKey, type Texts } from '../../../src/dashboard/text/texts.ts';

const LANGUAGES = { en, fr, nl } as const satisfies Record<string, Texts>;
const SOURCE = resolve(import.meta.dirname, '../../../src/dashboard');

describe('texts', () => {
  it.each(['fr', 'nl'] as const)('%s has every text, filled in at the same places', (language) => {
    const places = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    for (const key of Object.keys(en) as TextKey[]) {
      const text = LANGUAGES[language][key];
      expect(text.trim(), key).not.toBe('');
      // One of something may be written without its number.
      expect(
        places(text).filter((place) => place !== '{count}'),
        key,
      ).toEqual(places(en[key]).filter((place) => place !== '{count}'));
      expect(text.includes('{count}'), key).toBe(en[key].includes('{count}'));
      expect(text.includes('|'), key).toBe(en[key].includes('|'));
    }
    expect(Object.keys(LANGUAGES[language]).sort()).toEqual(Object.keys(en).sort());
  });

  it('no text is left that nobody shows', () => {
    const code = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('text/'))
      .map((name) => readFileSync(join(SOURCE, name), 'utf8'))
      .concat(readFileSync(join(SOURCE, 'text/format.ts'), 'utf8'))
      .join('\n');
    expect(Object.keys(en).filter((key) => !new RegExp(`['"]${key}['"]`).test(code))).toEqual([]);
  });

  it.each([
    [['nl-BE', 'fr'], 'nl'],
    [['de', 'fr-FR'], 'fr'],
    [['de'], 'en'],
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
  const of = (language: 'en' | 'fr' | 'nl', zone = 'Europe/Brussels') =>
    createFormat(language, zone, createTranslate(LANGUAGES[language], language));
  const at = (text: string): number => Date.parse(text);
  const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ');

  it('a minus is a minus, nothing is below zero by rounding, no value is a dash', () => {
    expect(plain(of('en').temperature(-3.04))).toBe('−3.0 °C');
    expect(plain(of('fr').temperature(21.55))).toMatch(/^21,[56] °C$/);
    expect(plain(of('en').temperature(0))).toBe('0.0 °C');
    expect(of('en').temperature(null)).toBe('–');
    // D7
    for (const language of ['en', 'fr', 'nl'] as const) {
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

  it('marks of the axis: the day at midnight, the year in January', () => {
    const hour = { unit: 'hour', count: 3 } as const;
    expect(of('en').tick(at('2026-11-20T23:00Z'), hour)).toEqual({ line: '21 Nov', isDay: true });
    expect(of('en').tick(at('2026-11-21T02:00Z'), hour)).toEqual({ line: '03:00', isDay: false });
    expect(of('en').tick(at('2026-12-31T23:00Z'), { unit: 'month', count: 1 }).line).toBe('2027');
    expect(of('en').tick(at('2026-06-30T22:00Z'), { unit: 'month', count: 1 }).line).toBe('Jul');
    expect(of('en').tick(at('2026-11-21T02:00:15Z'), { unit: 'ms', count: 15_000 }).line).toBe('03:00:15');
  });
});
