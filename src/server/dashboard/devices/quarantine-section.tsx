import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Quarantine } from '../state/model.ts';
import { usePage, useWatched } from '../view/context.ts';
import { LoadProblem } from '../view/load-problem.tsx';
import { useAction } from './use-action.ts';

const ASK_EVERY_MS = 30_000;

/** Only there while readings wait because of their time, with what can be done. */
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
    // Reports by itself.
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
