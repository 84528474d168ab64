import type { JSX } from 'preact';
import type { RejectedMessage } from '../../http/schemas/rejected.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage } from '../view/context.ts';
import { LoadProblem } from '../view/load-problem.tsx';
import { usePages } from './use-pages.ts';

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

/** What came and could not be stored. All of it is text, whatever it looks like. */
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
