import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { usePage, useWatched } from './context.ts';

/** Whether the server has become another version since this page was loaded. */
export function useIsOutdated(): boolean {
  const { session } = usePage();
  const version = useWatched(session.house).house?.version ?? '';
  const connection = useWatched(session.connection);
  const first = useRef('');
  // What was kept from another day says nothing about the server that sent this page.
  if (first.current === '' && connection.kind === 'live') first.current = version;
  return first.current !== '' && version !== '' && version !== first.current;
}

/** Never reloads by itself: somebody may be in the middle of something. */
export function UpdateNotice(): JSX.Element | null {
  const { t } = usePage();
  if (!useIsOutdated()) return null;
  return (
    <p class="notice">
      <span>{t('updateReady')}</span>
      <button type="button" onClick={() => window.location.reload()}>
        {t('reload')}
      </button>
    </p>
  );
}
