import type { JSX } from 'preact';
import type { DeviceHealth } from '../state/health.ts';
import type { TextKey } from '../text/texts.ts';
import { usePage } from './context.ts';

export const HEALTH_WORDS = {
  online: 'healthOnline',
  late: 'healthLate',
  silent: 'healthSilent',
  fault: 'healthFault',
  buffering: 'healthBuffering',
  clock: 'healthClock',
  never: 'healthNever',
} as const satisfies Record<DeviceHealth, TextKey>;

export const HEALTH_WHY = {
  online: 'healthOnlineWhy',
  late: 'healthLateWhy',
  silent: 'healthSilentWhy',
  fault: 'healthFaultWhy',
  buffering: 'healthBufferingWhy',
  clock: 'healthClockWhy',
  never: 'healthNeverWhy',
} as const satisfies Record<DeviceHealth, TextKey>;

/** Each state has a shape of its own: colour alone tells nothing to one man in twelve. */
const SHAPES: Readonly<Record<DeviceHealth, JSX.Element>> = {
  online: <circle cx="8" cy="8" r="6" />,
  late: <path d="M8 2a6 6 0 0 0 0 12zM8 2a6 6 0 0 1 0 12" class="half" />,
  silent: <path d="M8 1.5 15 14H1z" />,
  fault: <path d="M3 3l10 10M13 3 3 13" class="stroke" />,
  buffering: <path d="M2.5 3h11v2.4h-11zM2.5 6.8h11v2.4h-11zM2.5 10.6h11V13h-11z" />,
  clock: <path d="M8 2a6 6 0 1 0 .01 0M8 5v3.3l2.4 1.6" class="line" />,
  never: <circle cx="8" cy="8" r="5" class="line" />,
};

export function StatusMark({
  health,
  isShapeOnly = false,
}: {
  readonly health: DeviceHealth;
  /** Where the words stand beside it. */
  readonly isShapeOnly?: boolean;
}): JSX.Element {
  const { t } = usePage();
  return (
    <span class={`status status-${health}`} title={t(HEALTH_WHY[health])}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        {SHAPES[health]}
      </svg>
      {!isShapeOnly && t(HEALTH_WORDS[health])}
    </span>
  );
}
