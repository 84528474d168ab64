import type { Zone } from './zone.ts';

/** `2026-10-25T02:30:00+01:00`. */
export function localIso(ms: number, zone: Zone): string {
  const offset = zone.offsetMs(ms);
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  return `${new Date(ms + offset).toISOString().slice(0, 19)}${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}
