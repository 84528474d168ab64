import type { Clock } from '../../platform/clock.ts';

/** What waits for the broker's answer, by packet id. */
export class Requests {
  readonly #waiting = new Map<number, Request>();
  #lastId = 0;

  /** Monotonic time of the oldest one; undefined when nothing waits. */
  oldestMs(): number | undefined {
    // A Map keeps the order of insertion.
    for (const { sinceMs } of this.#waiting.values()) return sinceMs;
    return undefined;
  }

  /** Takes a packet id and waits for its answer. `send` is called with it at once. */
  run<T>(nowMs: number, send: (packetId: number) => void): Promise<T> {
    const packetId = this.#freeId();
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(packetId, { sinceMs: nowMs, resolve: resolve as (value: unknown) => void, reject });
      send(packetId);
    });
  }

  /** An answer to something that was not asked is ignored. */
  answered(packetId: number | undefined, value: unknown): void {
    const request = this.#waiting.get(packetId ?? 0);
    if (request === undefined) return;
    this.#waiting.delete(packetId ?? 0);
    request.resolve(value);
  }

  end(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** 1 to 65535, never one that is in use. The callers' windows are far smaller than that. */
  #freeId(): number {
    do this.#lastId = (this.#lastId % 65_535) + 1;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }
}

interface Request {
  readonly sinceMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface LivenessParts {
  readonly clock: Clock;
  /** Asked once connected: the broker may want another one than ours. */
  readonly keepaliveMs: () => number;
  readonly answerTimeoutMs: number;
  /** Monotonic time since which the oldest request waits for an answer. */
  readonly oldestRequestMs: () => number | undefined;
  readonly sendPing: () => void;
}

/** A quarter of the keepalive is left to a slow network: the broker allows one and a half. */
const PING_FRACTION = 3 / 4;

/**
 * Sends PINGREQ in time, whatever else happens, and finds out when the broker is no longer there. While the socket is not being read
 * the other end cannot be heard, so it cannot be called silent either; what it owes is due again from when it is read again.
 */
export class Liveness {
  readonly #parts: LivenessParts;
  #heardMs: number;
  #pingMs: number | undefined;
  /** Undefined while the socket is not read. */
  #readingSinceMs: number | undefined;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
    this.#heardMs = parts.clock.monotonicMs();
    this.#readingSinceMs = this.#heardMs;
  }

  heard(): void {
    this.#heardMs = this.#parts.clock.monotonicMs();
    this.#pingMs = undefined;
  }

  reading(isRead: boolean): void {
    if (isRead === (this.#readingSinceMs !== undefined)) return;
    this.#readingSinceMs = isRead ? this.#parts.clock.monotonicMs() : undefined;
  }

  /** Resolves when the other end is silent; rejects with the signal's reason. */
  async untilSilent(signal: AbortSignal): Promise<void> {
    const { clock, keepaliveMs, answerTimeoutMs, sendPing } = this.#parts;
    const pingEveryMs = keepaliveMs() * PING_FRACTION;
    // Often enough for both, and two steps at least before anything is called silent: a machine that was suspended, or busy for
    // long, hears what has come in between.
    const stepMs = Math.min(pingEveryMs / 2, answerTimeoutMs / 3);
    let nextPingMs = clock.monotonicMs() + pingEveryMs;
    let silentSteps = 0;
    while (silentSteps < 2) {
      await clock.sleep(stepMs, signal);
      if (clock.monotonicMs() >= nextPingMs) {
        sendPing();
        this.#pingMs ??= clock.monotonicMs();
        nextPingMs = clock.monotonicMs() + pingEveryMs;
      }
      silentSteps = this.#isOverdue() ? silentSteps + 1 : 0;
    }
  }

  #isOverdue(): boolean {
    const { clock, answerTimeoutMs, oldestRequestMs } = this.#parts;
    if (this.#readingSinceMs === undefined) return false;
    const owedSinceMs = Math.min(
      this.#pingMs ?? Number.POSITIVE_INFINITY,
      oldestRequestMs() ?? Number.POSITIVE_INFINITY,
    );
    return clock.monotonicMs() - Math.max(owedSinceMs, this.#readingSinceMs) > answerTimeoutMs;
  }
}
