import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { GapReason } from '../../contract/reading.ts';
import type { Gap } from '../state/model.ts';
import type { TextKey, Translate } from '../text/texts.ts';
import { usePage } from '../view/context.ts';
import type { ChartContent } from './chart.ts';
import { absenceAt } from './plot-data.ts';
import type { Quantity } from './range.ts';
import { formatQuantity, QUANTITY_WORDS } from './sources.ts';

const WORDS = {
  thinned: 'reasonThinned',
  dropped: 'reasonDropped',
  damaged: 'reasonDamaged',
  'lost-in-memory': 'reasonLostInMemory',
} as const satisfies Record<GapReason, TextKey>;

/** A newer device may give a reason that this page does not know. The reason is then shown as it was sent. */
export function reasonText(reason: GapReason, t: Translate): string {
  return reason in WORDS ? t(WORDS[reason]) : reason;
}

/** One gap: its time, its device, the number of readings and the reason. */
export function GapList({
  gaps,
  nameOf,
}: {
  readonly gaps: readonly Gap[];
  readonly nameOf: (deviceUid: string) => string;
}): JSX.Element {
  const { t, format, clock } = usePage();
  const nowMs = clock.nowMs();
  const when = ({ fromMs, toMs, tsMs }: Gap): string =>
    fromMs === null || toMs === null
      ? format.moment(tsMs, nowMs)
      : `${format.moment(fromMs, nowMs)} – ${format.moment(toMs, nowMs)}`;
  return (
    <ul class="gap-list">
      {gaps.map((gap) => (
        <li key={`${gap.deviceUid}${gap.tsMs}${gap.fromMs}`}>
          <span class="gap-mark" aria-hidden="true" />
          <strong>{nameOf(gap.deviceUid)}</strong> {when(gap)}:{' '}
          {gap.count === null ? t('gapReadingsUnknown') : t('gapReadings', { count: gap.count })},{' '}
          {reasonText(gap.reason, t)}
        </li>
      ))}
    </ul>
  );
}

const ROWS = 50;

/** The chart's numbers, newest first; gaps have a row too, with their reason. */
export function ValueTable({
  content,
  quantity,
}: {
  readonly content: ChartContent;
  readonly quantity: Quantity;
}): JSX.Element {
  const { t, format } = usePage();
  const [page, setPage] = useState(0);
  const { range, data, sources } = content;
  const rows = data.times
    .flatMap((time, index) => (time >= range.fromMs && time < range.toMs ? [index] : []))
    .reverse();
  const pages = Math.max(1, Math.ceil(rows.length / ROWS));
  const shown = Math.min(page, pages - 1);
  const cell = (line: number, index: number): string => {
    const column = data.lines[line];
    const mean = column?.mean[index];
    if (column === undefined || mean === undefined) return '';
    if (mean === null) {
      const absence = absenceAt(column, data.times[index] ?? 0);
      return absence?.gap === undefined
        ? t('noReading')
        : t('noReadingBecause', { reason: reasonText(absence.gap.reason, t) });
    }
    const [least, most] = [column.least[index], column.most[index]];
    const hasBand = typeof least === 'number' && typeof most === 'number' && least !== most;
    const value = formatQuantity(format, quantity, mean);
    return hasBand ? `${value} (${format.number(least)} – ${format.number(most)})` : value;
  };
  return (
    <section class="card">
      <div class="scroll" tabIndex={0} role="region" aria-label={t('table')}>
        <table>
          <caption>{t('tableCaption', { quantity: t(QUANTITY_WORDS[quantity]) })}</caption>
          <thead>
            <tr>
              <th scope="col">{t('time')}</th>
              {sources.map(({ key, name }) => (
                <th key={key} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(shown * ROWS, (shown + 1) * ROWS).map((index) => (
              <tr key={index}>
                <th scope="row">{format.exact(data.spans[index]?.fromMs ?? 0)}</th>
                {sources.map(({ key }, line) => (
                  <td key={key}>{cell(line, index)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <p class="actions">
          <button type="button" disabled={shown === 0} onClick={() => setPage(shown - 1)}>
            {t('previousPage')}
          </button>
          <span>{t('pageOf', { page: shown + 1, pages })}</span>
          <button type="button" disabled={shown === pages - 1} onClick={() => setPage(shown + 1)}>
            {t('nextPage')}
          </button>
        </p>
      )}
    </section>
  );
}
