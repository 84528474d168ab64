/**
 * Local time of an IANA zone: offsets from UTC, when they change, and the instants of local times. Pure, and without Node.js: the
 * server and the page in the browser count by the same rules.
 */

const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** From `fromMs` on, local clocks are `offsetMs` ahead of UTC. */
export interface OffsetSpan {
  readonly fromMs: number;
  readonly offsetMs: number;
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

/** One zone. It keeps nothing but its formatter, so it can be shared. */
export interface Zone {
  readonly name: string;
  /** Local time minus UTC at that instant: 3 600 000 in Brussels in winter. */
  offsetMs(ms: number): number;
  /** The instant at which the local day that contains `ms` began. */
  startOfDay(ms: number): number;
  /** Calendar days later (or earlier), at the same local time of day where that exists. */
  addDays(ms: number, days: number): number;
  addMonths(ms: number, months: number): number;
  parts(ms: number): LocalParts;
  /** The instant of a local time. Where it comes twice: the first. Where clocks jump over it: the instant of the jump. */
  instant(local: LocalParts): number;
}

/** @throws RangeError for a name that is not known here */
export function openZone(name: string): Zone {
  const offsetMs = offsetsOf(name);

  const parts = (ms: number): LocalParts => {
    const local = new Date(Math.floor(ms / SECOND_MS) * SECOND_MS + offsetMs(ms));
    return {
      year: local.getUTCFullYear(),
      month: local.getUTCMonth() + 1,
      day: local.getUTCDate(),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
      second: local.getUTCSeconds(),
    };
  };

  const instant = ({ year, month, day, hour, minute, second }: LocalParts): number => {
    const localMs = Date.UTC(year, month - 1, day, hour, minute, second);
    // No zone is a day or more from UTC, so the instant lies in between.
    const spans = spansOf(offsetMs, localMs - DAY_MS, localMs + DAY_MS);
    const endMs = (index: number): number => spans[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const found = spans.find(({ offsetMs: ahead }, index) => localMs - ahead < endMs(index)) as OffsetSpan;
    return Math.max(localMs - found.offsetMs, found.fromMs);
  };

  const shifted = (ms: number, days: number, months: number): number => {
    const { year, month, day, ...time } = parts(ms);
    const lastDay = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
    const date = new Date(Date.UTC(year, month - 1 + months, Math.min(day, months === 0 ? 31 : lastDay) + days));
    return instant({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(), ...time });
  };

  return {
    name,
    offsetMs,
    parts,
    instant,
    startOfDay: (ms) => instant({ ...parts(ms), hour: 0, minute: 0, second: 0 }),
    addDays: (ms, days) => shifted(ms, days, 0),
    addMonths: (ms, months) => shifted(ms, 0, months),
  };
}

/** `2026-10-25T02:30:00+01:00`. */
export function localIso(ms: number, zone: Zone): string {
  const offset = zone.offsetMs(ms);
  const minutes = Math.abs(offset) / MINUTE_MS;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  return `${new Date(ms + offset).toISOString().slice(0, 19)}${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/**
 * The offsets in force from `fromMs` to `toMs`, the first span beginning there (to the second), each further one at a
 * transition. Asks Intl once in three days of the range, and some 20 times more for each transition.
 * @throws RangeError when the zone is unknown
 */
export function offsetSpans(timeZone: string, fromMs: number, toMs: number): readonly OffsetSpan[] {
  return spansOf(offsetsOf(timeZone), fromMs, toMs);
}

/**
 * No zone changed its clocks and changed them back within less than 7 days since 1970 (America/Noronha, October 2000; looked
 * up in all zones of ICU).
 */
const STRIDE_MS = 3 * DAY_MS;

function spansOf(offsetAt: (atMs: number) => number, fromMs: number, toMs: number): readonly OffsetSpan[] {
  const spans: OffsetSpan[] = [];
  /** The transitions after `earlierMs`, up to `laterMs`. */
  const search = (earlierMs: number, earlier: number, laterMs: number, later: number): void => {
    if (earlier === later) return;
    if (laterMs - earlierMs <= SECOND_MS) {
      spans.push({ fromMs: laterMs, offsetMs: later });
      return;
    }
    const middleMs = earlierMs + Math.floor((laterMs - earlierMs) / 2 / SECOND_MS) * SECOND_MS;
    const middle = offsetAt(middleMs);
    search(earlierMs, earlier, middleMs, middle);
    search(middleMs, middle, laterMs, later);
  };

  let atMs = Math.floor(fromMs / SECOND_MS) * SECOND_MS;
  let offset = offsetAt(atMs);
  spans.push({ fromMs: atMs, offsetMs: offset });
  while (atMs < toMs) {
    const next = offsetAt(atMs + STRIDE_MS);
    search(atMs, offset, atMs + STRIDE_MS, next);
    [atMs, offset] = [atMs + STRIDE_MS, next];
  }
  return spans;
}

/** `GMT+05:45` at the end; `GMT` alone is UTC. Seconds occur before 1972 (Monrovia: GMT-00:44:30). */
const LONG_OFFSET = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

function offsetsOf(timeZone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', hour: '2-digit' });
  return (atMs) => {
    const text = format.format(atMs);
    const [, sign, hours, minutes, seconds] = LONG_OFFSET.exec(text) ?? [];
    const size = (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * SECOND_MS;
    return sign === '-' ? -size : size;
  };
}
