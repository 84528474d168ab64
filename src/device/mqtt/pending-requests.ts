import type { Clock } from '../../common/clock.ts';
import type { LinkError } from './link-session.ts';

/** Node style: an error or nothing. Only the first call counts. */
export type Answer = (error?: Error | null) => void;

/** Of the limit. */
const OWN_LATENESS = 1 / 4;

interface Request {
  readonly dueMs: number;
  readonly reject: (error: Error) => void;
}

/**
 * Requests that wait for the broker. Each settles by its answer, by its limit, or by the end of the connection: mqtt.js itself
 * leaves a publish pending for ever when the socket drops (https://github.com/mqttjs/MQTT.js/issues/1629 and the like).
 */
export class PendingRequests {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #onTimeout: () => LinkError;
  /** In the order of their due times, since all have the same limit. */
  readonly #requests = new Set<Request>();
  #over: LinkError | undefined;
  #watch: AbortController | undefined;

  constructor(clock: Clock, limitMs: number, onTimeout: () => LinkError) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onTimeout = onTimeout;
  }

  async run(start: (answer: Answer) => void): Promise<void> {
    if (this.#over !== undefined) throw this.#over;
    await new Promise<void>((resolve, reject) => {
      const request = { dueMs: this.#clock.monotonicMs() + this.#limitMs, reject };
      this.#requests.add(request);
      start((error) => {
        if (!this.#requests.delete(request)) return;
        if (this.#requests.size === 0) this.#watch?.abort();
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
      // A timer only while something is pending: an idle agent has no reason to wake up.
      if (this.#watch === undefined && this.#requests.size > 0) void this.#watchLimits();
    });
  }

  /** The connection is over: everything pending, and everything asked for later, fails with this. */
  end(error: LinkError): void {
    this.#over ??= error;
    this.#watch?.abort();
    for (const request of this.#requests) request.reject(error);
    this.#requests.clear();
  }

  /** Never rejects. */
  async #watchLimits(): Promise<void> {
    const watch = new AbortController();
    this.#watch = watch;
    while (!watch.signal.aborted) {
      const [oldest] = this.#requests;
      if (oldest === undefined) break;
      const leftMs = oldest.dueMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        await this.#clock.sleep(leftMs, watch.signal).catch(() => undefined);
        // Woken late, we were kept from running: an answer that came in time is taken first.
        const isLate = this.#clock.monotonicMs() - oldest.dueMs > this.#limitMs * OWN_LATENESS;
        if (isLate) await this.#clock.sleep(this.#limitMs * OWN_LATENESS, watch.signal).catch(() => undefined);
      } else {
        this.#requests.delete(oldest);
        oldest.reject(this.#onTimeout());
      }
    }
    this.#watch = undefined;
    // One may have come between the last answer and here.
    if (this.#requests.size > 0) void this.#watchLimits();
  }
}
