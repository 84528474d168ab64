import type { JSX } from 'preact';
import { isProblem } from '../state/health.ts';
import { usePage } from '../view/context.ts';
import { Link } from '../view/link.tsx';
import { StatusMark } from '../view/status-mark.tsx';
import type { RoomFacts } from './room-facts.ts';

/** Only there when something is wrong or waits for somebody. */
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
