import type { JSX } from 'preact';
import { usePage, useWatched } from './context.ts';

/** Says that what is shown is old, as long as it is. */
export function LastKnown(): JSX.Element | null {
  const { session, t, format, clock } = usePage();
  const connection = useWatched(session.connection);
  const { loadedMs } = useWatched(session.house);
  if (connection.kind !== 'lost' || loadedMs === null) return null;
  const heardMs = session.heardMs() ?? loadedMs;
  return (
    <p class="last-known">
      <span>{t('lastKnown', { time: format.moment(heardMs, clock.nowMs()) })}</span>
      <button type="button" onClick={() => session.retry()}>
        {t('retry')}
      </button>
    </p>
  );
}
