import type { JSX } from 'preact';
import { isProblem } from '../state/model.ts';
import type { SiteState } from '../state/site-state.ts';
import { useNow, usePage, useWatched } from '../view/context.ts';
import { Link } from '../view/controls.tsx';
import { LoadProblem, StatusMark } from '../view/status-marks.tsx';
import { RoomCard } from './room-card.tsx';
import { factsOf, type RoomFacts } from './room-facts.ts';

/** Shown only when something is wrong or waits for a decision. */
export function ProblemBar({
  facts,
  pending,
}: {
  readonly facts: readonly RoomFacts[];
  readonly pending: number;
}): JSX.Element | null {
  const { t, format, clock } = usePage();
  const problems = facts.filter(({ health }) => isProblem(health));
  if (problems.length === 0 && pending === 0) return null;
  return (
    <ul class="problems">
      {problems.map(({ device, title, health, heardMs }) => (
        <li key={device.uid} class={`problem status-${health}`}>
          <StatusMark health={health} isShapeOnly />
          <Link route="devices" search={`?uid=${device.uid}`}>
            {health === 'silent' && heardMs !== null
              ? t('problemSilent', { name: title, time: format.moment(heardMs, clock.nowMs()) })
              : t('problemFault', { name: title })}
          </Link>
        </li>
      ))}
      {pending > 0 && (
        <li class="problem">
          <Link route="devices">{t('problemPending', { count: pending })}</Link>
        </li>
      )}
    </ul>
  );
}

/** Ages are told in seconds while they are young. */
const TICK_MS = 1_000;

/** The house at a glance. */
export function NowPage(): JSX.Element {
  const { session, zone, t } = usePage();
  const state = useWatched(session.site);
  const connection = useWatched(session.connection);
  const nowMs = useNow(TICK_MS);
  if (state.loadedMs === null) {
    return connection.kind === 'lost' ? <LoadProblem error={connection.error} /> : <Waiting />;
  }
  const facts = factsOf(state, nowMs, zone);
  return (
    <>
      <h1 class="visually-hidden">{t('now')}</h1>
      <ProblemBar facts={facts} pending={pendingCount(state)} />
      {facts.length === 0 ? (
        <section class="empty card">
          <h2>{t('emptyTitle')}</h2>
          <p>{t('emptyText')}</p>
        </section>
      ) : (
        <div class="cards">
          {facts.map((room) => (
            <RoomCard key={room.device.uid} facts={room} nowMs={nowMs} />
          ))}
        </div>
      )}
    </>
  );
}

/** Cards without values, so that the page does not jump when the first values arrive. */
function Waiting(): JSX.Element {
  const { t } = usePage();
  return (
    <div class="cards" aria-busy="true">
      <h1 class="visually-hidden">{t('loading')}</h1>
      {[1, 2, 3].map((key) => (
        <div key={key} class="card room placeholder" />
      ))}
    </div>
  );
}

export function pendingCount({ devices }: SiteState): number {
  return devices.filter(({ state }) => state === 'pending').length;
}
