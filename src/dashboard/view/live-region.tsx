import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { factsOf } from '../now/room-facts.ts';
import { isProblem } from '../state/model.ts';
import type { Watched } from '../state/store.ts';
import { usePage, useWatched } from './context.ts';

/** Changes of state are announced at most this often. */
const TELL_EVERY_MS = 10_000;

/**
 * The only live region for screen readers. Results of actions are announced at once, changes of state from time to time,
 * values never, because there are too many of them.
 */
export function LiveRegion({ announcement }: { readonly announcement: Watched<string> }): JSX.Element {
  const { session, t, format, clock, platform, zone } = usePage();
  const said = useWatched(announcement);
  const before = useRef<string | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    platform.every(TELL_EVERY_MS, ending.signal, () => {
      const nowMs = clock.nowMs();
      const connection = session.connection.get();
      const troubles = factsOf(session.site.get(), nowMs, zone)
        .filter(({ health }) => isProblem(health))
        .map(({ title, health, heardMs }) =>
          health === 'fault' || heardMs === null
            ? t('problemFault', { name: title })
            : t('problemSilent', { name: title, time: format.moment(heardMs, nowMs) }),
        );
      const state = connection.kind === 'lost' ? t('errorUnreachable') : troubles.join('. ');
      if (before.current !== null && before.current !== state) {
        announcement.set(state === '' ? t('backLive') : state);
      }
      before.current = state;
    });
    return () => ending.abort();
  }, [session, t, format, clock, platform, zone, announcement]);
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  );
}
