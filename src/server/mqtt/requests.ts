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

  /** An answer to something that nobody asked is ignored. */
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
