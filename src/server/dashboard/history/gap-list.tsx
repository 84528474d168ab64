import type { JSX } from 'preact';
import type { Gap } from '../state/model.ts';
import { usePage } from '../view/context.ts';
import { reasonText } from './reasons.ts';

/** When, whose, how many and why. */
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
