import type { JSX } from 'preact';
import { usePage, useWatched } from './context.ts';

/** Whether what is shown is live, in words and by shape. */
export function ConnectionWord(): JSX.Element {
  const { session, t, format, clock } = usePage();
  const connection = useWatched(session.connection);
  const words = {
    connecting: () => t('connectionConnecting'),
    live: () => t('connectionLive'),
    paused: () => t('connectionPaused'),
    polling: () => t('connectionPolling'),
    lost: () => {
      const heard = session.heardMs();
      return heard === null
        ? t('connectionLostNever')
        : t('connectionLost', { time: format.moment(heard, clock.nowMs()) });
    },
  };
  return (
    <span class={`connection connection-${connection.kind}`} data-connection={connection.kind}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        {connection.kind === 'lost' ? <path d="M3 3l10 10M13 3 3 13" class="stroke" /> : <circle cx="8" cy="8" r="5" />}
      </svg>
      {words[connection.kind]()}
    </span>
  );
}
