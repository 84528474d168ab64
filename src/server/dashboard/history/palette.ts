import { COLOURS } from './sources.ts';

/** The page's colours for the canvas, which knows no style sheets. */
export interface Palette {
  readonly lines: readonly string[];
  readonly ink: string;
  readonly quiet: string;
  readonly grid: string;
  readonly card: string;
  readonly hatch: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    lines: Array.from({ length: COLOURS }, (_, index) => colour(`c${index}`)),
    ink: colour('ink'),
    quiet: colour('quiet'),
    grid: colour('edge'),
    card: colour('card'),
    hatch: colour('hatch'),
  };
}
