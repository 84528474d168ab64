import type { JSX } from 'preact';
import type { ComfortWord } from '../comfort/comfort-range.ts';
import type { HumidexBand } from '../comfort/humidex.ts';
import type { MouldLevel } from '../comfort/mould.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage } from '../view/context.ts';
import type { Comfort } from './room-facts.ts';

const COMFORT_WORDS = {
  usual: 'comfortUsual',
  cool: 'comfortCool',
  warm: 'comfortWarm',
  dry: 'comfortDry',
  humid: 'comfortHumid',
} as const satisfies Record<ComfortWord, TextKey>;

const HUMIDEX_WORDS = {
  none: 'humidexNone',
  some: 'humidexSome',
  great: 'humidexGreat',
  dangerous: 'humidexDangerous',
} as const satisfies Record<HumidexBand, TextKey>;

const MOULD_WORDS = {
  ok: 'mouldOk',
  watch: 'mouldWatch',
  risk: 'mouldRisk',
  condensation: 'mouldCondensation',
} as const satisfies Record<MouldLevel, TextKey>;

/** What the air means for people and walls; unfolds. */
export function ComfortList({ comfort }: { readonly comfort: Comfort }): JSX.Element {
  const { t, format } = usePage();
  const { word, dewPoint, absoluteHumidity, humidex, mouldBelow, mould } = comfort;
  const isWarning = mould !== null && (mould.level === 'risk' || mould.level === 'condensation');
  return (
    <details class="comfort">
      <summary>
        {t(COMFORT_WORDS[word])}
        {isWarning && <span class="warning"> · {t('mouldRiskShort')}</span>}
      </summary>
      <dl title={t('comfortNorm')}>
        <dt>{t('dewPoint')}</dt>
        <dd>{format.temperature(dewPoint)}</dd>
        <dt>{t('absoluteHumidity')}</dt>
        <dd>{format.absoluteHumidity(absoluteHumidity)}</dd>
        {humidex !== null && (
          <>
            <dt>{t('humidex')}</dt>
            <dd>
              {format.integer(humidex.value)}, {t(HUMIDEX_WORDS[humidex.band])}
            </dd>
          </>
        )}
        {mouldBelow !== null && (
          <>
            <dt>{t('mould')}</dt>
            <dd title={t('mouldWhy')} class={isWarning ? 'warning' : ''}>
              {mould === null
                ? t('mouldBelow', { temperature: format.temperature(mouldBelow) })
                : t(MOULD_WORDS[mould.level], {
                    temperature: format.temperature(mould.wallCelsius),
                    percent: format.humidity(mould.wallHumidityPercent),
                  })}
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}
