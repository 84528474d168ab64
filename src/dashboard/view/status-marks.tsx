import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { ApiError } from '../api/api-client.ts';
import type { DeviceHealth } from '../state/model.ts';
import type { TextKey, Translate } from '../text/texts.ts';
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

/** Says that what is shown is old, as long as it is. */
export function LastKnown(): JSX.Element | null {
  const { session, t, format, clock } = usePage();
  const connection = useWatched(session.connection);
  const { loadedMs } = useWatched(session.site);
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

export const HEALTH_WORDS = {
  online: 'healthOnline',
  late: 'healthLate',
  silent: 'healthSilent',
  fault: 'healthFault',
  buffering: 'healthBuffering',
  clock: 'healthClock',
  never: 'healthNever',
} as const satisfies Record<DeviceHealth, TextKey>;

export const HEALTH_WHY = {
  online: 'healthOnlineWhy',
  late: 'healthLateWhy',
  silent: 'healthSilentWhy',
  fault: 'healthFaultWhy',
  buffering: 'healthBufferingWhy',
  clock: 'healthClockWhy',
  never: 'healthNeverWhy',
} as const satisfies Record<DeviceHealth, TextKey>;

/** Each state has its own shape, because one man in twelve cannot tell the colours apart. */
const SHAPES: Readonly<Record<DeviceHealth, JSX.Element>> = {
  online: <circle cx="8" cy="8" r="6" />,
  late: <path d="M8 2a6 6 0 0 0 0 12zM8 2a6 6 0 0 1 0 12" class="half" />,
  silent: <path d="M8 1.5 15 14H1z" />,
  fault: <path d="M3 3l10 10M13 3 3 13" class="stroke" />,
  buffering: <path d="M2.5 3h11v2.4h-11zM2.5 6.8h11v2.4h-11zM2.5 10.6h11V13h-11z" />,
  clock: <path d="M8 2a6 6 0 1 0 .01 0M8 5v3.3l2.4 1.6" class="line" />,
  never: <circle cx="8" cy="8" r="5" class="line" />,
};

export function StatusMark({
  health,
  isShapeOnly = false,
}: {
  readonly health: DeviceHealth;
  /** Where the words stand beside it. */
  readonly isShapeOnly?: boolean;
}): JSX.Element {
  const { t } = usePage();
  return (
    <span class={`status status-${health}`} title={t(HEALTH_WHY[health])}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        {SHAPES[health]}
      </svg>
      {!isShapeOnly && t(HEALTH_WORDS[health])}
    </span>
  );
}

/** Whether the server has got another version since this page was loaded. */
export function useIsOutdated(): boolean {
  const { session } = usePage();
  const version = useWatched(session.site).site?.version ?? '';
  const connection = useWatched(session.connection);
  const first = useRef('');
  // A version from the snapshot may be the version of an older server.
  if (first.current === '' && connection.kind === 'live') first.current = version;
  return first.current !== '' && version !== '' && version !== first.current;
}

/** The page never reloads by itself: the reader may be filling in a form. */
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

/** What went wrong, in words, and what can be done. */
export function LoadProblem({ error, retry }: { readonly error: unknown; readonly retry?: () => void }): JSX.Element {
  const { t, session, tokens } = usePage();
  const needsToken = error instanceof ApiError && error.status === 401;
  const again = retry ?? (() => session.retry());
  const giveToken = async (): Promise<void> => {
    if (await tokens.invite()) again();
  };
  return (
    <section class="card empty" role="alert">
      <h2>{t('errorTitle')}</h2>
      <p>{errorText(error, t)}</p>
      <p class="actions">
        {/* The dialog shows its own errors. */}
        {needsToken && (
          <button type="button" class="primary" onClick={() => void giveToken()}>
            {t('useToken')}
          </button>
        )}
        <button type="button" onClick={again}>
          {t('retry')}
        </button>
      </p>
    </section>
  );
}

export function errorText(error: unknown, t: Translate): string {
  if (!(error instanceof ApiError) || error.isUnreachable) return t('errorUnreachable');
  return t('errorAnswer', { error: error.message });
}
