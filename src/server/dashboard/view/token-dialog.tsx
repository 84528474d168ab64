import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { TokenQuestion } from '../api/tokens.ts';
import { usePage } from './context.ts';
import { Dialog } from './dialog.tsx';

/** Asks for a token, once, when the server says that it needs one. Pasting and password managers are welcome. */
export function TokenDialog({ question }: { readonly question: TokenQuestion }): JSX.Element {
  const { t } = usePage();
  const [token, setToken] = useState('');
  const [keep, setKeep] = useState(true);
  const isAnswered = useRef(false);
  const answer = (given: string | undefined): void => {
    if (isAnswered.current) return;
    isAnswered.current = true;
    question.answer(given, keep);
  };
  return (
    <Dialog title={t('tokenTitle')} onClose={() => answer(undefined)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') answer(token.trim());
        }}
      >
        {question.isWrong && (
          <p class="warning" role="alert">
            {t('tokenWrong')}
          </p>
        )}
        <p>{t(question.why === 'write' ? 'tokenWhyWrite' : 'tokenWhyRead')}</p>
        <p class="subtitle">{t('tokenHow')}</p>
        <label class="field">
          <span>{t('token')}</span>
          <input
            type="password"
            autocomplete="current-password"
            required
            autofocus
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={keep} onChange={({ currentTarget }) => setKeep(currentTarget.checked)} />
          <span>{t('tokenRemember')}</span>
        </label>
        <p class="actions">
          <button type="button" onClick={() => answer(undefined)}>
            {t('cancel')}
          </button>
          <button type="submit" class="primary">
            {t('useToken')}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
