import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { RejectedMessage } from '../../server/http/schemas/record.ts';
import { GapList } from '../history/value-table.tsx';
import type { Quarantine } from '../state/model.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage, useWatched } from '../view/context.ts';
import { LoadProblem } from '../view/status-marks.tsx';
import { VerdictWord } from '../view/verdict-word.tsx';
import { useAction, usePages } from './hooks.ts';

/** Whether readings are missing, and which readings the devices report as lost. */
export function GapsSection({ nameOf }: { readonly nameOf: (deviceUid: string) => string }): JSX.Element {
  const { api, t } = usePage();
  const { items, error, more, retry } = usePages(api.gaps);
  return (
    <section class="card">
      <h2>{t('gaps')}</h2>
      <VerdictWord nameOf={nameOf} />
      <p class="subtitle">{t('gapsWhy')}</p>
      {error !== undefined && <LoadProblem error={error} retry={retry} />}
      {items?.length === 0 && <p>{t('gapsNone')}</p>}
      {items !== undefined && <GapList gaps={items} nameOf={nameOf} />}
      {more !== undefined && (
        <button type="button" onClick={more}>
          {t('showMore')}
        </button>
      )}
    </section>
  );
}

const REASONS = {
  'bad-topic': 'rejectBadTopic',
  'too-large': 'rejectTooLarge',
  'not-utf8': 'rejectNotUtf8',
  'not-json': 'rejectNotJson',
  'bad-shape': 'rejectBadShape',
  'bad-time': 'rejectBadTime',
  conflict: 'rejectConflict',
  'unknown-device': 'rejectUnknownDevice',
  'refused-device': 'rejectRefusedDevice',
  'too-many': 'rejectTooMany',
} as const satisfies Record<RejectedMessage['reason'], TextKey>;

/** Messages that could not be stored. Their content is always shown as plain text. */
export function RejectedSection({ nameOf }: { readonly nameOf: (deviceUid: string) => string }): JSX.Element {
  const { api, t, format, clock } = usePage();
  const { items, error, more, retry } = usePages(api.rejected);
  return (
    <section class="card">
      <h2>{t('rejected')}</h2>
      <p class="subtitle">{t('rejectedWhy')}</p>
      {error !== undefined && <LoadProblem error={error} retry={retry} />}
      {items?.length === 0 && <p>{t('rejectedNone')}</p>}
      <ul class="rejected-list">
        {items?.map((message) => (
          <li key={message.id}>
            <details>
              <summary>
                <strong>{t(REASONS[message.reason])}</strong>{' '}
                {message.device_id === null ? t('unknownDevice') : nameOf(message.device_id)}{' '}
                <span class="subtitle">
                  {format.moment(Date.parse(message.last_at), clock.nowMs())}
                  {message.count > 1 && `, ${t('times', { count: message.count })}`}
                </span>
              </summary>
              <p>{message.detail}</p>
              <p class="subtitle">{message.topic}</p>
              <pre tabIndex={0} aria-label={t('payload')}>
                {message.payload}
              </pre>
            </details>
          </li>
        ))}
      </ul>
      {more !== undefined && (
        <button type="button" onClick={more}>
          {t('showMore')}
        </button>
      )}
    </section>
  );
}

const ASK_EVERY_MS = 30_000;

/** Shown only while readings are on hold because of their time, with what can be done. */
export function QuarantineSection({ nameOf }: { readonly nameOf: (deviceUid: string) => string }): JSX.Element | null {
  const { api, session, platform, t } = usePage();
  const { isBusy, problem, run } = useAction();
  const changes = useWatched(session.pastChanges);
  const [quarantine, setQuarantine] = useState<Quarantine>();
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  const again = (): void => setAttempt((before) => before + 1);
  useEffect(() => {
    const ending = new AbortController();
    const ask = (): void => {
      api.quarantine(ending.signal).then(
        (found) => {
          setError(undefined);
          setQuarantine(found);
        },
        (cause: unknown) => {
          if (!ending.signal.aborted) setError(cause);
        },
      );
    };
    ask();
    platform.every(ASK_EVERY_MS, ending.signal, ask);
    return () => ending.abort();
  }, [api, platform, changes, attempt]);
  if (error !== undefined) {
    return (
      <section class="card">
        <h2>{t('quarantine')}</h2>
        <LoadProblem error={error} retry={again} />
      </section>
    );
  }
  if (quarantine === undefined || quarantine.waiting === 0) return null;
  const release = (uid: string): void => {
    // It shows its own errors.
    void run(() => api.releaseQuarantine(uid), t('quarantineReleased')).then(again);
  };
  return (
    <section class="card" data-quarantine={quarantine.waiting}>
      <h2>{t('quarantine')}</h2>
      <p class="warning">{t('quarantineWaiting', { count: quarantine.waiting })}</p>
      <p class="subtitle">{t('quarantineWhy')}</p>
      {quarantine.clockProblem !== null && <p class="warning">{t('quarantineClock')}</p>}
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      <ul>
        {quarantine.devices.map(({ deviceUid, count }) => (
          <li key={`${deviceUid}-${count}`}>
            {nameOf(deviceUid)}: {t('readingsCount', { count })}{' '}
            <button type="button" disabled={isBusy} onClick={() => release(deviceUid)}>
              {t('quarantineRelease')}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
