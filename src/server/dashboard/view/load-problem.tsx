import type { JSX } from 'preact';
import { ApiError } from '../api/api-client.ts';
import type { Translate } from '../text/texts.ts';
import { usePage } from './context.ts';

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
        {/* The dialog reports by itself. */}
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
