/** From `fromMs` on, local clocks are `offsetMs` ahead of UTC. */
export interface OffsetSpan {
  readonly fromMs: number;
  readonly offsetMs: number;
}

const SECOND_MS = 1000;
/**
 * No zone changed its clocks and changed them back within less than 7 days since 1970 (America/Noronha, October 2000; looked
 * up in all zones of ICU).
 */
const STRIDE_MS = 3 * 86_400_000;
/** `GMT+05:45` at the end; `GMT` alone is UTC. Seconds occur before 1972 (Monrovia: GMT-00:44:30). */
const LONG_OFFSET = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

/**
 * The offsets in force from `fromMs` to `toMs`, the first span beginning there (to the second), each further one at a
 * transition. Asks Intl once in three days of the range, and some 20 times more for each transition.
 * @throws RangeError when the zone is unknown
 */
export function offsetSpans(timeZone: string, fromMs: number, toMs: number): readonly OffsetSpan[] {
  const offsetAt = offsetsOf(timeZone);
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

function offsetsOf(timeZone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', hour: '2-digit' });
  return (atMs) => {
    const text = format.format(atMs);
    const [, sign, hours, minutes, seconds] = LONG_OFFSET.exec(text) ?? [];
    const size = (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * SECOND_MS;
    return sign === '-' ? -size : size;
  };
}
