import type { JSX } from 'preact';
import { usePage } from './context.ts';
import { Link } from './link.tsx';

export function NotFound(): JSX.Element {
  const { t } = usePage();
  return (
    <section class="card empty">
      <h1>{t('notFoundTitle')}</h1>
      <p>{t('notFoundText')}</p>
      <p class="actions">
        <Link route="">{t('now')}</Link>
        <Link route="history">{t('history')}</Link>
        <Link route="devices">{t('devices')}</Link>
      </p>
    </section>
  );
}
