import type { Clock } from '../../src/platform/clock.ts';
import type { HttpTimes } from '../../src/server/http/parts.ts';
import type { ServerTime } from '../../src/server/store/stored.ts';

/** A server's time that nothing speaks against. */
export function testTime(clock: Clock, over: Partial<ServerTime> = {}): ServerTime {
  const nowMs = clock.nowMs();
  const { bootId } = clock;
  return { nowMs, bootId, wallMinusMonotonicMs: nowMs - clock.monotonicMs(), isConfirmed: true, ...over };
}

export function testTimes(clock: Clock): HttpTimes {
  return { clockState: () => ({ kind: 'ok' }), now: () => testTime(clock), maxQuarantine: () => 1_000_000 };
}
