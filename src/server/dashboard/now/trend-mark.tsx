import type { JSX } from 'preact';
import type { Trend } from '../state/trend.ts';
import { usePage } from '../view/context.ts';

const ARROWS = {
  rising: 'M3 12 12 4M6 4h6v6',
  falling: 'M3 4l9 8M6 12h6V6',
  steady: 'M2 8h11M9.5 4.5 13 8l-3.5 3.5',
} as const;

/** Where the temperature is going, by arrow and in words. Empty while nobody can tell. */
export function TrendMark({ trend }: { readonly trend: Trend | null }): JSX.Element {
  const { t, format } = usePage();
  if (trend === null) return <span class="trend" />;
  const { direction, change, overMs } = trend;
  const words = t('trendOver', {
    change: format.temperatureChange(change),
    hours: Math.max(1, Math.round(overMs / 3_600_000)),
  });
  return (
    <span class={`trend trend-${direction}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={ARROWS[direction]} />
      </svg>
      {direction === 'steady' ? t('steady') : words}
    </span>
  );
}
