import type { TimeRange } from './range.ts';

export interface GestureTarget {
  /** Where the plot's time axis lies. */
  readonly area: HTMLElement;
  readonly range: () => TimeRange;
  /** While the fingers are down. */
  readonly preview: (range: TimeRange) => void;
  /** When they are lifted. */
  readonly settle: (range: TimeRange) => void;
}

/** Fewer pixels are a tap, not a drag. */
const SLOP_PX = 6;
const WHEEL_STEP = 0.0015;

/**
 * One finger moves along the time axis (up and down scrolls the page), two zoom, Shift and drag moves with the mouse, Ctrl and
 * wheel zooms. Selecting with the mouse is uPlot's own. All of it can be done with buttons and keys too.
 */
export function addGestures({ area, range, preview, settle }: GestureTarget): void {
  const pointers = new Map<number, number>();
  let start: { readonly range: TimeRange; readonly xs: readonly number[] } | undefined;
  let current: TimeRange | undefined;

  const begin = (): void => {
    start = { range: current ?? range(), xs: [...pointers.values()] };
  };
  const timeAt = ({ fromMs, toMs }: TimeRange, x: number): number => {
    const { left, width } = area.getBoundingClientRect();
    return fromMs + ((x - left) / width) * (toMs - fromMs);
  };
  const moved = (): TimeRange | undefined => {
    const [a, b] = start?.xs ?? [];
    const [nowA, nowB] = [...pointers.values()];
    if (start === undefined || a === undefined || nowA === undefined) return undefined;
    const { fromMs, toMs } = start.range;
    if (b !== undefined && nowB !== undefined) {
      const [left, right] = [timeAt(start.range, a), timeAt(start.range, b)];
      const msPerPx = (right - left) / (nowB - nowA || 1);
      const box = area.getBoundingClientRect();
      const from = left - (nowA - box.left) * msPerPx;
      return msPerPx > 0 ? { fromMs: from, toMs: from + box.width * msPerPx } : undefined;
    }
    if (current === undefined && Math.abs(nowA - a) < SLOP_PX) return undefined;
    const byMs = timeAt(start.range, nowA) - timeAt(start.range, a);
    return { fromMs: fromMs - byMs, toMs: toMs - byMs };
  };

  area.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'mouse' && !event.shiftKey) return;
    pointers.set(event.pointerId, event.clientX);
    if (event.pointerType === 'mouse') area.setPointerCapture(event.pointerId);
    begin();
  });
  area.addEventListener('pointermove', (event) => {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, event.clientX);
    const next = moved();
    if (next !== undefined) {
      current = next;
      preview(next);
    }
  });
  const end = (event: PointerEvent): void => {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size > 0) {
      begin();
      return;
    }
    if (current !== undefined) settle(current);
    current = undefined;
    start = undefined;
  };
  area.addEventListener('pointerup', end);
  area.addEventListener('pointercancel', end);
  // Shift and drag is ours: uPlot would select.
  area.addEventListener('mousedown', (event) => event.shiftKey && event.stopImmediatePropagation(), { capture: true });
  area.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const now = range();
      const at = timeAt(now, event.clientX);
      const factor = Math.exp(event.deltaY * WHEEL_STEP);
      settle({ fromMs: at - (at - now.fromMs) * factor, toMs: at + (now.toMs - at) * factor });
    },
    { passive: false },
  );
}
