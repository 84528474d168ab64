import type { JSX } from 'preact';
import { GapList } from '../history/gap-list.tsx';
import { usePage } from '../view/context.ts';
import { LoadProblem } from '../view/load-problem.tsx';
import { VerdictWord } from '../view/verdict-word.tsx';
import { usePages } from './use-pages.ts';

/** Whether readings are missing, and what devices had to give up. */
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
