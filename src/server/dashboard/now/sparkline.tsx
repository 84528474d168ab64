import type { JSX } from 'preact';
import type { Point } from '../state/trend.ts';
import { HOUR_MS } from '../time/zone.ts';

const WIDTH = 240;
const HEIGHT = 44;
const PAD = 3;
/** A flat line in the middle, not noise that fills the height: less than this is drawn as little. */
const LEAST_RANGE = 1;

/**
 * The last hours as a small line; what it means is said in words beside it.
 *
 * @param breakMs a longer silence is a gap in the line
 */
export function Sparkline({
  points,
  fromMs,
  toMs,
  breakMs,
}: {
  readonly points: readonly Point[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly breakMs: number;
}): JSX.Element {
  // The hour before its beginning too, so that the line begins at the edge.
  const shown = points.filter(({ tsMs }) => tsMs >= fromMs - HOUR_MS && tsMs <= toMs);
  const values = shown.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = Math.max(LEAST_RANGE, high - low);
  const bottom = (low + high) / 2 - range / 2;
  const x = (ms: number): string =>
    Math.max(PAD, PAD + ((ms - fromMs) / (toMs - fromMs)) * (WIDTH - 2 * PAD)).toFixed(1);
  const y = (value: number): string => (HEIGHT - PAD - ((value - bottom) / range) * (HEIGHT - 2 * PAD)).toFixed(1);
  const path = shown
    .map(({ tsMs, value }, index) => {
      const before = shown[index - 1];
      const command = before === undefined || tsMs - before.tsMs > breakMs ? 'M' : 'L';
      return `${command}${x(tsMs)} ${y(value)}`;
    })
    .join('');
  const last = shown.at(-1);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
      {last !== undefined && <path class="end" d={`M${x(last.tsMs)} ${y(last.value)}l0.01 0`} />}
    </svg>
  );
}
