import type { Clock } from './clock.ts';
import type { ProgressBoard } from './progress.ts';

export interface WatchdogParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** WatchdogSec= in ms; undefined without a watchdog: nothing is fed then, but a loop that hangs is still noticed. */
  readonly watchdogMs: number | undefined;
  /** Sends WATCHDOG=1. */
  readonly feed: () => void;
  /** A loop that has outstayed its word holds back the feeding; told once, until it moves again. For the log. */
  readonly onOverdue?: (name: string, overdueMs: number) => void;
  /** It has moved again. */
  readonly onRecovered?: (name: string, overdueMs: number) => void;
}

interface LoopState {
  readonly name: string;
  /** When the loop will have beaten again at the latest; undefined before its first beat and after its end. */
  dueMs: number | undefined;
  reported: boolean;
}

/** Idle loops wake up this often within the watchdog's time: two beats may get lost in a busy machine. */
const IDLE_FRACTION = 1 / 3;
/** Ten beats a second need no ten datagrams. A feed and the next beat are at most 1/4 + 1/3 of the watchdog's time apart. */
const FEED_FRACTION = 1 / 4;
/** A loop sleeps for exactly the time that it has named; so much of the watchdog's time is left to a machine that is busy. */
const GRACE_FRACTION = 1 / 10;
/** The same where there is no watchdog, and only the log is told. */
const GRACE_MS = 10_000;

/**
 * Feeds systemd's watchdog from finished work alone. There is no timer here: when every loop hangs, or the event loop itself,
 * nobody beats, and when one of them hangs the beats of the others do not count. A loop counts from its first beat on;
 * until READY it is TimeoutStartSec= that watches over the start.
 */
export function createProgressBoard(parts: WatchdogParts): ProgressBoard {
  const { clock, watchdogMs } = parts;
  const graceMs = watchdogMs === undefined ? GRACE_MS : watchdogMs * GRACE_FRACTION;
  const loops: LoopState[] = [];
  let lastFedMs = Number.NEGATIVE_INFINITY;

  const isOverdue = ({ dueMs }: LoopState, nowMs: number): boolean => nowMs - (dueMs ?? nowMs) > graceMs;

  const feedUnlessOverdue = (nowMs: number, mayTell: boolean): void => {
    let healthy = true;
    for (const loop of loops) {
      if (!isOverdue(loop, nowMs)) continue;
      healthy = false;
      if (loop.reported || !mayTell) continue;
      parts.onOverdue?.(loop.name, nowMs - (loop.dueMs ?? nowMs));
      loop.reported = true;
    }
    if (!healthy || watchdogMs === undefined || nowMs - lastFedMs < watchdogMs * FEED_FRACTION) return;
    lastFedMs = nowMs;
    parts.feed();
  };

  return {
    maxIdleMs: watchdogMs === undefined ? Number.POSITIVE_INFINITY : watchdogMs * IDLE_FRACTION,
    loop(name) {
      const loop: LoopState = { name, dueMs: undefined, reported: false };
      loops.push(loop);
      return {
        beat(withinMs) {
          const nowMs = clock.monotonicMs();
          if (loop.reported) parts.onRecovered?.(name, nowMs - (loop.dueMs ?? nowMs));
          // A loop that is late itself speaks after the whole process was kept from running: the others come next.
          const isPunctual = !isOverdue(loop, nowMs);
          loop.reported = false;
          loop.dueMs = nowMs + withinMs;
          feedUnlessOverdue(nowMs, isPunctual);
        },
        end() {
          loop.dueMs = undefined;
          loop.reported = false;
        },
      };
    },
  };
}
