import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../calendar/local-time.ts';
import type { TickStep } from '../time/ticks.ts';
import type { Language, Translate } from './texts.ts';

/** Numbers and times as the reader writes them, in the house's zone. A minus is a minus (−), a missing value a dash. */
export interface Format {
  temperature(celsius: number | null): string;
  /** With its sign, for a change. */
  temperatureChange(kelvin: number): string;
  humidity(percent: number | null): string;
  absoluteHumidity(gramsPerCubicMetre: number | null): string;
  /** One decimal, no unit. */
  number(value: number): string;
  integer(value: number): string;
  /** `14:05`, or `2:05 PM`. */
  clock(ms: number): string;
  /** `14:05` today, else `21 Nov, 14:05`, with the year where it is another one. */
  moment(ms: number, nowMs: number): string;
  /** `Saturday 21 November`. */
  day(ms: number): string;
  /** `21 Nov 2026, 14:05 UTC+1`: says the offset, so that an hour that comes twice is told apart. */
  exact(ms: number): string;
  /** `21 Nov, 14:05 – 16:20`; the day again only where it is another one, the year where they differ. */
  span(fromMs: number, toMs: number): string;
  /** What is written at a mark of the time axis: on the second line only where it says something new. */
  tick(ms: number, step: TickStep): { readonly line: string; readonly isDay: boolean };
  age(ageMs: number): string;
  /** `30 seconds`, `5 minutes`, `1 hour`, `7 days`. */
  duration(ms: number): string;
}

const NO_VALUE = '–';

/** Where the browser names no region for the language. */
const DEFAULT_LOCALES: Readonly<Record<Language, string>> = { en: 'en-GB', fr: 'fr-BE', nl: 'nl-BE', de: 'de-DE' };

/**
 * The locale for numbers and dates in a language: the first of the browser's languages (`de-AT`) that is this language and names a
 * region, else our default.
 */
export function localeFor(language: Language, preferred: readonly string[]): string {
  return preferred.find((tag) => isRegional(tag, language)) ?? DEFAULT_LOCALES[language];
}

function isRegional(tag: string, language: Language): boolean {
  try {
    const locale = new Intl.Locale(tag);
    return locale.language === language && locale.region !== undefined;
  } catch {
    // Chromium under LANG=C gives "en-US@posix", which is not a valid tag.
    return false;
  }
}

export function createFormat(locale: string, timeZone: string, translate: Translate): Format {
  const decimals = (digits: number, options: Intl.NumberFormatOptions = {}): Intl.NumberFormat =>
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, ...options });
  const times = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone, ...options });

  const [whole, tenth] = [decimals(0), decimals(1)];
  const change = decimals(1, { signDisplay: 'exceptZero' });
  // 24 hours, or 12 with AM and PM, as the locale has it: 09:05, or 9:05 AM.
  const isTwelveHours = times({ hour: 'numeric' }).resolvedOptions().hour12 === true;
  const hourMinute = { hour: isTwelveHours ? 'numeric' : '2-digit', minute: '2-digit' } as const;
  const clock = times(hourMinute);
  const clockSeconds = times({ ...hourMinute, second: '2-digit' });
  const dayMonth = times({ day: 'numeric', month: 'short' });
  const dayMonthClock = times({ day: 'numeric', month: 'short', ...hourMinute });
  const dateClock = times({ year: 'numeric', month: 'short', day: 'numeric', ...hourMinute });
  const exact = times({ year: 'numeric', month: 'short', day: 'numeric', ...hourMinute, timeZoneName: 'shortOffset' });
  const longDay = times({ weekday: 'long', day: 'numeric', month: 'long' });
  const isoDay = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
  const isoTime = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' });
  const month = times({ month: 'short' });
  const year = times({ year: 'numeric' });

  // What is rounded to zero has no sign: -0.04 °C is 0.0 °C.
  const minus = (text: string): string => text.replace('-', /[1-9]/.test(text) ? '−' : '');
  const unit = (format: Intl.NumberFormat, value: number | null, sign: string): string =>
    value === null ? NO_VALUE : `${minus(format.format(value))}\u00a0${sign}`;

  return {
    temperature: (celsius) => unit(tenth, celsius, '°C'),
    temperatureChange: (kelvin) => unit(change, kelvin, '°C'),
    humidity: (percent) => unit(whole, percent, '%'),
    absoluteHumidity: (grams) => unit(tenth, grams, 'g/m³'),
    number: (value) => minus(tenth.format(value)),
    integer: (value) => minus(whole.format(value)),
    clock: (ms) => clock.format(ms),
    moment(ms, nowMs) {
      if (isoDay.format(ms) === isoDay.format(nowMs)) {
        return clock.format(ms);
      }
      return (year.format(ms) === year.format(nowMs) ? dayMonthClock : dateClock).format(ms);
    },
    day: (ms) => longDay.format(ms),
    exact: (ms) => exact.format(ms),
    span(fromMs, toMs) {
      const [from, to] = [isoDay.format(fromMs), isoDay.format(toMs)];
      if (from === to) return `${dayMonthClock.format(fromMs)} – ${clock.format(toMs)}`;
      const format = from.slice(0, 4) === to.slice(0, 4) ? dayMonthClock : dateClock;
      return `${format.format(fromMs)} – ${format.format(toMs)}`;
    },
    tick(ms, step) {
      if (step.unit === 'month') {
        const isJanuary = isoDay.format(ms).slice(5, 7) === '01';
        return { line: isJanuary ? year.format(ms) : month.format(ms), isDay: isJanuary };
      }
      const time = isoTime.format(ms);
      if (step.unit === 'day' || time === '00:00:00') {
        return { line: dayMonth.format(ms), isDay: true };
      }
      return { line: (time.endsWith(':00') ? clock : clockSeconds).format(ms), isDay: false };
    },
    age(ageMs) {
      const [minutes, hours, days] = [MINUTE_MS, HOUR_MS, DAY_MS].map((ms) => Math.floor(ageMs / ms)) as [
        number,
        number,
        number,
      ];
      if (ageMs < 5_000) return translate('ageNow');
      if (minutes < 1) return translate('ageSeconds', { count: Math.floor(ageMs / 1000) });
      if (hours < 1) return translate('ageMinutes', { count: minutes });
      if (hours < 12 && minutes % 60 > 0) return translate('ageHoursMinutes', { hours, minutes: minutes % 60 });
      return days < 2 ? translate('ageHours', { count: hours }) : translate('ageDays', { count: days });
    },
    duration(ms) {
      const [unitName, unitMs] = (
        [
          ['day', DAY_MS],
          ['hour', HOUR_MS],
          ['minute', MINUTE_MS],
        ] as const
      ).find(([, size]) => ms >= size) ?? ['second', 1000];
      const options = { style: 'unit', unit: unitName, unitDisplay: 'long', maximumFractionDigits: 1 } as const;
      return new Intl.NumberFormat(locale, options).format(ms / unitMs);
    },
  };
}
