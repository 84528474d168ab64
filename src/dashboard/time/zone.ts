/** `2026-10-25T02:30:00+01:00`. */
export function localIso(ms: number, zone: Zone): string {
  const offset = zone.offsetMs(ms);
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  return `${new Date(ms + offset).toISOString().slice(0, 19)}${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** Local time of one IANA zone. Pure; safe to share. */
export interface Zone {
  readonly name: string;
  /** Local minus UTC at that instant: 3 600 000 in Brussels in winter. */
  offsetMs(ms: number): number;
  /** The instant at which the local day that contains `ms` began. */
  startOfDay(ms: number): number;
  /** Calendar days later (or earlier), at the same local time of day where that exists. */
  addDays(ms: number, days: number): number;
  addMonths(ms: number, months: number): number;
  parts(ms: number): LocalParts;
  /** The instant of a local time. Where it comes twice the first; where it is skipped, the instant at which it was skipped. */
  instant(local: LocalParts): number;
}

export interface LocalParts {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;
export const MINUTE_MS = 60_000;

/** @throws RangeError for a name that the browser doesn't know */
export function openZone(name: string): Zone {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: name,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });

  const parts = (ms: number): LocalParts => {
    const found: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(ms)) {
      found[type] = Number(value);
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
    return { year, month, day, hour, minute, second };
  };
  const offsetMs = (ms: number): number => asUtc(parts(ms)) - Math.floor(ms / 1000) * 1000;

  const instant = (local: LocalParts): number => {
    const utc = asUtc(local);
    const before = utc - offsetMs(utc - DAY_MS);
    const after = utc - offsetMs(utc + DAY_MS);
    if (before + offsetMs(before) === utc) {
      return after + offsetMs(after) === utc ? Math.min(before, after) : before;
    }
    if (after + offsetMs(after) === utc) {
      return after;
    }
    return changeBetween(Math.min(before, after), Math.max(before, after), offsetMs);
  };
  const startOfDay = (ms: number): number => {
    const { year, month, day } = parts(ms);
    return instant({ year, month, day, hour: 0, minute: 0, second: 0 });
  };
  const shifted = (ms: number, days: number, months: number): number => {
    const { year, month, day, ...time } = parts(ms);
    const lastDay = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
    const date = new Date(Date.UTC(year, month - 1 + months, Math.min(day, months === 0 ? 31 : lastDay) + days));
    return instant({
      year: date.getUTCFullYear(),
      month: date.getUTCMonth() + 1,
      day: date.getUTCDate(),
      ...time,
    });
  };
  return {
    name,
    offsetMs,
    startOfDay,
    parts,
    instant,
    addDays: (ms, days) => shifted(ms, days, 0),
    addMonths: (ms, months) => shifted(ms, 0, months),
  };
}

function asUtc({ year, month, day, hour, minute, second }: LocalParts): number {
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The first instant of the later offset, to the second. */
function changeBetween(from: number, to: number, offsetMs: (ms: number) => number): number {
  const later = offsetMs(to);
  let low = Math.floor(from / 1000);
  let high = Math.floor(to / 1000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(middle * 1000) === later) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high * 1000;
}
