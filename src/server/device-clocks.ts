import type { IngestMessage } from './store/ingest-store.ts';

/**
 * What the clocks of devices say about this server's: the second opinion on time. Kept against the monotonic clock, so that it is
 * right about a wall clock that has been set meanwhile. Counts devices, not messages.
 */
export interface DeviceClocks {
  heard(message: IngestMessage, monotonicMs: number): void;
  /** Of the devices that were heard lately, against a wall clock that is `wallMinusMonotonicMs` away from the monotonic one. */
  opinion(monotonicMs: number, wallMinusMonotonicMs: number): ClockOpinion;
}

export interface ClockOpinion {
  readonly agreeing: number;
  /** Say that it is later than this server believes; by so much (the median). */
  readonly later: number;
  readonly laterByMs: number;
  /** Say that it is earlier. */
  readonly earlier: number;
  readonly earlierByMs: number;
}

interface Sample {
  tsMinusMonotonicMs: number;
  atMs: number;
  /** Since when it says that it is earlier; a message that was held up says so for a moment. */
  behindSinceMs: number | null;
}

/** Clocks that are set differ by less, messages come sooner. */
export const FAR_MS = 600_000;
/** Longer than any usual interval. */
const LATELY_MS = 2 * 3_600_000;
const HELD_UP_MS = 120_000;
/** What is asked of a house; the names of strangers do not grow it. */
const MAX_DEVICES = 1_000;

export function createDeviceClocks(): DeviceClocks {
  const samples = new Map<string, Sample>();

  const isBehind = (sample: Sample, wallMinusMonotonicMs: number): boolean =>
    sample.tsMinusMonotonicMs < wallMinusMonotonicMs - FAR_MS;

  return {
    heard(message, monotonicMs) {
      const tsMs = deviceTime(message);
      if (tsMs === undefined || message.kind === 'rejected') return;
      const wallMinusMonotonicMs = message.receivedMs - monotonicMs;
      const found = samples.get(message.deviceUid);
      const tsMinusMonotonicMs = tsMs - monotonicMs;
      // A backlog says when it was measured, not what time it is; unless it is of a time that has not come.
      if (isBacklog(message) && tsMinusMonotonicMs < wallMinusMonotonicMs + FAR_MS) return;
      if (found === undefined && samples.size >= MAX_DEVICES) forgetOld(samples, monotonicMs);
      if (found === undefined && samples.size >= MAX_DEVICES) return;
      const sample: Sample = { tsMinusMonotonicMs, atMs: monotonicMs, behindSinceMs: null };
      if (isBehind(sample, wallMinusMonotonicMs)) sample.behindSinceMs = found?.behindSinceMs ?? monotonicMs;
      samples.set(message.deviceUid, sample);
    },
    opinion(monotonicMs, wallMinusMonotonicMs) {
      let agreeing = 0;
      const [laterBy, earlierBy]: [number[], number[]] = [[], []];
      for (const sample of samples.values()) {
        if (monotonicMs - sample.atMs > LATELY_MS) continue;
        const byMs = sample.tsMinusMonotonicMs - wallMinusMonotonicMs;
        if (byMs > FAR_MS) laterBy.push(byMs);
        else if (byMs >= -FAR_MS) agreeing += 1;
        else if (sample.behindSinceMs === null || sample.atMs - sample.behindSinceMs >= HELD_UP_MS)
          earlierBy.push(-byMs);
      }
      return {
        agreeing,
        later: laterBy.length,
        laterByMs: median(laterBy),
        earlier: earlierBy.length,
        earlierByMs: median(earlierBy),
      };
    },
  };
}

/** What time it was for the device when it spoke; undefined where its clock was not set, or it does not say. */
function deviceTime(message: IngestMessage): number | undefined {
  if (message.kind === 'rejected') return undefined;
  if (message.kind === 'status') {
    const { status, isRetained } = message;
    return isRetained || status.clock?.state !== 'synced' ? undefined : status.ts;
  }
  if (message.isRetained === true) return undefined;
  const last = message.items.at(-1);
  if (last !== undefined) return 'gap' in last || last.clock === 'unsynced' ? undefined : last.tsMs;
  const bad = message.bad.at(-1);
  return bad === undefined || bad.payload.includes('"unsynced"') ? undefined : bad.tsMs;
}

function isBacklog(message: IngestMessage): boolean {
  return message.topic.endsWith('/backlog');
}

function forgetOld(samples: Map<string, Sample>, monotonicMs: number): void {
  for (const [uid, { atMs }] of samples) if (monotonicMs - atMs > LATELY_MS) samples.delete(uid);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
