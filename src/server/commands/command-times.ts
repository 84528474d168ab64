import { localDays } from '../calendar/local-days.ts';
import { CommandError } from './command-store.ts';

const DAY = /^\d{4}-\d\d-\d\d$/;
const TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const DURATION = /^(\d+)([mhdw])$/;
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
/** The longest day of a zone, and its largest distance from UTC, fit in. */
const AROUND_MS = 172_800_000;

/**
 * Epoch ms of a time that a person typed: a day (its midnight in the house's time zone) or ISO 8601 with `Z` or an offset.
 * @throws CommandError that names the option
 */
export function parseTimeOption(option: string, text: string, timeZone: string): number {
  const ms = DAY.test(text) ? midnight(text, timeZone) : instant(text);
  if (ms === undefined) {
    throw new CommandError(
      `${option} must be a day such as 2026-01-31 or a time such as 2026-01-31T12:00:00+01:00, found ${JSON.stringify(text)}.`,
    );
  }
  return ms;
}

/** ms of `90d`, `12h`, `30m`, `2w`. @throws CommandError that names the option */
export function parseDurationOption(option: string, text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (!(ms > 0))
    throw new CommandError(`${option} must be a length such as 90d, 12h or 30m, found ${JSON.stringify(text)}.`);
  return ms;
}

/** `2026-01-31 12:00:05Z`, or a dash. */
export function shownTime(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? '-' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

export function isoOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

function midnight(day: string, timeZone: string): number | undefined {
  const utcMs = Date.parse(`${day}T00:00Z`);
  if (Number.isNaN(utcMs)) return undefined;
  return localDays(utcMs - AROUND_MS, utcMs + AROUND_MS, timeZone).find(({ name }) => name === day)?.fromMs;
}

function instant(text: string): number | undefined {
  const day = TIME.exec(text)?.[1];
  const ms = Date.parse(text);
  // Date.parse turns 30 February into 2 March.
  const dayMs = Date.parse(`${day ?? ''}T00:00Z`);
  const isDay = !Number.isNaN(dayMs) && new Date(dayMs).toISOString().slice(0, 10) === day;
  return isDay && !Number.isNaN(ms) ? ms : undefined;
}
